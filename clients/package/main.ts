/**
 * `npm run build:sdk`: the SDK as a package in `.build/sdk`, for `npm pack` or `npm install PATH`.
 *
 * One module of plain JavaScript and its declarations, with no dependency: it runs on the platform's
 * fetch and WebSocket, and its types need no zod. The same name and version as the daemon's, since it
 * speaks that one's contract.
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'vite';
import { BUILD, ROOT, say } from '../../server/launch/paths.mjs';
import { toolScript } from '../../server/launch/tool.mjs';
import { declarationsOf } from './declarations.ts';

const ENTRY = 'clients/sdk/client.ts';
const folder = process.argv[2] ?? join(BUILD, 'sdk');

const checked = spawnSync(process.execPath, [toolScript('tsc'), '-b', 'clients/sdk'], {
  cwd: ROOT,
  encoding: 'utf8',
});
if (checked.status !== 0) {
  say(`the SDK does not compile:\n${checked.stdout}`);
  process.exit(1);
}
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
await build({
  configFile: false,
  logLevel: 'warn',
  root: ROOT,
  publicDir: false,
  build: {
    outDir: folder,
    emptyOutDir: false,
    target: 'es2023',
    minify: false,
    lib: { entry: join(ROOT, ENTRY), formats: ['es'], fileName: () => 'index.js' },
  },
});
const declarations = await declarationsOf(ENTRY, {
  read: (path) => readFileSync(join(BUILD, 'types', path.replace(/\.ts$/u, '.d.ts')), 'utf8'),
  load: (path) => import(join(ROOT, path)) as Promise<Record<string, unknown>>,
});
for (const [path, text] of declarations) {
  const file = join(folder, 'types', path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
const { version, license } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly license: string;
};
const manifest = {
  name: 'livegrad-sdk',
  version,
  description: 'Watch and steer a livegrad host, from browsers and Node.js',
  license,
  type: 'module',
  engines: { node: '>=22' },
  sideEffects: false,
  exports: {
    '.': { types: `./types/${ENTRY.replace(/\.ts$/u, '.d.ts')}`, default: './index.js' },
  },
  files: ['index.js', 'types'],
};
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
copyFileSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
copyFileSync(join(ROOT, 'clients', 'package', 'README.md'), join(folder, 'README.md'));
say(`the SDK is in ${folder}`);
