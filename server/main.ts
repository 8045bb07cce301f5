/**
 * The daemon: configuration, log, session, engine, HTTP, in this order; and the way back on SIGTERM
 * or SIGINT.
 *
 * Invariants: what is wrong with the configuration or the patch is printed in full and nothing is
 * started; the port is taken before the audio device, so that a second daemon never disturbs the
 * first; at the end the session is on disk and no process is left behind. Standard output gets one
 * plain line, the log goes to standard error.
 */

import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import writeFileAtomic from 'write-file-atomic';
import { rateIn, type Config } from '../config/schema.ts';
import {
  DEFAULT_FILE,
  isLoopback,
  loadConfig,
  printConfigDiagnostics,
  printConfigHelp,
  type LoadedConfig,
} from '../config/load.ts';
import { printDiagnostics, type Diagnostic, type Result } from '../dsp/diagnostic.ts';
import { EXAMPLES } from '../dsp/examples/index.ts';
import { parsePatch, type Patch } from '../dsp/patch/schema.ts';
import { Compiler } from './compile/compiler.ts';
import { Access } from './control/access.ts';
import { Audition } from './control/audition.ts';
import { ChannelFile, type Channels } from './control/channel-file.ts';
import { createApp, type App } from './control/app.ts';
import { EventTail } from './control/event-tail.ts';
import { FileWatch } from './control/file-watch.ts';
import { History } from './control/history/history.ts';
import { libraryFiles } from './control/library-files.ts';
import { createLog, type Log } from './control/log.ts';
import { LogTail } from './control/log-tail.ts';
import type { Machine } from './control/machine.ts';
import { Metrics } from './control/metrics.ts';
import { Morph } from './control/morph.ts';
import { documentIn, isFaustFile, readPatchFile } from './control/patch-file.ts';
import { Recordings, type RecordingEngine } from './control/recordings.ts';
import { Session, type Engine } from './control/session.ts';
import { Signals, type SignalEngine } from './control/signals.ts';
import { snapshotFiles } from './control/snapshot-files.ts';
import { Settings, type SettingsFile } from './control/settings.ts';
import { Store } from './control/store.ts';
import { readCertificate } from './control/tls.ts';
import { readTokens, tokenFile } from './control/tokens.ts';
import { listDevices, Supervisor } from './engine/supervisor.ts';
import { Notifier } from './notify.ts';
import { mappingFiles } from './midi/files.ts';
import { Midi } from './midi/midi.ts';
import { openPorts } from './midi/ports.ts';
import { openOsc, type OscServer } from './osc/server.ts';
import type { EngineEvent, EngineStatus, Measurement, Picture } from './engine/types.ts';

/** Of sysexits.h: the configuration is wrong. */
const EX_CONFIG = 78;
const EX_UNAVAILABLE = 69;
/** Characters of a token that somebody made up, below which it may be guessed. */
const SAFE_LENGTH = 16;

const { version: VERSION } = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8'),
) as { version: string };

const argv = process.argv.slice(2);

/** File, variables and flags, as they are now, or with another text of the file. */
function readConfig(text?: string): Result<LoadedConfig> {
  const hasTokens = (stateDir: string): boolean => {
    const tokens = readTokens(stateDir);
    // A file that cannot be read is told as such where it is used.
    return !tokens.ok || tokens.value.length > 0;
  };
  const other = text === undefined ? {} : { readFile: () => text };
  return loadConfig({ argv, env: process.env, hasTokens, ...other });
}

