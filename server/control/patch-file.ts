/**
 * Files that hold a patch: a document in JSON, or a program in Faust (`.dsp`).
 *
 * Invariant: what cannot be read is a diagnostic. Nothing is checked or evaluated here; the compile
 * worker does that.
 */

import { readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { ok, type Result } from '../../dsp/diagnostic.ts';
import { documentOf } from '../../dsp/faust/document.ts';

const FAUST = '.dsp';

export const isFaustFile = (path: string): boolean => extname(path).toLowerCase() === FAUST;

/** The document that a file holds; a program without a name of its own is called like the file. */
export function readPatchFile(path: string): Result<unknown> {
  try {
    return documentIn(readFileSync(path, 'utf8'), path);
  } catch (error) {
    return unreadable(error);
  }
}

/** @param text  of the file, as it was read */
export function documentIn(text: string, path: string): Result<unknown> {
  try {
    if (isFaustFile(path)) return ok(documentOf(text, basename(path, extname(path))));
    return ok(JSON.parse(text.replace(/^\uFEFF/u, '')));
  } catch (error) {
    return unreadable(error);
  }
}

export function unreadable(error: unknown): Result<never> {
  const message = error instanceof Error ? error.message : String(error);
  return { ok: false, diagnostics: [{ code: 'PATCH_UNREADABLE', path: '', message }] };
}
