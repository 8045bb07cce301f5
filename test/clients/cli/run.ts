/** The real command line client as a child process, and files for it to read. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { WavWriter } from '../../../server/audio/wav.ts';
import { ROOT } from '../../support/sources.ts';

export const MAIN = join(ROOT, 'clients/cli/main.ts');

export interface Finished {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Without what the tester's own shell says about hosts and colours. */
export function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(LIVEGRAD_|NO_COLOR|FORCE_COLOR|LC_|LANG)/.test(name),
  );
  return { ...Object.fromEntries(kept), ...more };
}

export function livegrad(
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      env: environment(more),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
    child.on('error', reject);
    child.on('close', (exit) => resolve({ exit, ...said }));
  });
}

/** Its one JSON document; whatever else is on stdout fails to parse. */
export async function livegradJson<T = Record<string, unknown>>(
  ...args: string[]
): Promise<{ exit: number | null; document: T; stderr: string }> {
  const { exit, stdout, stderr } = await livegrad([...args, '--json']);
  return { exit, document: JSON.parse(stdout) as T, stderr };
}

export interface ErrorDocument {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly diagnostics: readonly {
      readonly code: string;
      readonly path: string;
      readonly message: string;
      readonly hint?: string;
      readonly line?: number;
      readonly column?: number;
    }[];
  };
}

/** A directory that is gone after the test. */
export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'livegrad-cli-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function textFile(name: string, text: string): string {
  const path = join(scratch(), name);
  writeFileSync(path, text);
  return path;
}

export function wavFile(
  name: string,
  sampleRate: number,
  channels: readonly Float32Array[],
): string {
  const path = join(scratch(), name);
  const writer = new WavWriter(path, {
    sampleRate,
    channels: channels.length,
    encoding: 'float32',
  });
  writer.write(channels, channels[0]?.length ?? 0);
  writer.close();
  return path;
}

/** White noise in [−½, ½), the same every time. */
export function noise(frames: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: frames }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 32;
  });
}
