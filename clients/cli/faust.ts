/**
 * Evaluates a Faust program for a command that compiles by itself, in a thread: libfaust takes its
 * time and its stack there, and is not loaded for anything else.
 *
 * Invariant: it always answers, within the time that the daemon gives a compilation.
 */

import { delimiter } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Option, type Command } from 'commander';
import { diagnostic, fail } from '../../dsp/diagnostic.ts';
import type { Result } from '../../dsp/diagnostic.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import type { FaustFolders } from '../../server/faust/evaluator.ts';
import type { Evaluation } from '../../server/faust/thread.ts';

export interface FolderOptions {
  readonly faustLibraries?: readonly string[];
  readonly faustSounds?: readonly string[];
}

/** Milliseconds, megabytes. */
const TIME = 10_000;
const STACK = 8;

const list = (text: string): readonly string[] =>
  text.split(delimiter).filter((folder) => folder !== '');

/** Adds the options that say where a Faust program may read, besides its own folder. */
export function withFolders(command: Command): Command {
  return command
    .addOption(
      new Option('--faust-libraries <folders>', 'where a Faust program (.dsp) may import from')
        .env('LIVEGRAD_FAUST_LIBRARIES')
        .argParser(list),
    )
    .addOption(
      new Option('--faust-sounds <folders>', 'where the WAV files are that it plays')
        .env('LIVEGRAD_FAUST_SOUNDS')
        .argParser(list),
    );
}

/** @param own  folder of the file that the program is in */
export const foldersIn = (
  { faustLibraries = [], faustSounds = [] }: FolderOptions,
  own: string,
): FaustFolders => ({ libraries: [...faustLibraries, own], sounds: [...faustSounds, own] });

const ENDLESS = 'Does a slider stand where a definition counts, as in fi.lowpass(order, cutoff)?';

/** The patch of a document, with the evaluated program inside. */
export function evaluate(document: unknown, folders: FaustFolders): Promise<Result<Patch>> {
  const gaveUp = (why: string, hint?: string): Result<Patch> =>
    fail(diagnostic('FAUST_UNSUPPORTED', 'faust.code', `the program was given up: ${why}`, hint));
  return new Promise((resolve) => {
    const worker = new Worker(new URL('../../server/faust/thread.ts', import.meta.url), {
      workerData: { document, folders } satisfies Evaluation,
      resourceLimits: { stackSizeMb: STACK, maxOldGenerationSizeMb: 512 },
    });
    const timer = setTimeout(
      () => settle(gaveUp(`it took more than ${TIME / 1000} s to evaluate`, ENDLESS)),
      TIME,
    );
    const settle = (result: Result<Patch>): void => {
      clearTimeout(timer);
      void worker.terminate();
      resolve(result);
    };
    worker.once('message', settle);
    worker.once('error', (error) => settle(gaveUp(String(error))));
    worker.once('exit', () => settle(gaveUp('its thread ended')));
  });
}
