/**
 * `npm start`: sets up what is missing, then becomes the daemon (server/main.ts on Node 24).
 */
import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { prepare } from './prepare.mjs';
import { handOver } from './run.mjs';

const ready = prepare({ need: 'production', host: 'yes' });
if (ready === null) process.exit(1);
await handOver(ready.node, [join(ROOT, 'server', 'main.ts'), ...process.argv.slice(2)]);
