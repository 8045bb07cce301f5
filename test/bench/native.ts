/**
 * The native side: compiles `native/*.c` once and drives the process that runs the kernels.
 *
 * One process for a whole run; it is idle while the generated code is measured, and the other way
 * round. Its language is in the header of `native/main.c`.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { BUILD, ROOT, which } from '../../server/launch/paths.mjs';
import { RANGE } from './kernels/kernel.ts';
import type { Kernel } from './kernels/kernel.ts';
import type { Signals, State } from './ours.ts';

const SOURCES = join(ROOT, 'test/bench/native');
export const COMPILER = 'g++';
export const FLAGS = ['-O3', '-march=native', '-ffast-math'] as const;

export const hasCompiler = (): boolean => which(COMPILER) !== null;

/** Compiles the kernels; returns the program's path. Throws with the compiler's words. */
export function buildNative(): string {
  const folder = join(BUILD, 'bench');
  // Of this process alone: the bench and its test may run at the same time.
  const program = join(folder, `native-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const sources = readdirSync(SOURCES).filter((file) => file.endsWith('.c'));
  const { status, stderr } = spawnSync(COMPILER, [...FLAGS, ...sources, '-o', program, '-lm'], {
    cwd: SOURCES,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${COMPILER} could not compile ${SOURCES}:\n${stderr}`);
  return program;
}

export class Native {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #signals: Signals;

  constructor(program: string, signals: Signals) {
    this.#process = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    this.#signals = signals;
  }

  async start(kernel: Kernel): Promise<void> {
    const { x, d } = this.#signals;
    const { native, frames, initial, rate } = kernel;
    const window = kernel.window === 0 ? frames : kernel.window;
    await this.#expectOk(['signals', frames, ...x.subarray(0, frames), ...d.subarray(0, frames)]);
    const settings = [native.size, window, frames, rate, RANGE.min, RANGE.max, initial.length];
    await this.#expectOk(['start', native.name, ...settings, ...initial]);
  }

  /** What the kernel has computed after some blocks from the start. */
  async check(kernel: Kernel, blocks: number): Promise<State> {
    const values = (await this.#ask(['check', blocks])).split(' ').map(Number);
    const { frames, initial } = kernel;
    const params = initial.length;
    return {
      loss: values[0]!,
      output: values.slice(1, 1 + frames),
      gradients: values.slice(1 + frames, 1 + frames + params),
      params: values.slice(1 + frames + params),
    };
  }

  /** Median nanoseconds per sample. */
  async time(seconds: number): Promise<number> {
    return Number(await this.#ask(['time', seconds]));
  }

  async close(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.stdin.end();
    await ended;
  }

  async #expectOk(command: readonly (string | number)[]): Promise<void> {
    const answer = await this.#ask(command);
    if (answer !== 'ok') throw new Error(`native ${command.slice(0, 2).join(' ')}: ${answer}`);
  }

  async #ask(command: readonly (string | number)[]): Promise<string> {
    this.#process.stdin.write(`${command.join(' ')}\n`);
    const answer = await this.#lines.next();
    if (answer.done === true) throw new Error('the native program has ended');
    return answer.value;
  }
}
