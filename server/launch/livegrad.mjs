/**
 * `npm run -s livegrad -- <command>`: sets up what is missing, then becomes the command line
 * client (clients/cli/main.ts on Node 24). Its stdout is the client's alone.
 */
import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { prepare } from './prepare.mjs';
import { handOver } from './run.mjs';

// npm runs scripts in the project's folder; paths are meant from where the user stands.
if (process.env['INIT_CWD'] !== undefined) process.chdir(process.env['INIT_CWD']);
const ready = prepare({ need: 'production', host: 'yes' });
if (ready === null) process.exit(1);
await handOver(ready.node, [join(ROOT, 'clients', 'cli', 'main.ts'), ...process.argv.slice(2)]);
