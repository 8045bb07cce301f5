/**
 * The library on disk: what `documents.ts` needs to know of its patches.
 *
 * Invariant: what is remembered of a patch is its heading; the document stays on disk.
 */

import {
  LIBRARY_FORMAT,
  MAX_LIBRARY_BYTES,
  MAX_PATCHES,
  libraryEntrySchema,
  type LibraryEntry,
  type LibraryHeading,
} from '../api/library.ts';
import type { Logger } from '../engine/supervisor.ts';
import { Documents } from './documents.ts';
import { refuse } from './outcome.ts';

export type KeptPatch = Omit<LibraryHeading, 'plays'>;

export type LibraryFiles = Documents<LibraryEntry, KeptPatch>;

export const libraryFiles = (stateDir: string, log: Logger): LibraryFiles =>
  new Documents(
    {
      folder: 'library',
      one: 'patch of the library',
      format: LIBRARY_FORMAT,
      schema: libraryEntrySchema,
      most: MAX_PATCHES,
      bytes: MAX_LIBRARY_BYTES,
      headingOf,
      unknown: (detail) => refuse('UNKNOWN_PATCH', detail),
      taken: (detail) => refuse('PATCH_EXISTS', detail),
    },
    stateDir,
    log,
  );

function headingOf(entry: LibraryEntry): KeptPatch {
  const { format: _1, document: _2, diagnostics, ...heading } = entry;
  return { ...heading, ok: diagnostics.length === 0 };
}
