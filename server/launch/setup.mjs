/**
 * `npm run setup`: everything that a first start would do, without starting; tries failed builds
 * again. Ends with status 1 when the audio binding could not be built.
 */
import { prepare } from './prepare.mjs';
import { say } from './paths.mjs';

const ready = prepare({ need: 'production', host: 'retry' });
if (ready === null) process.exit(1);
say(`ready: ${ready.node}${ready.native ? ', with the audio binding' : ''}`);
process.exit(ready.native ? 0 : 1);
