/**
 * The system's own packages: whether apt-get may be used here, and using it.
 *
 * Nothing is installed unless the user is root on a Debian-like system; everywhere else the caller
 * says what is missing.
 */
import { spawnSync } from 'node:child_process';
import { say, which } from './paths.mjs';

/** @returns {boolean} whether system packages can be installed without asking anybody */
export function canInstallSystemPackages() {
  return process.platform === 'linux' && process.getuid?.() === 0 && which('apt-get') !== null;
}

/**
 * Installs Debian packages, refreshing the package list only if the first try fails.
 *
 * @param {readonly string[]} names
 * @returns {boolean}
 */
export function installSystemPackages(names) {
  say(`installing system packages: ${names.join(' ')}`);
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...names];
  if (aptGet(install, true)) return true;
  aptGet(['update', '-qq'], false);
  return aptGet(install, false);
}

/**
 * @param {string[]} args
 * @param {boolean} quiet
 * @returns {boolean}
 */
function aptGet(args, quiet) {
  const result = spawnSync('apt-get', args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', quiet ? 'ignore' : 2, quiet ? 'ignore' : 2],
  });
  return result.status === 0;
}
