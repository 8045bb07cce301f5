/**
 * What every command shares: how it joins the program, options that several have, and reading
 * numbers from the command line.
 *
 * Invariant: a command is a function that takes its arguments and gives an Answer; this file and
 * `main.ts` are the only ones that know commander's way of calling it.
 */

import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { Answer } from './answer.ts';
import type { Style } from './style.ts';

export type TerminalStream = NodeJS.WriteStream & { readonly fd: number };

/** What a command may look at besides its arguments. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: TerminalStream;
  readonly stderr: NodeJS.WriteStream;
  /** Of stdout. */
  readonly style: Style;
  /** Whether the answer will be printed as a JSON document. */
  readonly json: boolean;
}

/** Runs a command's work and prints its answer. */
export type Deliver = (work: (around: Surroundings) => Promise<Answer> | Answer) => Promise<void>;

/** Adds one command to the program. */
export type Register = (program: Command, deliver: Deliver) => void;

export const DEFAULT_URL = 'http://127.0.0.1:8440';

export interface HostOptions {
  readonly url?: string;
  readonly token?: string;
}

/** On the machine of the host the token in its settings will do. */
const TOKEN = process.env['LIVEGRAD_TOKEN'] ? 'LIVEGRAD_TOKEN' : 'LIVEGRAD_HTTP_TOKEN';

/** Adds the options that say which host is meant. */
export function withHost(command: Command): Command {
  return command
    .addOption(
      new Option('--host, --url <url>', `the host's address (default: "${DEFAULT_URL}")`).env(
        'LIVEGRAD_URL',
      ),
    )
    .addOption(new Option('--token <token>', 'a token, where the host asks for one').env(TOKEN));
}

/** Adds the options that say what to compile for. */
export function withCompiler(command: Command): Command {
  return command
    .option('--block-size <frames>', 'most frames per block', whole(1, 8192), 128)
    .option(
      '--latency <frames>',
      'device round trip that "align" makes up for',
      whole(0, 2 ** 22),
      0,
    );
}

/** A number from the command line. */
export const real =
  (min: number, max: number) =>
  (text: string): number => {
    const value = text.trim() === '' ? NaN : Number(text);
    if (!(value >= min && value <= max)) {
      throw new InvalidArgumentError(`Expected a number from ${min} to ${max}.`);
    }
    return value;
  };

/** A whole number from the command line. */
export const whole =
  (min: number, max: number) =>
  (text: string): number => {
    const value = text.trim() === '' ? NaN : Number(text);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
    }
    return value;
  };

export const sampleRate = whole(8000, 384_000);

export const onOff = (text: string): boolean => {
  if (text !== 'on' && text !== 'off') throw new InvalidArgumentError('Expected "on" or "off".');
  return text === 'on';
};

/** `id=value`, collected. */
export function setting(text: string, earlier: readonly Setting[] = []): readonly Setting[] {
  const equals = text.lastIndexOf('=');
  const value =
    equals < 1 || text.slice(equals + 1).trim() === '' ? NaN : Number(text.slice(equals + 1));
  if (!Number.isFinite(value)) {
    throw new InvalidArgumentError('Expected id=value with a number, such as hidden/gain=0.7.');
  }
  return [...earlier, { id: text.slice(0, equals), value }];
}

export interface Setting {
  readonly id: string;
  readonly value: number;
}
