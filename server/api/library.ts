/**
 * The library: patches under names, kept on disk, to be played at any time.
 *
 * Invariant: an entry is a document (`livegrad.library/1`) that stands by itself, and the same on disk.
 * It is kept whether it compiles or not, since it is somebody's work: what is wrong with it is listed,
 * and only playing it is refused.
 */

import { z } from 'zod';
import { diagnosticSchema } from './errors.ts';
import { nameSchema } from './names.ts';
import { nothing, type OperationSpec } from './operation.ts';
import { patchInfoSchema, patchObjectSchema, revisionSchema } from './schemas.ts';

export const LIBRARY_FORMAT = 'livegrad.library/1';

/** Patches that are kept, and bytes of all of them. */
export const MAX_PATCHES = 500;
export const MAX_LIBRARY_BYTES = 64 * 2 ** 20;

const name = nameSchema.describe('In the library: "night filter".');

const heading = {
  name,
  doc: z.string().max(2000).optional().describe('For people.'),
  title: z.string().max(200).optional().describe('Of the patch.'),
  kind: z.enum(['patch', 'faust']).describe('A document, or a program in Faust.'),
  patch: z.string().max(60).describe('Name of the patch, by which versions go on with each other.'),
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/u, 'expected 64 hexadecimal digits')
    .nullable()
    .describe('As in snapshots: SHA-256 of what sounds; null where it does not compile.'),
  saved: z.iso.datetime().describe('When, in UTC.'),
};

export const libraryEntrySchema = z.strictObject({
  format: z.literal(LIBRARY_FORMAT),
  ...heading,
  diagnostics: z
    .array(diagnosticSchema)
    .describe('What was wrong with it when it was put, for the device of then.'),
  document: patchObjectSchema,
});

export const libraryHeadingSchema = z.object({
  ...heading,
  ok: z.boolean().describe('Whether it compiled when it was put.'),
  plays: z.boolean().describe('Whether it is what plays, but for its training.'),
});

const revision = { revision: revisionSchema };

export const LIBRARY_OPERATIONS = {
  'library.list': {
    summary: 'Patches that are kept',
    doc: 'By name. `plays` says which of them plays.',
    input: nothing,
    output: z.object({ patches: z.array(libraryHeadingSchema) }),
    errors: [],
  },
  'library.get': {
    summary: 'One patch of the library',
    doc: 'With its `document`, which `PUT /patch` and `PUT /library` take, here or elsewhere. `Accept: text/x-faust` asks for the source of a Faust program.',
    input: z.strictObject({ name }),
    output: libraryEntrySchema,
    errors: ['UNKNOWN_PATCH', 'NOT_FAUST'],
    faust: 'output',
  },
  'library.put': {
    summary: 'Keep a patch',
    doc: 'Without `patch` what plays, with its present values. It is compiled for the device of now and plays nothing; one that does not compile is kept all the same, with `diagnostics`. On disk before the answer. A Faust program may come as its source, `text/x-faust`, with `?replace=true` in place of one of the same name.',
    input: z.strictObject({
      name,
      patch: patchObjectSchema.optional(),
      doc: heading.doc,
      replace: z.boolean().optional().describe('One of the same name may be lost.'),
    }),
    output: libraryHeadingSchema.extend({
      ...revision,
      diagnostics: z.array(diagnosticSchema).describe('What is wrong with it.'),
    }),
    errors: ['PATCH_EXISTS', 'UNKNOWN_EXAMPLE', 'NOT_EXPORTABLE', 'COMPILE_FAILED', 'NOT_KEPT'],
    faust: 'input',
  },
  'library.activate': {
    summary: 'Play a patch of the library',
    doc: 'As `PUT /patch` does, from the state of now: a version of what plays goes on with its values, another patch starts with its own.',
    input: z.strictObject({ name }),
    output: patchInfoSchema.extend(revision),
    errors: [
      'UNKNOWN_PATCH',
      'AUDITION_UNDER_WAY',
      'PATCH_INVALID',
      'COMPILE_FAILED',
      'ENGINE_REFUSED',
    ],
  },
  'library.rename': {
    summary: 'Rename a patch of the library',
    doc: 'Its name there; that of the patch itself stays. A name that is taken is refused.',
    input: z.strictObject({ name, to: name }),
    output: libraryHeadingSchema.extend(revision),
    errors: ['UNKNOWN_PATCH', 'PATCH_EXISTS', 'NOT_KEPT'],
  },
  'library.delete': {
    summary: 'Delete a patch of the library',
    doc: 'For good. What plays goes on.',
    input: z.strictObject({ name }),
    output: z.object(revision),
    errors: ['UNKNOWN_PATCH', 'NOT_KEPT'],
  },
} as const satisfies Record<string, OperationSpec>;

export type LibraryEntry = z.output<typeof libraryEntrySchema>;
export type LibraryHeading = z.output<typeof libraryHeadingSchema>;
