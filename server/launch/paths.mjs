/**
 * Where things are in a checkout, and how set-up speaks.
 *
 * Everything in server/launch runs on Node 20 or newer before any dependency is installed: plain
 * JavaScript, Node's own modules only. Set-up writes to stderr, so that a command's stdout holds
 * nothing but its own output, and says nothing when there is nothing to do.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/** What set-up and the tools write apart from node_modules; may be deleted at any time. */
export const BUILD = join(ROOT, '.build');

/** @param {string} line */
export function say(line) {
  process.stderr.write(`livegrad: ${line}\n`);
}

/**
 * The first executable of that name on the PATH.
 *
 * @param {string} name
 * @param {string} [path] a PATH, by default this process's
 * @returns {string | null}
 */
export function which(name, path = process.env['PATH'] ?? '') {
  for (const folder of path.split(delimiter)) {
    if (folder === '') continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/**
 * The PATH without folders of this checkout: a program found on it outlives a reinstall.
 *
 * @returns {string}
 */
export function outsidePath() {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => !resolve(folder).startsWith(join(ROOT, 'node_modules')))
    .join(delimiter);
}
