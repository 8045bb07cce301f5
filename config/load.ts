/**
 * Reads the configuration: YAML file < environment < flags, through the one schema.
 *
 * Invariant: everything that is wrong is reported together, and every report names its source
 * (file, variable or flag), its line in the file, the key, what was expected and what was found.
 * What the file says of `patch`, of folders for Faust and of certificates is relative to the file, all
 * else to the working directory. A token is never shown. Nothing else in the program reads the environment or the flags.
 */

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, isAbsolute, join } from 'node:path';
import { LineCounter, parseDocument, isMap, isScalar } from 'yaml';
import { nearest, type Diagnostic, type Result } from '../dsp/diagnostic.ts';
import { parseNetwork } from './network.ts';
import { CONFIG_KEYS, configSchema, type Config, type ConfigKey } from './schema.ts';

/** Every code of this room, with its meaning. */
export const CONFIG_CODES = {
  CONFIG_UNREADABLE: 'the configuration file cannot be read',
  CONFIG_SYNTAX: 'the configuration file is not YAML, or not a mapping of settings',
  CONFIG_UNKNOWN_KEY: 'the file, the environment or the flags name a setting that does not exist',
  CONFIG_INVALID: 'a setting has a value of the wrong type or out of its range',
  CONFIG_MISSING_VALUE: 'a flag was given without its value',
  CONFIG_TOKEN_REQUIRED: 'an address other than loopback is configured without a token',
  CONFIG_PEERS_REQUIRED:
    'OSC is to listen on an address other than loopback without a list of peers',
  CONFIG_TLS_INCOMPLETE: 'a certificate is configured without its key, or a key without it',
  CONFIG_FILE_REQUIRED: 'the file backend is configured without a file to play',
} as const satisfies Record<string, string>;

export interface ConfigDiagnostic extends Diagnostic {
  readonly code: keyof typeof CONFIG_CODES;
  /** The file's name, the variable or the flag. */
  readonly source: string;
  readonly line?: number;
  readonly expected: string;
  readonly got: string;
}

export interface ConfigSources {
  /** Flags without the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Read instead of the file system, where given. Throws like `readFileSync` when missing. */
  readonly readFile?: (path: string) => string;
  /** Whether tokens are kept in a state directory; none are, where it is not given. */
  readonly hasTokens?: (stateDir: string) => boolean;
}

export interface LoadedConfig {
  readonly config: Config;
  /** The file that was read, if any. */
  readonly file: string | undefined;
}

/** Looked for in the working directory when neither `--config` nor `LIVEGRAD_CONFIG` is given. */
export const DEFAULT_FILE = 'livegrad.yaml';

/** Where the value of a key came from, for its error. */
interface Origin {
  readonly source: string;
  readonly line?: number;
}

type Values = Record<string, unknown>;

interface Reading {
  readonly values: Values;
  readonly origins: Map<string, Origin>;
  readonly diagnostics: ConfigDiagnostic[];
}

/**
 * The configuration that file, environment and flags give together.
 * Errors: all of `CONFIG_CODES`, every one at once.
 */
export function loadConfig(sources: ConfigSources): Result<LoadedConfig> {
  const reading: Reading = { values: {}, origins: new Map(), diagnostics: [] };
  const flags = readFlags(sources.argv, reading.diagnostics);
  const file = readFile(sources, flags.file, reading);
  readEnvironment(sources.env, reading);
  for (const { key, raw } of flags.settings) assign(reading, key, raw, { source: key.flag });
  const config = check(reading, sources.hasTokens);
  return config === undefined
    ? { ok: false, diagnostics: reading.diagnostics }
    : { ok: true, value: { config, file } };
}

/** One line per diagnostic: `livegrad.yaml:7  audio.blockSize: expected …, got …`. */
export function printConfigDiagnostics(diagnostics: readonly Diagnostic[]): string {
  return diagnostics
    .map((d) => (d.hint === undefined ? d.message : `${d.message}\n    ${d.hint}`))
    .join('\n');
}

/** The settings as `--help` shows them. */
export function printConfigHelp(): string {
  const width = Math.max(...CONFIG_KEYS.map((key) => key.flag.length));
  const lines = CONFIG_KEYS.map((key) => {
    const fallback = key.fallback === undefined || key.fallback === '' ? '' : ` [${key.fallback}]`;
    return `  ${key.flag.padEnd(width)}  ${key.doc} (${key.expected})${fallback}`;
  });
  const config = `  ${'--config'.padEnd(width)}  Configuration file [${DEFAULT_FILE}, where there is one]`;
  return [config, ...lines].join('\n');
}

