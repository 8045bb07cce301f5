/**
 * Brings node_modules to what package-lock.json says, with npm's own `ci`, and only when it differs.
 *
 * The comparison reads npm's record of what it installed (node_modules/.package-lock.json) rather
 * than a stamp of our own, so it also notices, and accepts, an install made by hand. Optional
 * packages may be absent: they are the Node builds for other processors.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, outsidePath, say, which } from './paths.mjs';

/**
 * @typedef {{ version?: string, integrity?: string, dev?: boolean, optional?: boolean }} Locked
 * @typedef {'all' | 'production'} Need which packages have to be there: 'production' leaves out
 *   those of the tests and tools
 */

/**
 * @param {string} file
 * @returns {Record<string, Locked> | null}
 */
function readLock(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? null;
  } catch {
    return null;
  }
}

/**
 * Says whether every package that is needed is installed in the version of the lock.
 *
 * @param {string} root the checkout
 * @param {Need} need
 * @returns {boolean}
 */
export function packagesMatch(root, need) {
  const wanted = readLock(join(root, 'package-lock.json'));
  const found = readLock(join(root, 'node_modules', '.package-lock.json'));
  if (wanted === null || found === null) return false;
  for (const [path, locked] of Object.entries(wanted)) {
    if (path === '') continue;
    const installed = found[path];
    if (installed === undefined) {
      if (locked.optional === true || (locked.dev === true && need === 'production')) continue;
      return false;
    }
    if (installed.version !== locked.version || installed.integrity !== locked.integrity) {
      return false;
    }
  }
  return true;
}

/**
 * How to call npm: the npm that called us, or else the one on the PATH. Never with the Node that
 * lies inside node_modules, because `ci` deletes that folder first.
 *
 * @returns {{ command: string, args: string[] } | null}
 */
export function findNpm() {
  const cli = process.env['npm_execpath'];
  const node = process.env['npm_node_execpath'];
  if (cli?.endsWith('npm-cli.js') && existsSync(cli) && node !== undefined && existsSync(node)) {
    if (!node.startsWith(join(ROOT, 'node_modules'))) return { command: node, args: [cli] };
  }
  const npm = which('npm', outsidePath());
  return npm === null ? null : { command: npm, args: [] };
}

/**
 * Runs npm in the checkout with its output on stderr.
 *
 * @param {string[]} args
 * @param {{ capture?: boolean, env?: Record<string, string> }} [options] capture: return the
 *   output instead of showing it
 * @returns {{ status: number, output: string }} status 127 when there is no npm
 */
export function runNpm(args, options = {}) {
  const npm = findNpm();
  if (npm === null) return { status: 127, output: 'npm was not found on the PATH' };
  const result = spawnSync(npm.command, [...npm.args, ...args], {
    cwd: ROOT,
    env: { ...process.env, PATH: outsidePath(), ...options.env },
    stdio: options.capture === true ? ['ignore', 'pipe', 'pipe'] : ['ignore', 2, 2],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`;
  return { status: result.status ?? 1, output };
}

/**
 * Installs the packages when they differ from the lock.
 *
 * @param {Need} need
 * @returns {boolean} false when they could not be installed; the reason has been said
 */
export function ensurePackages(need) {
  if (packagesMatch(ROOT, need)) return true;
  say('installing packages (about a minute the first time) ...');
  const { status, output } = runNpm(['ci', '--loglevel=error', '--no-progress']);
  if (status === 0 && packagesMatch(ROOT, need)) return true;
  if (status === 127) say(output);
  say(`the packages could not be installed: 'npm ci' ended with status ${status}`);
  return false;
}
