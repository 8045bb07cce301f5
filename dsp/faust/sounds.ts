/**
 * Recordings that a program plays: which files a label of `soundfile` asks for, and what they hold.
 *
 * It reads no file: whoever compiles has read them, and gives their samples by name.
 */

import { diagnostic } from '../diagnostic.ts';
import type { Diagnostic } from '../diagnostic.ts';
import type { Sound, Sounds } from './program.ts';

/** `[url:{'a.wav';'b.wav'}]`, or `[url:a.wav]`. */
const URL = /\[\s*url\s*:\s*([^\]]*)\]/u;

/** The files that a label asks for, in the order of its parts. */
export function filesOf(label: string): readonly string[] {
  const text = URL.exec(label)?.[1] ?? '';
  return text
    .replace(/^\s*\{|\}\s*$/gu, '')
    .split(';')
    .map((name) => name.trim().replace(/^'|'$/gu, ''))
    .filter((name) => name !== '');
}

/** What Faust plays where a label names no file. */
const SILENCE: Sound = { sampleRate: 44_100, channels: [new Array<number>(1024).fill(0)] };

export function readSounds(
  label: string,
  sounds: Sounds | undefined,
  problems: Diagnostic[],
): readonly Sound[] {
  const names = filesOf(label);
  if (names.length === 0) return [SILENCE];
  return names.map((name) => {
    const sound = sounds !== undefined && Object.hasOwn(sounds, name) ? sounds[name] : undefined;
    if (sound !== undefined) return sound;
    const message = `there is no recording "${name}" in the folders for them`;
    if (!problems.some((problem) => problem.message === message)) {
      problems.push(diagnostic('FAUST_UNSUPPORTED', '', message));
    }
    return SILENCE;
  });
}
