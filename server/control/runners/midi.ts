/** The operations of MIDI. */

import type { RunnersOf } from '../operations.ts';
import { answer } from '../outcome.ts';

export const MIDI_RUNNERS: RunnersOf<'midi'> = {
  'midi.get': async ({ midi }) => answer(await midi.state()),
  'midi.map': ({ midi }, mapping, origin) => midi.map(mapping, origin),
  'midi.unmap': ({ midi }, { id }, origin) => midi.unmap(id, origin),
  'midi.learn': ({ midi }, input, origin) => midi.learn(input, origin),
  'midi.cancel': ({ midi }, _, origin) => midi.cancel(origin),
};
