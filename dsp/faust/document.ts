/**
 * The text of a Faust program as a patch document, and what a new text keeps of the one before.
 *
 * Invariant: the text is the truth about controls; what others have said about it (what is to be
 * learned, settings of the training) outlives an edit as far as the new text leaves room for it.
 * Nothing is evaluated here.
 */

import { nameOf, sourceOf } from '../patch/faust.ts';
import type { Patch, Training } from '../patch/schema.ts';
import { declaresOf } from './source.ts';

/** A patch document of a program, with all else left to the program. */
export interface FaustDocument {
  readonly format: 'livegrad.patch/1';
  readonly name?: string;
  readonly faust: { readonly code: string };
}

/**
 * @param code   text of a program; a byte order mark is left out
 * @param named  the patch's name where the program declares none: its file's, say
 */
export function documentOf(code: string, named = ''): FaustDocument {
  const text = code.replace(/^\uFEFF/u, '');
  const name = nameOf(named);
  const isNamed = nameOf(declaredName(text)) !== '';
  const faust = { code: text };
  return { format: 'livegrad.patch/1', ...(isNamed || name === '' ? {} : { name }), faust };
}

const declaredName = (code: string): string =>
  declaresOf(code).findLast(([key]) => key === 'name')?.[1] ?? '';

const BARE: ReadonlySet<string> = new Set(['format', 'name', 'title', 'doc', 'precision', 'faust']);

/** Whether a document is the text of a program and says nothing of learning: an edit of one. */
export function isBare(json: unknown): boolean {
  if (sourceOf(json) === undefined) return false;
  const { faust, ...rest } = json as { readonly faust: object };
  return !('learn' in faust) && Object.keys(rest).every((key) => BARE.has(key));
}

/** The name that a patch made of a document will have; undefined where that is not a program. */
export function nameIn(json: unknown): string | undefined {
  const code = sourceOf(json);
  if (code === undefined) return undefined;
  const { name } = json as { readonly name?: unknown };
  if (typeof name === 'string') return name;
  return nameOf(declaredName(code)) || 'faust';
}

/** Whether two texts say the same about their training. */
export function isSameLesson(a: string, b: string): boolean {
  const said = (code: string): string =>
    JSON.stringify(declaresOf(code).filter(([key]) => key === 'livegrad'));
  return said(a) === said(b);
}

/**
 * What of a training somebody has said since it was made of a program.
 *
 * @param made  the training as the program alone gives it
 */
export function settingsSince(
  training: Patch['training'],
  made: Patch['training'],
): Partial<Training> {
  const before: Readonly<Record<string, unknown>> = { ...made };
  return Object.fromEntries(
    Object.entries(training ?? {}).filter(
      ([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key]),
    ),
  );
}
