/**
 * Builds the native audio binding (naudiodon's N-API addon) against a PortAudio that fits the
 * machine, once per version, processor and PortAudio.
 *
 * The package brings PortAudio for x86-64 only, so the system's libportaudio.so.2 replaces that
 * copy wherever there is one: it is needed on 64-bit Arm, and elsewhere it adds JACK. Without a
 * binding the daemon still runs, on its virtual device: a failure is said, remembered and not
 * tried again until something changes or `npm run setup` is called.
 *
 * One N-API build loads on Node 20 and 24; it is checked by loading it in a child process.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { headersOf } from './node.mjs';
import { runNpm } from './packages.mjs';
import { BUILD, ROOT, say, which } from './paths.mjs';
import { canInstallSystemPackages, installSystemPackages } from './system.mjs';

const PACKAGE = join(ROOT, 'node_modules', 'naudiodon');
export const BINDING = join(PACKAGE, 'build', 'Release', 'naudiodon.node');
const BUNDLED = join(PACKAGE, 'portaudio', 'bin', 'libportaudio.so.2');
const ORIGINAL = `${BUNDLED}.bundled`;
const STAMP = join(PACKAGE, 'build', 'livegrad.json');
const FAILURE = join(BUILD, 'native-failure.json');
const LOG = join(BUILD, 'native.log');

/** @type {Record<string, string | undefined>} processor -> Debian's name for its libraries */
const TRIPLETS = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/** @typedef {{ ok: true } | { ok: false, reason: string }} Outcome */

/** @returns {string | null} the system's PortAudio, if it has one */
export function systemPortAudio() {
  if (process.platform !== 'linux') return null;
  const triplet = TRIPLETS[process.arch];
  const folders = ['/usr/local/lib', '/usr/lib64', '/usr/lib'];
  if (triplet !== undefined) folders.unshift(`/usr/lib/${triplet}`);
  for (const folder of folders) {
    const file = join(folder, 'libportaudio.so.2');
    if (existsSync(file)) return realpathSync(file);
  }
  return null;
}

/**
 * What a build depends on, as text: equal text, equal build.
 *
 * @param {string | null} portAudio
 * @returns {string}
 */
function fingerprint(portAudio) {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const { size = 0, mtimeMs = 0 } = portAudio === null ? {} : statSync(portAudio);
  return JSON.stringify({
    package: lock.packages['node_modules/naudiodon']?.integrity ?? '',
    platform: `${process.platform}-${process.arch}`,
    portAudio: portAudio === null ? 'bundled' : `${portAudio} ${size} ${Math.trunc(mtimeMs)}`,
  });
}

/**
 * @param {string} file
 * @returns {{ fingerprint?: string, reason?: string }}
 */
function readStamp(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}

/** @returns {string[]} the programs that a native build needs and this machine lacks */
export function missingBuildTools() {
  const missing = [];
  if (which('python3') === null && which('python') === null) missing.push('python3');
  if (which('make') === null) missing.push('make');
  if (which('g++') === null && which('c++') === null && which('clang++') === null) {
    missing.push('g++');
  }
  return missing;
}

/**
 * What is known about the binding without building it.
 *
 * @returns {Outcome | null} null when a build has to be tried
 */
export function knownOutcome() {
  const wanted = fingerprint(systemPortAudio());
  if (existsSync(BINDING) && readStamp(STAMP).fingerprint === wanted) return { ok: true };
  const { fingerprint: failed, reason } = readStamp(FAILURE);
  if (failed !== wanted || reason === undefined) return null;
  // Missing programs may have been installed since; anything else fails the same way again.
  if (reason.startsWith('missing ') && missingBuildTools().length === 0) return null;
  return { ok: false, reason };
}

/**
 * Builds the binding and remembers the outcome.
 *
 * @param {string} node the Node that will load it
 * @returns {Outcome}
 */
export function buildNative(node) {
  const outcome = buildFor(node);
  const stamp = fingerprint(systemPortAudio());
  mkdirSync(BUILD, { recursive: true });
  if (outcome.ok) {
    writeFileSync(STAMP, JSON.stringify({ fingerprint: stamp }));
    rmSync(FAILURE, { force: true });
  } else {
    writeFileSync(FAILURE, JSON.stringify({ fingerprint: stamp, reason: outcome.reason }));
  }
  return outcome;
}

/**
 * @param {string} node
 * @returns {Outcome}
 */
function buildFor(node) {
  if (!existsSync(PACKAGE)) return { ok: false, reason: 'the package naudiodon is not installed' };
  const missing = missingBuildTools();
  if (missing.length > 0) return { ok: false, reason: `missing ${missing.join(', ')}` };
  const needsSystem = process.platform === 'linux' && process.arch !== 'x64';
  if (needsSystem && systemPortAudio() === null) {
    if (!canInstallSystemPackages() || !installSystemPackages(['libportaudio2'])) {
      return {
        ok: false,
        reason: `missing libportaudio2: PortAudio for ${process.arch} comes from the system`,
      };
    }
  }
  const outcome = build(node);
  if (outcome.ok || process.platform !== 'linux' || systemPortAudio() !== null) return outcome;
  // The bundled PortAudio needs ALSA's library; Debian's package brings both.
  if (!canInstallSystemPackages() || !installSystemPackages(['libportaudio2'])) return outcome;
  return build(node);
}

/**
 * @param {string} node
 * @returns {Outcome}
 */
function build(node) {
  const portAudio = systemPortAudio();
  say(`building the audio binding against ${portAudio ?? "the package's own PortAudio"} ...`);
  rmSync(join(PACKAGE, 'build'), { recursive: true, force: true });
  if (process.platform === 'linux') {
    if (!existsSync(ORIGINAL)) copyFileSync(BUNDLED, ORIGINAL);
    copyFileSync(portAudio ?? ORIGINAL, BUNDLED);
  }
  const headers = headersOf(node);
  const { status, output } = runNpm(['rebuild', 'naudiodon', '--ignore-scripts=false'], {
    capture: true,
    env: headers === null ? {} : { npm_config_nodedir: headers },
  });
  mkdirSync(BUILD, { recursive: true });
  writeFileSync(LOG, output);
  if (status !== 0 || !existsSync(BINDING)) {
    return { ok: false, reason: `the build failed, its output is in ${LOG}` };
  }
  const load = spawnSync(node, ['-e', 'require(process.argv[1])', BINDING], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (load.status === 0) return { ok: true };
  const why = /Error: (.*)/.exec(load.stderr ?? '')?.[1] ?? `status ${load.status ?? load.signal}`;
  return { ok: false, reason: `the binding was built but does not load: ${why}` };
}
