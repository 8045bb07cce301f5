/**
 * The real daemon as a child process, on a free port with a state folder of its own.
 *
 * Invariant: `stop` ends it as a service manager would (SIGTERM), tells its exit code, and removes
 * the folder; what it wrote to stderr is in every error.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Daemon {
  /** http://127.0.0.1:PORT */
  readonly address: string;
  readonly pid: number;
  /** JSON of a REST answer under /api/v1; throws on a problem. */
  request(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Standard error so far. */
  log(): string;
  stop(): Promise<number | null>;
}

const MAIN = fileURLToPath(new URL('../../server/main.ts', import.meta.url));

export async function startDaemon(env: Readonly<Record<string, string>> = {}): Promise<Daemon> {
  const state = mkdtempSync(join(tmpdir(), 'livegrad-state-'));
  const child = spawn(process.execPath, [MAIN], {
    env: {
      ...process.env,
      LIVEGRAD_HTTP_PORT: '0',
      LIVEGRAD_AUDIO_BACKEND: 'virtual',
      LIVEGRAD_STATE_DIR: state,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const address = await new Promise<string>((resolve, reject) => {
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      const found = /http:\/\/[\d.]+:\d+/u.exec(stdout);
      if (found !== null && stdout.includes('\n')) resolve(found[0]);
    });
    void exited.then((code) => reject(new Error(`the daemon ended with ${code}:\n${stderr}`)));
  });
  return {
    address,
    pid: child.pid!,
    log: () => stderr,
    async request(method, path, body) {
      const response = await fetch(`${address}/api/v1${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      });
      const json: unknown = await response.json();
      if (!response.ok) {
        throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(json)}\n${stderr}`);
      }
      return json;
    },
    async stop() {
      child.kill('SIGTERM');
      const code = await exited;
      rmSync(state, { recursive: true, force: true });
      return code;
    },
  };
}