async function run({ config, file: settingsFile }: LoadedConfig): Promise<void> {
  const tokens = readTokens(config.stateDir);
  if (!tokens.ok) {
    stopWith(EX_CONFIG, printDiagnostics(tokens.diagnostics));
    return;
  }
  const { tls } = config.http;
  const certificate = tls.cert === '' ? undefined : readCertificate(tls);
  if (certificate?.ok === false) {
    stopWith(EX_CONFIG, printDiagnostics(certificate.diagnostics));
    return;
  }
  const read = readPatch(config.patch);
  if (!read.ok) {
    stopWith(EX_CONFIG, unusable(config.patch, read.diagnostics));
    return;
  }
  const { document, patch, file } = read.value;
  const folders = foldersOf(config.faust, file);
  const compiler = new Compiler(folders);
  const { audio } = config;
  const fitting = { sampleRate: rateIn(audio), maxBlock: audio.blockSize, latency: 0 };
  const compiled = await compiler.compile(document, fitting);
  if (compiled.kind === 'refused') {
    stopWith(EX_CONFIG, unusable(config.patch, compiled.diagnostics));
    return;
  }
  const configured = compiled.kind === 'compiled' ? compiled.patch : patch;
  const logs = new LogTail();
  const log = createLog(config.log, logs);
  const store = new Store(config.stateDir, document, log, file);
  const restored = store.restore();
  const channels = new ChannelFile(config.stateDir, config.audio, log);
  const { inputMap, outputMap } = channels.read();
  const settled = { ...config.audio, inputMap: [...inputMap], outputMap: [...outputMap] };
  // The engine reports to the session, and the session steers the engine.
  const events = new EventTail();
  const engine: Engine & SignalEngine & RecordingEngine = new Supervisor({
    audio: settled,
    revectorize: config.engine.revectorize,
    lookback: config.recordings.lookback,
    log,
    onStatus: (status) => session.onStatus(status),
    onMeasurement: (measurement: Measurement) => {
      session.onMeasurement(measurement);
      audition.feed(measurement);
      history.feed(session.state, measurement);
      app.sockets.feed(measurement);
    },
    onPicture: (picture: Picture) => app.sockets.show(picture),
    onEvent: (event) => {
      logEvent(log, event);
      events.write(event);
    },
  });
  const history = new History({
    stateDir: config.stateDir,
    log,
    tell: (change) => void session.announce('history.changed', change, undefined),
  });
  const metrics = new Metrics(VERSION);
  const session = new Session({
    engine,
    compiler: metrics.timed(compiler),
    audio: settled,
    log,
    version: VERSION,
    patch: restored?.patch ?? configured,
    file: restored === undefined || restored.isFile ? file : undefined,
    kept: restored?.kept,
  });
  const audition = new Audition(session);
  const { token, origins, rateLimit } = config.http;
  const isLocal = isLoopback(config.http.host);
  const access = new Access({ token, tokens: tokens.value, isLocal, origins });
  const watches: FileWatch[] = [];
  const admit = ({ http }: Config): void => access.configure(http);
  const take: (map: Parameters<Machine['mapChannels']>[0]) => void = (map) => {
    const mapped = session.machine.mapChannels(map, undefined);
    if (!mapped.ok) log.error(mapped.problem.detail);
  };
  const settings = new Settings({
    config,
    log,
    load: readConfig,
    file: configFile(settingsFile ?? DEFAULT_FILE),
    live: {
      'http.token': admit,
      'http.origins': admit,
      'http.rateLimit': ({ http }) => app.limit(http.rateLimit),
      'audio.inputMap': ({ audio: { inputMap: inputs } }) => take({ inputs }),
      'audio.outputMap': ({ audio: { outputMap: outputs } }) => take({ outputs }),
      'log.level': ({ log: { level } }) => void (log.level = level),
    },
    restart: (audio) => session.select(audio, undefined),
  });
  const { enabled: hasMidi, ...ports } = config.midi;
  const midi = new Midi({
    session,
    log,
    files: mappingFiles(config.stateDir, log),
    open: hasMidi ? (listener) => openPorts(ports, log, listener) : undefined,
    hasOutputs: ports.outputs.length > 0,
  });
  const operations = {
    session,
    log,
    settings,
    snapshots: snapshotFiles(config.stateDir, log),
    library: libraryFiles(config.stateDir, log),
    morph: new Morph(session),
    audition,
    history,
    logs,
    events,
    signals: new Signals(engine, session),
    midi,
    recordings: new Recordings({
      engine,
      session,
      stateDir: config.stateDir,
      log,
      maxBytes: config.recordings.maxMegabytes * 1e6,
    }),
    listDevices: coalesced(listDevices),
    keepChannels: (map: Channels) => channels.write(map),
    // As a service manager would, when the answer is on its way.
    shutDown: () => void setTimeout(() => process.kill(process.pid, 'SIGTERM'), 100),
  };
  const app = await createApp(operations, {
    access,
    rateLimit,
    certificate: certificate?.value,
    version: VERSION,
    metrics,
  });

  const notifier = new Notifier(log);
  let osc: OscServer | undefined;

  closeWithGrace({ delay: 8000, logger: log }, async ({ err, signal }) => {
    if (err) log.fatal({ err }, 'the daemon failed');
    else log.info(`${signal ?? 'end'}: shutting down`);
    const told = notifier.stopping();
    for (const watch of watches) watch.close();
    store.stop();
    await Promise.all([
      store.save(audition.lasting),
      history.close(),
      operations.recordings.close(),
    ]);
    await Promise.all([
      osc?.close(),
      midi.close(),
      app.http.close(),
      engine.stop(),
      compiler.stop(),
      told,
    ]);
  });

  watches.push(...watchSecrets(config, access, app, log));
  const { host, port } = config.http;
  let address: string;
  try {
    address = await app.http.listen({ host, port });
  } catch (error) {
    stopWith(EX_UNAVAILABLE, listenProblem(error as NodeJS.ErrnoException, host, port));
    process.exit();
  }
  if (config.osc.enabled) {
    try {
      osc = await openOsc(operations, config.osc);
    } catch (error) {
      stopWith(EX_UNAVAILABLE, oscProblem(error as NodeJS.ErrnoException, config.osc));
      process.exit();
    }
    metrics.countOsc(osc.counts);
    log.info({ host: config.osc.host, port: osc.port }, 'OSC over UDP, OSCQuery over HTTP');
  }
  await midi.start();
  if (!isLocal && certificate === undefined) {
    log.warn('tokens travel in the clear: set http.tls.cert and http.tls.key for HTTPS');
  }
  if (!isLocal && token !== '' && token.length < SAFE_LENGTH) {
    log.warn('http.token is short enough to be guessed: "livegrad token add" makes better ones');
  }
  if (restored !== undefined) {
    log.info({ step: restored.kept.step }, 'going on with the saved session');
  }
  let opened = await session.open();
  if (!opened.ok && restored !== undefined) {
    store.setAside(opened.problem.detail);
    opened = await session.setPatch(document, undefined, file);
  }
  if (!opened.ok) log.error({ diagnostics: opened.problem.diagnostics }, opened.problem.detail);
  if (restored?.isEdited === true && file !== undefined) {
    await session.reload({ ok: true, value: document }, file);
  }
  if (file !== undefined) {
    watches.push(
      new FileWatch({
        file,
        folders: isFaustFile(file) ? [...config.faust.libraries, ...config.faust.sounds] : [],
        onSave: (text) => session.reload(text.ok ? documentIn(text.value, file) : text, file),
      }),
    );
  }
  if (settingsFile !== undefined) {
    // One that is gone says nothing: it does not ask for all defaults.
    const onSave = async (text: Result<string>): Promise<void> => {
      if (text.ok) await settings.reload();
      else log.warn(`${settingsFile} is gone: going on with what was there before`);
    };
    watches.push(new FileWatch({ file: settingsFile, onSave }));
  }
  store.follow(() => audition.lasting);
  const line = announce(session, reachable(address, host));
  console.log(line);
  await notifier.ready(line);
}

