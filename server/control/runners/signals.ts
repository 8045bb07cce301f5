/** The operations that look at signals, and at what happened to the engine. */

import type { RunnersOf } from '../operations.ts';
import { answer } from '../outcome.ts';

export const SIGNAL_RUNNERS: RunnersOf<'signals' | 'events'> = {
  'signals.list': async ({ signals }) => answer(await signals.list()),
  'events.list': ({ events }, { after }) => answer(events.list(after)),
};
