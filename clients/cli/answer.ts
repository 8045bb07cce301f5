/**
 * What a command gives back, and how the process ends for it.
 *
 * Invariant: a command prints nothing on stdout itself; it returns one Answer, and `main.ts` prints
 * it either as text for people or as exactly one JSON document. Progress goes to stderr. `EXIT` and
 * `CLI_CODES` are the whole list of exit codes and of codes that this room makes; diagnostics of
 * the compiler, the audio room and the host pass through unchanged.
 */

import type { Diagnostic } from '../../dsp/diagnostic.ts';

export const EXIT = {
  /** Done. */
  done: 0,
  /** What was given is wrong or was refused: a patch, a sound file, a value. */
  refused: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** It ran, and the result is not what was expected: `train`, `gradcheck`. */
  unmet: 3,
  /** No host answers, or it does not let us in. */
  unreachable: 4,
  /** A mistake of ours. */
  internal: 70,
} as const;

export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** Every code that the command line client itself gives, with its meaning. */
export const CLI_CODES = {
  CLI_USAGE: 'an unknown command or option, or a value that an option cannot take',
  CLI_PATCH_UNKNOWN: 'PATCH is neither a shipped example nor a file',
  CLI_PATCH_UNREADABLE: 'the patch file exists and cannot be read',
  CLI_PATCH_SYNTAX: 'the patch file is not JSON',
  CLI_NOT_FAUST: 'the normal form was asked for, and the patch is no Faust program',
  CLI_CONTROL_UNKNOWN: 'the patch has no slider or parameter of this name',
  CLI_CONTROL_RANGE: 'a value is outside of the range of its slider or parameter',
  CLI_NO_TRAINING: 'the patch has no training',
  CLI_SOUND_CHANNELS: 'the sound does not have the channels that the patch listens to',
  CLI_SOUND_EMPTY: 'a sound file holds no frames',
  CLI_TARGET_NOT_INPUT: 'a target file was given, and the training target is not an input',
  CLI_LEARNING_STOPPED: 'a guard of the training tripped',
  CLI_HOST_UNREACHABLE: 'no host answers at this address',
  CLI_SNAPSHOT_UNREADABLE: 'the file of a snapshot cannot be read, or is not JSON',
  CLI_NOT_WRITTEN: 'a file could not be written',
  CLI_NOTHING_LEARNED: 'no controller was moved while one was waited for',
  CLI_NOT_STARTED: 'the daemon did not start',
  CLI_SERVICE: 'systemd does not run here, or could not do what was asked',
  CLI_INTERNAL: 'the command failed in a way that it should not',
} as const satisfies Record<string, string>;

export type CliCode = keyof typeof CLI_CODES;

/** A diagnostic that knows where in a file it is. */
export interface Finding extends Diagnostic {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** That line, where it says more than its number. */
  readonly excerpt?: string;
}

export interface Success {
  readonly ok: true;
  /** For --json. */
  readonly document: unknown;
  /** For people, without the last line break. */
  readonly text: string;
  readonly exit: Exit;
}

export interface Refusal {
  readonly ok: false;
  /** Of the first finding, unless something else names it better. */
  readonly code: string;
  readonly message: string;
  readonly findings: readonly Finding[];
  readonly exit: Exit;
}

export type Answer = Success | Refusal;

export const answer = (document: unknown, text: string, exit: Exit = EXIT.done): Success => ({
  ok: true,
  document,
  text,
  exit,
});

/** Refuses with everything that was found wrong. */
export function refuse(findings: readonly Finding[], exit: Exit = EXIT.refused): Refusal {
  const [first] = findings;
  const count = findings.length;
  return {
    ok: false,
    code: first?.code ?? 'CLI_INTERNAL',
    message: count === 1 && first !== undefined ? first.message : `${count} problems`,
    findings,
    exit,
  };
}

export function finding(code: CliCode, path: string, message: string, hint?: string): Finding {
  return hint === undefined ? { code, path, message } : { code, path, message, hint };
}

/** `{error: {code, message, diagnostics}}`. */
export function errorDocument(refusal: Refusal): unknown {
  const { code, message, findings } = refusal;
  return { error: { code, message, diagnostics: findings } };
}

/** More than a person reads at once; JSON has them all. */
const SHOWN = 50;

/** Of a line of source. */
const WIDTH = 120;

const shortened = (line: string): string =>
  line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line.trimEnd();

/** One block per finding: place, code, message, and the hint below. */
export function printRefusal(refusal: Refusal, title = 'error'): string {
  const blocks = refusal.findings.slice(0, SHOWN).map((f) => {
    const column = f.column === undefined ? '' : `${f.column}:`;
    const line = f.line === undefined ? '' : `${f.line}:${column}`;
    const place = f.file === undefined ? '' : `${f.file}:${line} `;
    const path = f.path === '' || f.message.includes(f.path) ? '' : `${f.path}: `;
    const hint = f.hint === undefined ? '' : `\n    ${f.hint}`;
    const excerpt =
      f.excerpt === undefined ? '' : `\n${`${f.line}`.padStart(6)} | ${shortened(f.excerpt)}`;
    return `${title} ${place}${f.code}  ${path}${f.message}${excerpt}${hint}`;
  });
  const rest = refusal.findings.length - blocks.length;
  return [...blocks, ...(rest > 0 ? [`... and ${rest} more`] : [])].join('\n');
}