// --- sources ---------------------------------------------------------------------------------

interface Flags {
  readonly file: string | undefined;
  readonly settings: readonly { readonly key: ConfigKey; readonly raw: string }[];
}

function readFlags(argv: readonly string[], diagnostics: ConfigDiagnostic[]): Flags {
  let file: string | undefined;
  const settings: { key: ConfigKey; raw: string }[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? '';
    const equals = argument.indexOf('=');
    const name = equals < 0 ? argument : argument.slice(0, equals);
    const inline = equals < 0 ? undefined : argument.slice(equals + 1);
    const key = CONFIG_KEYS.find((k) => k.flag === name);
    const negated = CONFIG_KEYS.find(
      (k) => k.kind === 'boolean' && name === k.flag.replace(/^--/, '--no-'),
    );
    if (negated !== undefined && inline === undefined) {
      settings.push({ key: negated, raw: 'false' });
    } else if (key === undefined && name !== '--config') {
      diagnostics.push(unknownName(name, '', { source: name }, ['--config', ...allFlags()]));
    } else {
      const next = argv[i + 1];
      const takesNext = inline === undefined && next !== undefined && !next.startsWith('--');
      const bare = key?.kind === 'boolean' && !/^(true|false)$/.test(next ?? '');
      if (inline === undefined && (bare || !takesNext)) {
        if (key?.kind === 'boolean') settings.push({ key, raw: 'true' });
        else diagnostics.push(missingValue(name, key));
        continue;
      }
      if (inline === undefined) i++;
      const raw = inline ?? next ?? '';
      if (key === undefined) file = raw;
      else settings.push({ key, raw });
    }
  }
  return { file, settings };
}

const allFlags = (): string[] => CONFIG_KEYS.map((key) => key.flag);

function readFile(
  sources: ConfigSources,
  flag: string | undefined,
  reading: Reading,
): string | undefined {
  const named = flag ?? sources.env['LIVEGRAD_CONFIG'];
  const path = named ?? DEFAULT_FILE;
  let content: string;
  try {
    content = (sources.readFile ?? ((p: string) => readFileSync(p, 'utf8')))(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    if (named === undefined && code === 'ENOENT') return undefined;
    reading.diagnostics.push(
      report('CONFIG_UNREADABLE', '', { source: path }, 'a file that can be read', code),
    );
    return undefined;
  }
  readYaml(content, path, reading);
  return path;
}

function readYaml(content: string, source: string, reading: Reading): void {
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false });
  for (const error of document.errors) {
    const { line } = lines.linePos(error.pos[0]);
    reading.diagnostics.push(
      report('CONFIG_SYNTAX', '', { source, line }, 'YAML', error.message.replace(/\s+/g, ' ')),
    );
  }
  if (document.errors.length === 0) walk(document.contents, [], { source, line: 1 });

  function walk(node: unknown, path: string[], origin: Origin): void {
    if (node === null || (isScalar(node) && node.value === null)) return;
    if (!isMap(node)) {
      const what = path.length === 0 ? 'a mapping of settings' : 'a mapping of its settings';
      reading.diagnostics.push(
        report('CONFIG_SYNTAX', path.join('.'), origin, what, show(toPlain(node))),
      );
      return;
    }
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : show(toPlain(key));
      const range = isScalar(key) ? key.range : undefined;
      const at: Origin = { source, line: range ? lines.linePos(range[0]).line : 1 };
      const here = [...path, name];
      const dotted = here.join('.');
      const setting = CONFIG_KEYS.find((k) => k.key === dotted);
      if (setting !== undefined) {
        if (value !== null && !(isScalar(value) && value.value === null)) {
          place(reading, setting, beside(source, setting, toPlain(value)), at);
        }
      } else if (CONFIG_KEYS.some((k) => k.key.startsWith(`${dotted}.`))) {
        walk(value, here, at);
      } else {
        const siblings = new Set(
          CONFIG_KEYS.filter((k) => path.every((part, i) => k.path[i] === part)).map(
            (k) => k.path[path.length] ?? '',
          ),
        );
        reading.diagnostics.push(unknownName(name, dotted, at, siblings));
      }
    }
  }
}

/** Settings that name files and folders as they are seen from the configuration file. */
const BESIDE: ReadonlySet<string> = new Set([
  'patch',
  'faust.libraries',
  'faust.sounds',
  'http.tls.cert',
  'http.tls.key',
]);

