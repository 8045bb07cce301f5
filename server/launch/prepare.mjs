/**
 * Set-up in one call: packages, a Node that is new enough, the native audio binding, the dashboard.
 *
 * Every command of package.json comes through here. When all is in place it costs a few
 * milliseconds and prints nothing. Two set-ups at once take turns.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildDashboard, knownDashboard } from './dashboard.mjs';
import { findNode } from './node.mjs';
import { buildNative, knownOutcome } from './native.mjs';
import { ensurePackages, packagesMatch } from './packages.mjs';
import { BUILD, ROOT, say } from './paths.mjs';

/** @typedef {import('./packages.mjs').Need} Need */

/** @typedef {'no' | 'yes' | 'retry'} Part 'retry' makes it even where that failed before */

/**
 * @param {{ need: Need, host: Part }} options host: what only the daemon needs, its audio binding
 *   and its dashboard
 * @returns {{ node: string, native: boolean } | null} null when nothing can run; the reason has
 *   been said. `native` is false when the daemon has to do without audio hardware.
 */
export function prepare({ need, host }) {
  const isDue = (/** @type {unknown} */ known) =>
    host === 'retry' || (host === 'yes' && known === null);
  // The usual case takes no lock and writes nothing: the checkout may be read-only.
  if (!packagesMatch(ROOT, need) || isDue(knownOutcome()) || isDue(knownDashboard())) {
    const release = lock();
    try {
      if (!ensurePackages(need)) return null;
      const found = findNode();
      if (found.ok && isDue(knownOutcome())) buildNative(found.node);
      if (found.ok && isDue(knownDashboard())) buildDashboard(found.node);
    } finally {
      release();
    }
  }
  const found = findNode();
  if (!found.ok) {
    say(found.reason);
    return null;
  }
  if (host === 'no') return { node: found.node, native: false };
  const outcome = knownOutcome() ?? { ok: false, reason: 'it was not built' };
  if (!outcome.ok) {
    say(`no audio hardware, only the virtual device: ${outcome.reason}`);
    say("  it takes python3, make, g++ and libportaudio2; then 'npm run setup'");
  }
  const dashboard = knownDashboard();
  if (dashboard?.ok === false) say(`no dashboard, only the page of the API: ${dashboard.reason}`);
  return { node: found.node, native: outcome.ok };
}

/**
 * Waits until no other set-up of this checkout runs. A lock whose owner is gone is taken over.
 *
 * @returns {() => void} gives the lock back
 */
function lock() {
  const file = join(BUILD, 'setup.lock');
  mkdirSync(BUILD, { recursive: true });
  let waiting = false;
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    if (!ownerLives(file)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!waiting) say('waiting for another set-up of this folder to finish ...');
    waiting = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

/**
 * @param {string} file
 * @returns {boolean}
 */
function ownerLives(file) {
  try {
    const owner = Number(readFileSync(file, 'utf8'));
    // An empty file belongs to an owner that is just about to write its id.
    if (owner === 0) return true;
    process.kill(owner, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
