/**
 * PATCH as a person writes it, a shipped example's name or a file, to a checked Patch. A file is a
 * document in JSON, or a Faust program (`.dsp`).
 *
 * Invariant: an example's name wins; a file of the same name is `./gain`. Every finding about a file
 * carries the file and, as far as it has one, the line. libfaust is loaded for Faust programs alone.
 * It does not compile: what depends on the sample rate is said later, and located with `locateIn`.
 */

import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseDocument } from 'yaml';
import { EXAMPLES } from '../../dsp/examples/index.ts';
import { nearest } from '../../dsp/diagnostic.ts';
import type { Diagnostic } from '../../dsp/diagnostic.ts';
import { sourceOf } from '../../dsp/patch/faust.ts';
import { parsePatch } from '../../dsp/patch/schema.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import { documentIn, isFaustFile } from '../../server/control/patch-file.ts';
import { finding } from './answer.ts';
import type { Finding } from './answer.ts';
import { evaluate, foldersIn } from './faust.ts';
import type { FolderOptions } from './faust.ts';
import { keysOf, locator, positions } from '../sdk/json-position.ts';

export interface PatchSource {
  readonly patch: Patch;
  /** Absent for a shipped example. */
  readonly file?: string;
  readonly text?: string;
}

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly findings: readonly Finding[] };

export const bad = (
  ...findings: readonly Finding[]
): { ok: false; findings: readonly Finding[] } => ({
  ok: false,
  findings,
});

export interface ReadOptions extends FolderOptions {
  /** In which a program is evaluated, whatever it says. */
  readonly precision?: Patch['precision'];
}

/** @param options  where a Faust program may read, besides the folder of its file */
export async function readPatch(
  name: string,
  options: ReadOptions = {},
): Promise<Read<PatchSource>> {
  const read = readDocument(name);
  if (!read.ok) return read;
  const { document, ...source } = read.value;
  if (source.file === undefined) return { ok: true, value: { patch: document as Patch } };
  const { precision } = options;
  const parsed =
    sourceOf(document) === undefined
      ? parsePatch(document)
      : await evaluate(
          precision === undefined ? document : { ...(document as object), precision },
          foldersIn(options, dirname(source.file)),
        );
  if (!parsed.ok) return bad(...locateIn(source, parsed.diagnostics));
  return { ok: true, value: { patch: parsed.value, ...source } };
}

/** The document of a patch, with nothing checked but its JSON. */
export interface DocumentSource extends Omit<PatchSource, 'patch'> {
  readonly document: unknown;
}

export function readDocument(name: string): Read<DocumentSource> {
  const example = Object.hasOwn(EXAMPLES, name) ? EXAMPLES[name] : undefined;
  if (example !== undefined) return { ok: true, value: { document: example } };

  const read = readText(name);
  if (!read.ok) return read;
  const source = { file: name, text: read.value };
  if (isFaustFile(name)) {
    const document = documentIn(read.value, name);
    return document.ok
      ? { ok: true, value: { document: document.value, ...source } }
      : bad(...locateIn(source, document.diagnostics));
  }
  const json = parseJson(name, read.value);
  if (!json.ok) return json;
  const twice = repeatedKeys(name, read.value);
  if (twice.length > 0) return bad(...twice);
  return { ok: true, value: { document: json.value, ...source } };
}

/** Adds file and line to diagnostics of a patch that came from a file. */
export function locateIn(
  source: Pick<PatchSource, 'file' | 'text'>,
  diagnostics: readonly Diagnostic[],
): Finding[] {
  const { file, text } = source;
  if (file === undefined || text === undefined) return [...diagnostics];
  if (isFaustFile(file)) return diagnostics.map((d) => locateInProgram(file, text, d));
  const locate = locator(text);
  return diagnostics.map((d) => {
    const within = d.line === undefined ? '' : ` (line ${d.line} of the program)`;
    return { ...d, message: `${d.message}${within}`, file, ...locate(keysOf(d.path)) };
  });
}

/** Its source is the file: what is said of the source is said of the file. */
function locateInProgram(file: string, text: string, found: Diagnostic): Finding {
  const { line } = found;
  const path = found.path === 'faust.code' ? '' : found.path;
  const excerpt = line === undefined ? undefined : text.split(/\r?\n/u)[line - 1];
  return { ...found, path, file, ...(excerpt === undefined ? {} : { excerpt }) };
}

function readText(name: string): Read<string> {
  try {
    return { ok: true, value: readFileSync(name, 'utf8').replace(/^\uFEFF/u, '') };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') {
      const got = code === 'EISDIR' ? 'a directory' : message;
      return bad(
        finding(
          'CLI_PATCH_UNREADABLE',
          name,
          `cannot read ${name}: expected a patch file, got ${got}`,
        ),
      );
    }
    const examples = Object.keys(EXAMPLES);
    const near = nearest(name, examples);
    return bad(
      finding(
        'CLI_PATCH_UNKNOWN',
        name,
        `no patch "${name}": expected a file that exists, or one of the examples ${examples.join(', ')}`,
        near === undefined ? undefined : `did you mean "${near}"?`,
      ),
    );
  }
}

function parseJson(file: string, text: string): Read<unknown> {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    const what = messageOf(error).replace(/,? in JSON at position.*|, (\.\.\.)?".*/s, '');
    return bad({
      ...finding('CLI_PATCH_SYNTAX', '', `expected a JSON document: ${what}`),
      file,
      ...positions(text)(syntaxErrorAt(text)),
    });
  }
}

/** Keys that stand twice in one object: JSON takes the last in silence, a person meant both. */
function repeatedKeys(file: string, text: string): Finding[] {
  const { errors } = parseDocument(text, { uniqueKeys: true, strict: false });
  return errors
    .filter(({ code }) => code === 'DUPLICATE_KEY')
    .map(({ pos }) => {
      const key = /^"((?:[^"\\]|\\.)*)"/u.exec(text.slice(pos[0]))?.[1] ?? '';
      return {
        ...finding('CLI_PATCH_SYNTAX', '', `"${key}" stands twice in the same object`),
        file,
        ...positions(text)(pos[0]),
      };
    });
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/**
 * Where text stops being JSON. Not every message of JSON.parse says it, so the longest beginning
 * that could still become JSON is searched for by bisection: about twenty parses for a megabyte.
 */
function syntaxErrorAt(text: string): number {
  const couldGoOn = (length: number): boolean => {
    try {
      JSON.parse(text.slice(0, length));
      return true;
    } catch (error) {
      const said = messageOf(error);
      const at = /at position (\d+)/.exec(said)?.[1];
      if (at !== undefined) return Number(at) >= length || said.startsWith('Unterminated');
      return said.includes('end of JSON input');
    }
  };
  let good = 0;
  for (let wrong = text.length + 1; wrong - good > 1;) {
    const middle = Math.floor((good + wrong) / 2);
    if (couldGoOn(middle)) good = middle;
    else wrong = middle;
  }
  return good;
}