/** A value of the file: paths as they are seen from the working directory. */
function beside(file: string, { key }: ConfigKey, value: unknown): unknown {
  if (!BESIDE.has(key)) return value;
  const folder = dirname(file);
  const seen = (path: unknown): unknown => {
    if (typeof path !== 'string' || path === '' || isAbsolute(path)) return path;
    // Of patches, a mere word is an example's name.
    return key === 'patch' && !/[./\\]/u.test(path) ? path : join(folder, path);
  };
  return Array.isArray(value) ? value.map(seen) : seen(value);
}

/** Variables that are no settings: where the file is, and how clients find the daemon and get in. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set([
  'LIVEGRAD_CONFIG',
  'LIVEGRAD_URL',
  'LIVEGRAD_TOKEN',
]);

const toPlain = (node: unknown): unknown =>
  typeof node === 'object' && node !== null && 'toJSON' in node && typeof node.toJSON === 'function'
    ? (node.toJSON() as unknown)
    : node;

function readEnvironment(env: ConfigSources['env'], reading: Reading): void {
  const variables = CONFIG_KEYS.map((key) => key.variable);
  for (const [name, raw] of Object.entries(env)) {
    if (!name.startsWith('LIVEGRAD_') || OTHER_VARIABLES.has(name) || raw === undefined) continue;
    const key = CONFIG_KEYS.find((k) => k.variable === name);
    if (key === undefined) {
      reading.diagnostics.push(
        unknownName(name, '', { source: name }, ['LIVEGRAD_CONFIG', ...variables]),
      );
    } else if (raw !== '' || key.fallback === '') {
      assign(reading, key, raw, { source: name });
    }
  }
}

/** Takes text for a setting: what is no text is read from it, or left for the schema to refuse. */
function assign(reading: Reading, key: ConfigKey, raw: string, origin: Origin): void {
  const trimmed = raw.trim();
  let value: unknown = raw;
  if (key.kind === 'number' && trimmed !== '' && Number.isFinite(Number(trimmed))) {
    value = Number(trimmed);
  } else if (key.kind === 'boolean' && (trimmed === 'true' || trimmed === 'false')) {
    value = trimmed === 'true';
  } else if (key.kind === 'list') {
    const items = raw.split(key.divider).filter((item) => item !== '');
    const isNumber = (item: string): boolean => item.trim() !== '' && Number.isFinite(Number(item));
    value =
      key.item === undefined ? items : items.map((item) => (isNumber(item) ? Number(item) : item));
  }
  place(reading, key, value, origin);
}

function place(reading: Reading, key: ConfigKey, value: unknown, origin: Origin): void {
  let node = reading.values;
  for (const part of key.path.slice(0, -1)) {
    node = (node[part] ??= {}) as Values;
  }
  node[key.path.at(-1) ?? ''] = value;
  reading.origins.set(key.key, origin);
}

// --- checks ----------------------------------------------------------------------------------

function check(reading: Reading, hasTokens?: ConfigSources['hasTokens']): Config | undefined {
  const parsed = configSchema.safeParse(reading.values);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const path = issue.path.map(String).join('.');
      // What is wrong in a list is an item of it.
      const key = CONFIG_KEYS.find((k) => path === k.key || path.startsWith(`${k.key}.`));
      const value = issue.path.reduce<unknown>(
        (node, part) => (node as Record<PropertyKey, unknown> | undefined)?.[part],
        reading.values,
      );
      const origin = originOf(reading, key?.key ?? path);
      const got = path === 'http.token' ? 'something else (not shown)' : show(value);
      reading.diagnostics.push(
        report(
          'CONFIG_INVALID',
          path,
          origin,
          expectedAt(path, key, issue.code) ?? issue.message,
          got,
        ),
      );
    }
  }
  checkTogether(reading, hasTokens);
  return parsed.success && reading.diagnostics.length === 0 ? parsed.data : undefined;
}

/** What belongs at the path of a problem: a value of its key, or an item of a list. */
function expectedAt(path: string, key: ConfigKey | undefined, code: string): string | undefined {
  if (key === undefined || path === key.key) return key?.expected;
  // The schema says it in words where an item has a format.
  return code === 'invalid_format' ? undefined : (key.item ?? 'text, not empty');
}

