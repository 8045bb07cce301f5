/**
 * `npm run build`: makes the dashboard's files in `.build/dashboard`, which the daemon serves.
 */
import { join } from 'node:path';
import { build } from 'vite';
import { BUILD, ROOT, say } from './paths.mjs';

await build({
  configFile: false,
  logLevel: 'warn',
  root: join(ROOT, 'clients', 'dashboard'),
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { outDir: join(BUILD, 'dashboard'), emptyOutDir: true },
});
say('the dashboard is built');
