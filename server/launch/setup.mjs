/**
 * `npm run setup`: everything that a first start would do, without starting; tries a failed native
 * build again. Ends with status 1 when the audio binding could not be built.
 */
import { prepare } from './prepare.mjs';
import { say } from './paths.mjs';

const ready = prepare({ need: 'production', native: 'retry' });
if (ready === null) process.exit(1);
say(`ready: ${ready.node}${ready.native ? ', with the audio binding' : ''}`);
process.exit(ready.native ? 0 : 1);