/** What a single key cannot tell. Looks at what was read, so that it reports beside other mistakes. */
function checkTogether(reading: Reading, hasTokens: ConfigSources['hasTokens']): void {
  const sections = reading.values as Record<'http' | 'audio' | 'osc', Values | undefined>;
  const { http = {}, audio = {}, osc = {} } = sections;
  const host = http['host'] ?? '127.0.0.1';
  const stateDir = reading.values['stateDir'] ?? '.livegrad';
  const isTokenless =
    (http['token'] ?? '') === '' &&
    !(typeof stateDir === 'string' && hasTokens?.(stateDir) === true);
  if (isTokenless && typeof host === 'string' && !isLoopback(host)) {
    reading.diagnostics.push(
      report(
        'CONFIG_TOKEN_REQUIRED',
        'http.host',
        originOf(reading, 'http.host'),
        'a loopback address while no token is set',
        show(host),
        'Make a token with "livegrad token add NAME --role admin", set http.token (LIVEGRAD_HTTP_TOKEN), or use 127.0.0.1.',
      ),
    );
  }
  const tls = (http['tls'] ?? {}) as Values;
  const named = (['cert', 'key'] as const).filter((file) => (tls[file] ?? '') !== '');
  if (named.length === 1) {
    const [has, lacks] = named[0] === 'cert' ? ['cert', 'key'] : ['key', 'cert'];
    reading.diagnostics.push(
      report(
        'CONFIG_TLS_INCOMPLETE',
        `http.tls.${lacks}`,
        originOf(reading, `http.tls.${has}`),
        `a file to go with http.tls.${has}`,
        'none',
        'HTTPS needs both a certificate and its key.',
      ),
    );
  }
  checkOsc(reading, osc);
  if (audio['backend'] === 'file' && audio['inputFile'] === undefined) {
    reading.diagnostics.push(
      report(
        'CONFIG_FILE_REQUIRED',
        'audio.inputFile',
        originOf(reading, 'audio.backend'),
        'a WAV file to play with the file backend',
        'none',
        'Set audio.inputFile (LIVEGRAD_AUDIO_INPUT_FILE).',
      ),
    );
  }
}

/** Datagrams have no token: who may send them is a list. */
function checkOsc(reading: Reading, osc: Values): void {
  const host = osc['host'] ?? '127.0.0.1';
  const allow = Array.isArray(osc['allow']) ? (osc['allow'] as unknown[]) : [];
  if (allow.length === 0 && typeof host === 'string' && !isLoopback(host)) {
    reading.diagnostics.push(
      report(
        'CONFIG_PEERS_REQUIRED',
        'osc.host',
        originOf(reading, 'osc.host'),
        'a loopback address while no peers are listed',
        show(host),
        'Set osc.allow to the addresses that may steer, or use 127.0.0.1.',
      ),
    );
  }
  const wrong = allow.find((peer) => typeof peer === 'string' && parseNetwork(peer) === undefined);
  if (wrong === undefined) return;
  const origin = originOf(reading, 'osc.allow');
  const expected = 'an IP address or a network (192.168.1.0/24)';
  reading.diagnostics.push(report('CONFIG_INVALID', 'osc.allow', origin, expected, show(wrong)));
}

const originOf = (reading: Reading, key: string): Origin =>
  reading.origins.get(key) ?? { source: 'configuration' };

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host === '[::1]';
}

function unknownName(
  name: string,
  path: string,
  origin: Origin,
  known: Iterable<string>,
): ConfigDiagnostic {
  const suggestion = nearest(name, known);
  const hint = suggestion === undefined ? undefined : `Did you mean ${suggestion}?`;
  return report('CONFIG_UNKNOWN_KEY', path, origin, 'a setting that exists', show(name), hint);
}

function missingValue(flag: string, key: ConfigKey | undefined): ConfigDiagnostic {
  const expected = key?.expected ?? 'a file';
  return report('CONFIG_MISSING_VALUE', key?.key ?? '', { source: flag }, expected, 'no value');
}

function report(
  code: keyof typeof CONFIG_CODES,
  path: string,
  origin: Origin,
  expected: string,
  got: string,
  hint?: string,
): ConfigDiagnostic {
  const where = origin.line === undefined ? origin.source : `${origin.source}:${origin.line}`;
  const what = path === '' ? '' : `${path}: `;
  return {
    code,
    path,
    message: `${where}  ${what}expected ${expected}, got ${got}`,
    source: origin.source,
    ...(origin.line === undefined ? {} : { line: origin.line }),
    expected,
    got,
    ...(hint === undefined ? {} : { hint }),
  };
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const json = JSON.stringify(value);
  return json.length > 80 ? `${json.slice(0, 77)}...` : json;
}
