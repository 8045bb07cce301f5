/**
 * One engine process as the supervisor sees it: spawned, spoken to, killed, gone.
 *
 * Invariants: `gone` is called exactly once, after the process has really ended; nothing is
 * reported after it; the process never outlives ours. It makes no decisions.
 */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { Command, Report } from './types.ts';

/** Makes C stdout line-buffered, so that PortAudio's prints arrive when they happen. */
const STDBUF = '/usr/bin/stdbuf';
/** Milliseconds that the pipes of an ended process are waited for. */
const LAST_WORDS = 250;
/** Lines of stderr kept to explain a crash. */
const KEPT = 20;

export interface EngineProcess {
  readonly pid: number;
  /** The last lines of stderr. */
  readonly complaints: readonly string[];
  send(command: Command): void;
  kill(): void;
}

export interface EngineListener {
  report(report: Report): void;
  /** A line on C stdout: PortAudio and the binding print there. */
  line(text: string): void;
  gone(code: number | null, signal: NodeJS.Signals | null): void;
}

export function spawnEngine(listener: EngineListener): EngineProcess {
  const script = fileURLToPath(new URL('./engine.ts', import.meta.url));
  const node = process.execPath;
  const [execPath, execArgv] = existsSync(STDBUF) ? [STDBUF, ['-oL', node]] : [node, []];
  const child = fork(script, [], {
    execPath,
    execArgv,
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const complaints: string[] = [];
  const killWithUs = () => child.kill('SIGKILL');
  process.once('exit', killWithUs);

  let gone = false;
  const leave = (code: number | null, signal: NodeJS.Signals | null) => {
    if (gone) return;
    gone = true;
    process.off('exit', killWithUs);
    listener.gone(code, signal);
  };
  child.on('message', (report: Report) => {
    if (!gone) listener.report(report);
  });
  // The last words of a process may still be in its pipes when it exits.
  child.on('exit', (code, signal) => {
    const heard = () => {
      if (!child.connected && closed) leave(code, signal);
    };
    let closed = false;
    child.on('disconnect', heard);
    child.on('close', () => {
      closed = true;
      heard();
    });
    setTimeout(leave, LAST_WORDS, code, signal);
  });
  child.on('error', (error) => {
    complaints.push(error.message);
    if (child.pid === undefined) leave(null, null);
  });
  lines(child, 'stdout', (text) => listener.line(text));
  lines(child, 'stderr', (text) => {
    complaints.push(text);
    if (complaints.length > KEPT) complaints.shift();
  });

  return {
    pid: child.pid ?? 0,
    complaints,
    send(command) {
      if (child.connected) child.send(command, () => undefined);
    },
    kill() {
      child.kill('SIGKILL');
    },
  };
}

function lines(child: ChildProcess, from: 'stdout' | 'stderr', take: (text: string) => void): void {
  const stream = child[from];
  if (stream === null) return;
  createInterface({ input: stream }).on('line', take);
}

/** Over- and underflows announced by one printed line. */
export function countXruns(line: string): number {
  if (!line.includes('portAudio status')) return 0;
  return line.match(/(input|output) (under|over)flow/g)?.length ?? 0;
}
