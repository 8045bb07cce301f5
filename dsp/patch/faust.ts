/**
 * A Faust program as a patch: its source in the place of `nodes`.
 *
 * Invariant: the source is the truth; what was evaluated of it (`program`) is only ever made by the
 * host, is in memory alone, and never read from or written to a document. This knows nothing of the
 * language but how a program is named.
 */

import { z } from 'zod';
import { LEARN_SCALES } from '../control.ts';
import type { FaustProgram } from '../faust/program.ts';
import { idSchema } from './operand.ts';

export const faustSchema = z.strictObject({
  /** The source text. */
  code: z.string().max(2 ** 20),
  /** What is learnable, whatever the source says, by ids of controls; and how. */
  learn: z.record(idSchema, z.union([z.boolean(), z.enum(LEARN_SCALES)])).optional(),
});

/** Of a patch that was made from a program, with what was evaluated of it. */
export interface FaustPart extends z.infer<typeof faustSchema> {
  program?: FaustProgram;
}

/**
 * An output of the program, an input of the device, or a signal that the program marks for its
 * training, counted from 1.
 */
export const PROGRAM_SIGNAL = /^(in|out|mark)([1-9]\d{0,3})$/u;

const isObject = (json: unknown): json is Readonly<Record<string, unknown>> =>
  typeof json === 'object' && json !== null && !Array.isArray(json);

/** The source in a document of any shape; undefined where it is no Faust program. */
export function sourceOf(json: unknown): string | undefined {
  const faust = isObject(json) ? json['faust'] : undefined;
  const code = isObject(faust) ? faust['code'] : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** A patch or a document without what was evaluated: what is printed, kept and sent. */
export function withoutProgram<T>(patch: T): T {
  if (!isObject(patch) || !isObject(patch['faust']) || !('program' in patch['faust'])) return patch;
  const { program: _program, ...faust } = patch['faust'];
  return { ...patch, faust };
}

/** A text as a patch may be called; empty where nothing is left of it. */
export const nameOf = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9_-]+/gu, '-')
    .replace(/^[^A-Za-z]+/u, '')
    .slice(0, 60)
    .replace(/[-_]+$/u, '');

/** A document with a name: where a program has none, its own, or `faust`. */
export function withName(json: unknown): unknown {
  const code = sourceOf(json);
  if (code === undefined || !isObject(json) || json['name'] !== undefined) return json;
  const declared = /^\s*declare\s+name\s+"([^"\n]*)"/mu.exec(code.slice(0, 2 ** 20))?.[1] ?? '';
  return { ...json, name: nameOf(declared) || 'faust' };
}
