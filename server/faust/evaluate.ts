/**
 * Text of a Faust program -> what libfaust makes of it, as plain data.
 *
 * Invariant: an answer for every text, whatever libfaust does with it; equal texts and libraries
 * give equal programs. It bounds neither time nor the native stack: the compile thread does.
 */

import { fail, ok, type Result } from '../../dsp/diagnostic.ts';
import { declaresOf } from '../../dsp/faust/source.ts';
import type { FaustProgram } from '../../dsp/faust/program.ts';
import { readExpanded, readPaths } from './labels.ts';
import { Libraries } from './libraries.ts';
import type { Libfaust } from './libfaust.ts';
import { locate } from './locate.ts';
import { at, explain } from './messages.ts';
import { loadSounds } from './sounds.ts';
import { restore } from './tag.ts';

export interface EvaluateOptions {
  /** Whether constants are evaluated in double precision. */
  readonly double: boolean;
  /** Folders that imports may read, in their order. */
  readonly libraries?: readonly string[];
  /** Folders that sound files are in. */
  readonly sounds?: readonly string[];
  /** Gets the state of each file that was looked for. */
  readonly seen?: Map<string, string>;
}

/** Longest program, in characters. */
const LONGEST = 1 << 20;

/**
 * Evaluates a program.
 *
 * Errors: FAUST_SYNTAX, FAUST_LIBRARY, FAUST_UNSUPPORTED.
 * Cost: that of libfaust's `-norm1`, 1 ms for a gain, 15 for a third-order low-pass, 80 for a
 * reverberator; booting libfaust before the first one takes 80 ms.
 */
export async function evaluate(
  libfaust: Libfaust,
  code: string,
  { double, libraries: folders = [], sounds: soundFolders = [], seen = new Map() }: EvaluateOptions,
): Promise<Result<FaustProgram>> {
  if (code.trim() === '') {
    const hint = 'Define what it does: process = …;';
    return fail(at('FAUST_SYNTAX', 'the program is empty', hint));
  }
  const end = code.indexOf('\0');
  if (end >= 0) {
    // libfaust takes it for the end of the text.
    const line = code.slice(0, end).split('\n').length;
    return fail(at('FAUST_SYNTAX', 'a character of code 0 does not belong here', undefined, line));
  }
  if (code.length > LONGEST) {
    const got = `expected at most ${LONGEST} characters, got ${code.length}`;
    return fail(at('FAUST_UNSUPPORTED', `the program is too long: ${got}`));
  }
  const libraries = new Libraries(folders, seen);
  const dump = await libfaust.dump(code, double, libraries);
  if (dump.kind !== 'form') {
    const context = { code, libraries, standard: await libfaust.standard() };
    const found = explain(dump, context);
    if (found.line !== undefined || found.code !== 'FAUST_SYNTAX' || dump.kind === 'broken') {
      return fail(found);
    }
    // Silent about the line, or about a library that the program uses wrongly.
    const line = await locate(code, async (name) => {
      const other = await libfaust.dump(code, double, new Libraries(folders), name);
      return other.kind === 'refused' && other.message === dump.message;
    });
    return fail(line === undefined ? found : { ...found, line });
  }
  const restored = restore(dump.text, (name) => dump.waveforms.get(name));
  if (restored === undefined) {
    return fail(at('FAUST_UNSUPPORTED', 'the contents of a waveform cannot be read'));
  }
  const { form, groups, unsure } = readPaths(restored.form, dump.own, dump.imported);
  const kinds = new Map(groups);
  if (unsure.length > 0) {
    const expanded = await libfaust.expand(code, double, new Libraries(folders));
    const found = readExpanded(expanded ?? '');
    for (const name of unsure) kinds.set(name, found.get(name) ?? 'vertical');
  }
  const sounds = loadSounds(form, soundFolders, seen);
  if (!sounds.ok) return sounds;
  return ok({
    code,
    double,
    form,
    waveforms: restored.waveforms,
    sounds: sounds.value,
    declares: declaresOf(code),
    groups: Object.fromEntries(kinds),
  });
}
