/** The operations of the recordings. */

import type { RunnersOf } from '../operations.ts';
import { answer } from '../outcome.ts';

export const RECORDING_RUNNERS: RunnersOf<'recordings'> = {
  'recordings.list': async ({ recordings: kept }) => {
    const recordings = await kept.list();
    const bytes = recordings.reduce((sum, one) => sum + one.bytes, 0);
    const { current, lookback: seconds, maxBytes } = kept;
    return answer({ recordings, current, lookback: seconds, bytes, maxBytes });
  },
  'recordings.get': ({ recordings }, { name }) => recordings.get(name),
  // The transport sends the file itself.
  'recordings.download': ({ recordings }, { name }) => recordings.get(name),
  'recordings.start': ({ recordings }, wish, origin) => recordings.start(wish, origin),
  'recordings.stop': ({ recordings }) => recordings.stop(),
  'recordings.keep': ({ recordings }, wish, origin) => recordings.keep(wish, origin),
  'recordings.delete': ({ recordings }, { name }, origin) => recordings.delete(name, origin),
};