/** Tokens and certificates that change are used at once; faulty ones leave those of before. */
function watchSecrets(config: Config, access: Access, app: App, log: Log): FileWatch[] {
  const { tls } = config.http;
  const follow = <T>(file: string, read: () => Result<T>, use: (found: T) => void): FileWatch =>
    new FileWatch({
      file,
      onSave: async () => {
        const found = read();
        if (found.ok) use(found.value);
        else
          log.error(`${printDiagnostics(found.diagnostics)}; going on with what was there before`);
      },
    });
  const pair = tls.cert === '' ? [] : [tls.cert, tls.key];
  const watches = [
    follow(
      tokenFile(config.stateDir),
      () => readTokens(config.stateDir),
      (tokens) => {
        access.keep(tokens);
        log.info(`tokens were read again: ${tokens.length}`);
      },
    ),
    ...pair.map((file) =>
      follow(
        file,
        () => readCertificate(tls),
        (certificate) => {
          app.certify(certificate);
          log.info('the certificate was read again');
        },
      ),
    ),
  ];
  // One that came while the daemon started was heard by nobody.
  const tokens = readTokens(config.stateDir);
  if (tokens.ok) access.keep(tokens.value);
  return watches;
}

/** Keeps its rights and owner when it is changed. */
const configFile = (path: string): SettingsFile => ({
  get name() {
    return existsSync(path) ? basename(path) : null;
  },
  async read() {
    return existsSync(path) ? readFile(path, 'utf8') : '';
  },
  write: (text) => writeFileAtomic(path, text),
});

/** One listing at a time, however many ask: each is a process. */
function coalesced<T>(list: () => Promise<T>): () => Promise<T> {
  let listing: Promise<T> | undefined;
  return () => (listing ??= list().finally(() => (listing = undefined)));
}

/** The address as others reach it, where it listens on every address of the machine. */
function reachable(address: string, host: string): string {
  const isAny = host === '0.0.0.0' || host === '::';
  return isAny ? address.replace(/\/\/[^/]*:/u, `//${hostname()}:`) : address;
}

