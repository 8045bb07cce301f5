/**
 * What an import of a Faust program finds: files in configured folders, and `livegrad.lib`.
 *
 * libfaust sees a file system in its own memory and nothing else. A folder is there as `/folderN`;
 * at the moment when it opens a file in there, the file is read from disk and put there, so a
 * program always gets what the disk holds now.
 *
 * Invariant: what is read is a regular `.lib` or `.dsp` file whose real path, symbolic links
 * followed, lies in the folder; so many and so large at most. It never writes to the disk.
 */

import { readFileSync, realpathSync, statSync } from 'node:fs';
import { extname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Bytes of one library, and of all that one program imports. */
const LARGEST_FILE = 4 << 20;
const LARGEST_TOTAL = 32 << 20;
/** Files that one program may import. */
const MOST_FILES = 256;

/** The library that is always there. */
export const OWN = 'livegrad.lib';
const OWN_PATH = fileURLToPath(new URL(`../../dsp/faust/${OWN}`, import.meta.url));

/** Where folder `k` is in the memory file system. */
export const mountOf = (k: number): string => `/folder${k}`;

/** The folders of one evaluation: counts what it reads. */
export class Libraries {
  readonly folders: readonly string[];
  /** Why a file that is there was not read, by its name in the folder. */
  readonly refused = new Map<string, string>();
  readonly #seen: Map<string, string>;
  #files = 0;
  #bytes = 0;

  /** @param seen  gets the state of each file that was looked for */
  constructor(folders: readonly string[], seen = new Map<string, string>()) {
    this.folders = folders;
    this.#seen = seen;
  }

  /** Whether libfaust's absolute, normal path is ours to fill. */
  owns(path: string): boolean {
    return path === `/${OWN}` || /^\/folder\d+\//u.test(path);
  }

  /** The text of the file, or undefined where there is none that may be read. */
  read(path: string): string | undefined {
    if (path === `/${OWN}`) return readOwn();
    const [, k, name] = /^\/folder(\d+)\/(.+)$/su.exec(path) ?? [];
    const folder = this.folders[Number(k)];
    if (folder === undefined || name === undefined) return undefined;
    this.#seen.set(...stampOf(folder, name));
    const found = resolveWithin(folder, name, ['.lib', '.dsp']);
    if (found.path === undefined) {
      if (found.problem !== undefined) this.refused.set(name, found.problem);
      return undefined;
    }
    const { size } = statSync(found.path);
    this.#files++;
    this.#bytes += size;
    const problem =
      size > LARGEST_FILE
        ? `it is larger than ${LARGEST_FILE >> 20} MB`
        : this.#files > MOST_FILES
          ? `a program may import ${MOST_FILES} files`
          : this.#bytes > LARGEST_TOTAL
            ? `a program may import ${LARGEST_TOTAL >> 20} MB`
            : undefined;
    if (problem === undefined) return readText(found.path);
    this.refused.set(name, problem);
    return undefined;
  }
}

/** The text of `livegrad.lib` without its comments, which libfaust would read for 13 ms. */
export const readOwn = (): string | undefined => readText(OWN_PATH)?.replaceAll(/^\/\/.*$/gmu, '');

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * The real path of a regular file below a folder.
 *
 * @param name  relative; what leads out of the folder, by `..` or by a link, is not there
 * @param extensions  in lower case, with their dots
 * @returns neither path nor problem where there is no such file
 */
export function resolveWithin(
  folder: string,
  name: string,
  extensions: readonly string[],
): { readonly path?: string; readonly problem?: string } {
  if (name.includes('\0')) return {};
  try {
    const root = realpathSync(resolve(folder));
    const path = realpathSync(join(root, name));
    const inside = relative(root, path);
    if (inside === '' || inside.split(sep)[0] === '..' || resolve(root, inside) !== path) {
      return { problem: 'it is not in the folder' };
    }
    if (!statSync(path).isFile()) return { problem: 'it is no file' };
    const extension = extname(path).toLowerCase();
    if (!extensions.includes(extension) || !extensions.includes(extname(name).toLowerCase())) {
      return { problem: `its name does not end in ${extensions.join(' or ')}` };
    }
    return { path };
  } catch {
    return {};
  }
}

/** A file and its state: what changes whenever its content does. */
export function stampOf(folder: string, name: string): [path: string, stamp: string] {
  const path = join(folder, name);
  try {
    const { mtimeMs, ctimeMs, size, ino } = statSync(path);
    return [path, `${mtimeMs} ${ctimeMs} ${size} ${ino}`];
  } catch {
    return [path, 'none'];
  }
}

/** Whether files are in the state that was seen. */
export const isAsSeen = (seen: ReadonlyMap<string, string>): boolean =>
  [...seen].every(([path, stamp]) => stampOf(path, '')[1] === stamp);
