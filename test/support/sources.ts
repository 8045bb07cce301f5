/**
 * Reads the checkout as data: its files, and what each source file imports.
 *
 * Imports are found by their syntax, not resolved by a compiler: static and dynamic imports,
 * re-exports, and files named by a URL relative to the module (workers, child processes).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Every file of the project, tracked or new, but nothing that is ignored; paths with slashes. */
export function projectFiles(): string[] {
  return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(ROOT, path)));
}

/** The content of a file of the project. */
export function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The TypeScript and JavaScript files among the project's. */
export function sourceFiles(): string[] {
  return projectFiles().filter((path) => /\.(ts|tsx|mts|mjs|js)$/.test(path));
}

const STATIC = /^\s*(?:import|export)\b(?:[^'";]*?\bfrom)?\s*'([^']+)'/gm;
const DYNAMIC = /\b(?:import|require)\(\s*'([^']+)'/g;
const BY_URL = /\bnew URL\(\s*'([^']+\.\w+)'\s*,\s*import\.meta\.url/g;

export interface Import {
  /** A path of the checkout, or a package as it is named. */
  readonly to: string;
  /** Whether it is a path of the checkout. */
  readonly local: boolean;
}

/** What a source file imports. */
export function importsOf(path: string, source: string = read(path)): Import[] {
  const found = new Map<string, Import>();
  for (const pattern of [STATIC, DYNAMIC, BY_URL]) {
    for (const match of source.matchAll(pattern)) {
      const name = match[1];
      if (name === undefined) continue;
      const local = name.startsWith('.');
      const to = local ? posix.join(posix.dirname(path), name) : name;
      found.set(to, { to, local });
    }
  }
  return [...found.values()];
}

/** The room of a file: the deepest of the given folders and files that contains it. */
export function roomOf(path: string, rooms: readonly string[]): string | undefined {
  return rooms
    .filter((room) => path === room || path.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}
