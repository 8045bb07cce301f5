/**
 * The recordings that a Faust program's `soundfile`s play, from configured folders.
 *
 * Invariant: a name leads to a WAV file whose real path lies in one of the folders, the first that
 * has it; what is missing, not WAV or too long is a diagnostic. Recordings keep their own sample
 * rate, as in Faust: a program asks for it.
 */

import { fail, ok, type Diagnostic, type Result } from '../../dsp/diagnostic.ts';
import type { Sound } from '../../dsp/faust/program.ts';
import { openWav } from '../audio/wav.ts';
import { at } from './messages.ts';
import { split } from './labels.ts';
import { resolveWithin, stampOf } from './libraries.ts';

/** Parts of one soundfile: what Faust can tell apart. */
const MOST_PARTS = 256;
/** Numbers in all recordings of a program. */
const MOST_NUMBERS = 2 ** 22;

const SOUNDFILE = /^ID_\d+ = soundfile\("([^"]*)"/gmu;

/**
 * The parts of each soundfile of a form, by its path.
 *
 * Errors: FAUST_UNSUPPORTED for what cannot be played. Cost: linear in the length of the files.
 *
 * @param seen  gets the state of each file that was looked for
 */
export function loadSounds(
  form: string,
  folders: readonly string[],
  seen: Map<string, string>,
): Result<Readonly<Record<string, readonly Sound[]>>> {
  const sounds = new Map<string, readonly Sound[]>();
  const diagnostics: Diagnostic[] = [];
  let numbers = 0;
  for (const [, path = ''] of form.matchAll(SOUNDFILE)) {
    if (sounds.has(path)) continue;
    const files = filesOf(split(path)[0] ?? '');
    if (files.length > MOST_PARTS) {
      const got = `expected at most ${MOST_PARTS}, got ${files.length}`;
      diagnostics.push(at('FAUST_UNSUPPORTED', `a soundfile has too many parts: ${got}`));
      continue;
    }
    const parts: Sound[] = [];
    for (const file of files) {
      const sound = load(file, folders, seen, MOST_NUMBERS - numbers);
      if (!sound.ok) diagnostics.push(...sound.diagnostics);
      else {
        parts.push(sound.value);
        numbers += sound.value.channels.length * sound.value.channels[0]!.length;
      }
    }
    sounds.set(path, parts);
  }
  return diagnostics.length > 0 ? fail(...diagnostics) : ok(Object.fromEntries(sounds));
}

/** `son[url:{'a.wav';'b.wav'}]` -> a.wav, b.wav. Without a url the label is the name. */
function filesOf(label: string): string[] {
  const url = /\[\s*url\s*:([^\]]*)\]/u.exec(label)?.[1]?.trim();
  if (url === undefined) return [label.replaceAll(/\[[^\]]*\]/gu, '').trim()];
  const list = /^\{(.*)\}$/su.exec(url)?.[1];
  if (list === undefined) return [url.replaceAll(/^'|'$/gu, '')];
  return list
    .split(';')
    .map((name) => name.trim().replaceAll(/^'|'$/gu, ''))
    .filter((name) => name !== '');
}

function load(
  name: string,
  folders: readonly string[],
  seen: Map<string, string>,
  room: number,
): Result<Sound> {
  let problem: string | undefined;
  for (const folder of folders) {
    const found = resolveWithin(folder, name, ['.wav']);
    seen.set(...stampOf(folder, name));
    problem ??= found.problem;
    if (found.path === undefined) continue;
    const opened = openWav(found.path);
    if (!opened.ok) {
      return unplayable(name, opened.diagnostics[0]!.message.replaceAll(found.path, name));
    }
    const reader = opened.value;
    try {
      const { frames, format } = reader;
      if (frames === 0) return unplayable(name, 'it is empty');
      if (frames * format.channels > room) {
        return unplayable(name, `the recordings together have more than ${MOST_NUMBERS} samples`);
      }
      const channels = Array.from({ length: format.channels }, () => new Float32Array(frames));
      reader.read(channels, 0, frames);
      const { sampleRate } = format;
      return ok({ sampleRate, channels: channels.map((channel) => Array.from(channel)) });
    } finally {
      reader.close();
    }
  }
  const hint =
    folders.length === 0
      ? 'Name the folder where it is in faust.sounds.'
      : 'It is in no folder of faust.sounds.';
  return unplayable(name, problem ?? 'it is not there', problem === undefined ? hint : undefined);
}

const unplayable = (name: string, why: string, hint?: string): Result<Sound> =>
  fail(
    at('FAUST_UNSUPPORTED', `the sound file "${name.slice(0, 80)}" cannot be played: ${why}`, hint),
  );
