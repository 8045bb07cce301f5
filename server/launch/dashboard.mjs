/**
 * Bundles the dashboard for browsers into `.build/dashboard`, which the daemon serves, once per
 * state of its sources. `npm run build` bundles it whatever there is.
 *
 * A bundle is made beside the old one and takes its place when it is whole. A failure is said,
 * remembered and not tried again until a source changes or `npm run setup` is called: the daemon
 * does without, and leads from `/` to the page of its API. Cost: under a second; 5 ms to see that
 * nothing is to be done.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUILD, ROOT, say } from './paths.mjs';

/** @typedef {{ ok: true } | { ok: false, reason: string }} Outcome */

const SELF = fileURLToPath(import.meta.url);
const SOURCES = join(ROOT, 'clients', 'dashboard');
const BUNDLE = join(BUILD, 'dashboard');
const FRESH = join(BUILD, 'dashboard.new');
const STAMP = join(BUILD, 'dashboard.json');
const LOG = join(BUILD, 'dashboard.log');
/** The rooms whose files end up in the bundle. */
const ROOMS = ['clients/dashboard', 'clients/sdk', 'server/api'];

/**
 * What a bundle depends on: equal text, equal bundle.
 *
 * @returns {string}
 */
function fingerprint() {
  const hash = createHash('sha256');
  const rooms = ROOMS.filter((room) => existsSync(join(ROOT, room)));
  const sources = rooms.flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(tsx?|css|html)$/.test(name))
      .map((name) => join(ROOT, room, name))
      .sort(),
  );
  for (const file of [SELF, join(ROOT, 'package-lock.json'), ...sources]) {
    hash.update(`${file.slice(ROOT.length)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

const NO_BUNDLER = 'the package vite is not installed';
const bundlerIsHere = () => existsSync(join(ROOT, 'node_modules', 'vite'));

/**
 * What is known about the bundle without making it.
 *
 * @returns {Outcome | null} null when it has to be made
 */
export function knownDashboard() {
  try {
    const { fingerprint: made, reason } = JSON.parse(readFileSync(STAMP, 'utf8'));
    if (made !== fingerprint()) return null;
    if (reason === NO_BUNDLER && bundlerIsHere()) return null;
    if (reason !== undefined) return { ok: false, reason };
    return existsSync(join(BUNDLE, 'index.html')) ? { ok: true } : null;
  } catch {
    return null;
  }
}

/**
 * Bundles it in a process of its own, and remembers the outcome.
 *
 * @param {string} node a Node that the bundler runs on
 * @returns {Outcome}
 */
export function buildDashboard(node) {
  mkdirSync(BUILD, { recursive: true });
  const made = fingerprint();
  const outcome = bundleWith(node);
  writeFileSync(STAMP, JSON.stringify({ fingerprint: made, ...outcome }));
  return outcome;
}

/**
 * @param {string} node
 * @returns {Outcome}
 */
function bundleWith(node) {
  if (!existsSync(SOURCES)) return { ok: false, reason: 'its sources are not here' };
  if (!bundlerIsHere()) return { ok: false, reason: NO_BUNDLER };
  const { status, stdout, stderr } = spawnSync(node, [SELF], { encoding: 'utf8' });
  writeFileSync(LOG, `${stdout ?? ''}${stderr ?? ''}`);
  if (status === 0) return { ok: true };
  return { ok: false, reason: `the bundler failed, its output is in ${LOG}` };
}

/** Bundles it in this process. */
async function bundle() {
  const { build } = await import('vite');
  await build({
    configFile: false,
    logLevel: 'warn',
    root: SOURCES,
    // Whatever environment it is made in: places of sources in every element weigh 5 kB.
    mode: 'production',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact', development: false } },
    build: {
      outDir: FRESH,
      emptyOutDir: true,
      target: 'es2023',
      modulePreload: { polyfill: false },
    },
  });
  rmSync(BUNDLE, { recursive: true, force: true });
  renameSync(FRESH, BUNDLE);
}

if (process.argv[1] === SELF) {
  const made = fingerprint();
  await bundle();
  writeFileSync(STAMP, JSON.stringify({ fingerprint: made, ok: true }));
  say(`the dashboard is in ${BUNDLE}`);
}
