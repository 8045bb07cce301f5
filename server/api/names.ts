/**
 * The names under which people keep things: snapshots, patches of the library.
 *
 * Invariant: a name is one line that can be said, also as a part of a path; two that look the same
 * are the same (NFC).
 */

import { z } from 'zod';

/** Characters in a name. */
const LONGEST = 80;

export const nameSchema = z
  .string()
  .max(LONGEST)
  .regex(
    /^(?=.*[\p{L}\p{N}])[^\p{C}/\\\s](?:[^\p{C}/\\]*[^\p{C}/\\\s])?$/u,
    'expected a name with a letter or digit, without slashes, control characters, or spaces at its ends',
  )
  .normalize('NFC');
