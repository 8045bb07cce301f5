/**
 * `npm run -s bench:control`: what clients cost the control process, with and without them (see
 * telemetry.ts). Prints Markdown, with `-- --json` JSON with the fields of `Measured`. `-- --seconds N`
 * measures each of the two for so long (20), `-- --clients N` with so many (16).
 *
 * Exit status: 1 where frames were dropped, 2 for an unknown argument. A busy machine costs time on
 * the clock, not CPU time; caches that others fill do cost some.
 */

import { parseArgs } from 'node:util';
import { say } from '../../server/launch/paths.mjs';
import { heading } from './report.ts';
import { measureTelemetry } from './telemetry.ts';
import { telemetryTable } from './telemetry-report.ts';

const { json, seconds, clients } = readOptions();
const measured = await measureTelemetry({ clients, params: 1000, meters: 64, seconds });
process.stdout.write(
  json ? `${JSON.stringify(measured, null, 2)}\n` : `${heading()}\n${telemetryTable(measured)}`,
);
if (measured.watched.dropped > 0) process.exitCode = 1;

function readOptions(): { json: boolean; seconds: number; clients: number } {
  const expected = 'expected --json, --seconds N or --clients N';
  try {
    const { values } = parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        seconds: { type: 'string', default: '20' },
        clients: { type: 'string', default: '16' },
      },
    });
    const [seconds, clients] = [Number(values.seconds), Number(values.clients)];
    if (!(seconds > 0) || !(clients >= 1)) throw new Error('not a number of them');
    return { json: values.json, seconds, clients };
  } catch (error) {
    say(`${(error as Error).message}: ${expected}`);
    process.exit(2);
  }
}
