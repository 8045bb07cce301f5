/**
 * `node server/launch/tool.mjs NAME [argument]...`: runs a development tool of node_modules, or a
 * file of this repository (`./test/bench/programs.ts`), on Node 24, whatever Node the system has.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT, say } from './paths.mjs';
import { prepare } from './prepare.mjs';
import { handOver } from './run.mjs';

/** Command name -> the package that brings it. */
const PACKAGES = /** @type {const} */ ({
  tsc: 'typescript',
  oxlint: 'oxlint',
  prettier: 'prettier',
  vitest: 'vitest',
});

/**
 * The script behind a development tool.
 *
 * @param {keyof typeof PACKAGES} name
 * @returns {string} its path
 */
export function toolScript(name) {
  const folder = join(ROOT, 'node_modules', PACKAGES[name]);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bin === 'string' ? bin : bin[name]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name = '', ...args] = process.argv.slice(2);
  const isFile = name.startsWith('./');
  if (!isFile && !(name in PACKAGES)) {
    say(`unknown tool '${name}': expected ./FILE or one of ${Object.keys(PACKAGES).join(', ')}`);
    process.exit(2);
  }
  const ready = prepare({ need: 'all', host: 'no' });
  if (ready === null) process.exit(1);
  process.chdir(ROOT);
  const script = isFile ? name : toolScript(/** @type {keyof typeof PACKAGES} */ (name));
  await handOver(ready.node, [script, ...args]);
}