/** livegrad 0.1.0 at http://127.0.0.1:8440 learns "gain" on virtual rig, 48000 Hz, 256 frames */
function announce(session: Session, address: string): string {
  const { engine, patch, training, version } = session.status();
  const device = engine.device === null ? 'no device yet' : deviceName(engine.device);
  const muted = engine.muted ? ', output muted' : '';
  const verb = training.running ? 'learns' : 'plays';
  return (
    `livegrad ${version} at ${address} ${verb} "${patch}" on ${device}` +
    ` (${engine.backend}, ${engine.sampleRate} Hz, ${engine.blockSize} frames)${muted}`
  );
}

function deviceName({ input, output }: NonNullable<EngineStatus['device']>): string {
  return input === output ? input : `${input} -> ${output}`;
}

/** What the configuration names. */
interface Configured {
  readonly document: unknown;
  /** The document, checked as far as that goes without evaluating a program. */
  readonly patch: Patch;
  readonly file?: string;
}

/** A shipped example by its name, or else a file. */
function readPatch(name: string): Result<Configured> {
  const example = Object.hasOwn(EXAMPLES, name) ? EXAMPLES[name] : undefined;
  if (example !== undefined) return { ok: true, value: { document: example, patch: example } };
  const document = readPatchFile(name);
  if (!document.ok) {
    const known = Object.keys(EXAMPLES).join(', ');
    const reason = document.diagnostics[0]?.message;
    const message = `expected one of ${known}, or a file in JSON or Faust (.dsp); got ${reason}`;
    return { ok: false, diagnostics: [{ code: 'PATCH_UNREADABLE', path: '', message }] };
  }
  const patch = parsePatch(document.value);
  if (!patch.ok) return patch;
  // What a JSON file means is its patch, however it is written.
  const meant = isFaustFile(name) ? document.value : patch.value;
  return { ok: true, value: { document: meant, patch: patch.value, file: name } };
}

/** Where programs may read: the folder of the one that is configured, too. */
function foldersOf({ libraries, sounds }: Config['faust'], file?: string): Config['faust'] {
  if (file === undefined || !isFaustFile(file)) return { libraries, sounds };
  const own = dirname(file);
  return { libraries: [...libraries, own], sounds: [...sounds, own] };
}

/** Why a patch cannot be started with: what is wrong with the text of a file has its line. */
function unusable(name: string, diagnostics: readonly Diagnostic[]): string {
  const reasons = diagnostics.map((found) => {
    const { line, ...rest } = found;
    const text = printDiagnostics([line === undefined ? found : { ...rest, path: '' }]);
    return line === undefined ? text : `${name}:${line}: ${text}`;
  });
  return `the patch "${name}" cannot be used\n${reasons.join('\n')}`;
}

function listenProblem(error: NodeJS.ErrnoException, host: string, port: number): string {
  const change = 'Choose another with --http-port N, LIVEGRAD_HTTP_PORT=N or http.port in the file';
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} of ${host} is in use, perhaps by another livegrad.\n${change} (0 takes any).`;
    case 'EACCES':
      return `port ${port} of ${host} needs more rights than this user has.\n${change}.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `this machine has no address ${host}: set --http-host or LIVEGRAD_HTTP_HOST.`;
    default:
      return `cannot listen on ${host}, port ${port}: ${error.message}`;
  }
}

function oscProblem({ code, message }: NodeJS.ErrnoException, osc: Config['osc']): string {
  const { host, port } = osc;
  const what = code === 'EADDRINUSE' ? `port ${port} of ${host} is in use` : message;
  const change =
    'Choose another with --osc-port N or LIVEGRAD_OSC_PORT=N, or set --no-osc-enabled.';
  return `cannot speak OSC: ${what}.\n${change}`;
}

function logEvent(log: Log, { kind, message }: EngineEvent): void {
  const serious = kind === 'crashed' || kind === 'hung';
  if (serious) log.error({ kind }, message);
  else if (
    kind === 'realtime' ||
    kind === 'revectorized' ||
    kind === 'device-returned' ||
    kind === 'ended'
  ) {
    log.info({ kind }, message);
  } else log.warn({ kind }, message);
}

function stopWith(code: number, message: string): void {
  console.error(message);
  process.exitCode = code;
}

if (argv.includes('--help')) {
  console.log(`livegrad ${VERSION}\n\n${printConfigHelp()}`);
} else {
  const loaded = readConfig();
  if (loaded.ok) await run(loaded.value);
  else stopWith(EX_CONFIG, printConfigDiagnostics(loaded.diagnostics));
}
