/** The operation of the log. */

import type { RunnersOf } from '../operations.ts';
import { answer } from '../outcome.ts';

export const LOG_RUNNERS: RunnersOf<'logs'> = {
  'logs.tail': ({ logs }, query) => answer(logs.tail(query)),
};
