/** The operations of undo and redo. */

import type { RunnersOf } from '../operations.ts';
import { answer } from '../outcome.ts';

export const EDIT_RUNNERS: RunnersOf<'edits'> = {
  'edits.list': ({ session }) => answer(session.edits()),
  'edits.undo': ({ session }, _, origin) => session.undo(origin),
  'edits.redo': ({ session }, _, origin) => session.undo(origin, 'redo'),
};
