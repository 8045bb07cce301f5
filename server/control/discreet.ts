/**
 * What the engine, the system and Node.js say, without the folders of this machine: a file is called
 * by its name alone.
 *
 * Why: their messages name files as the system does (`ENOENT: …, open '/srv/…'`), and go on to
 * clients as the reason of a failure. The log keeps them whole. Invariant: a text without such a path
 * stays as it is; divisions, addresses of the network and ids with slashes are none.
 */

import { basename } from 'node:path';
import type { Diagnostic } from '../../dsp/diagnostic.ts';

const QUOTED = /(?<=(?<quote>['"`]))(?:file:\/\/)?(?:\/|[A-Za-z]:[\\/])[^'"`\n]*(?=\k<quote>)/gu;
const BARE =
  /(?<=^|[\s'"`(=<,;])(?:file:\/\/)?(?:\/|[A-Za-z]:[\\/])(?:[^\s'"`()<>:/\\]+[\\/])+(?=[^\s'"`()<>:/\\]|$|[\s'"`)])/gmu;

export const withoutFolders = (text: string): string =>
  text.replaceAll(QUOTED, (path) => nameOf(path)).replaceAll(BARE, '');

export const discreet = (diagnostics: readonly Diagnostic[]): Diagnostic[] =>
  diagnostics.map((found) => ({
    ...found,
    path: withoutFolders(found.path),
    message: withoutFolders(found.message),
    ...(found.hint === undefined ? {} : { hint: withoutFolders(found.hint) }),
  }));

/** Of a path of any system. */
export const nameOf = (path: string): string => basename(path.replaceAll('\\', '/'));
