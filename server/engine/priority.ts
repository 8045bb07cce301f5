/**
 * Real-time scheduling for the calling thread and libuv's pool, whose threads wait inside
 * PortAudio on its behalf. Linux only, through util-linux's `chrt`: Node has no call for it.
 *
 * Granted to root and to users with an rtprio limit. Asking is harmless: what was not granted is
 * reported, and audio runs without it. Must be called before the stream starts.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

import { messageOf } from '../audio/problem.ts';
import type { Realtime } from './types.ts';

/** Below the sound server's own threads (70 and up), above everything else. */
const AUDIO = 60;
const POOL = 58;
const POOL_NAME = 'libuv-worker';

export async function requestRealtime(): Promise<Realtime> {
  if (process.platform !== 'linux') {
    return { granted: false, detail: `not supported on ${process.platform}` };
  }
  try {
    const own = Number(readlinkSync('/proc/thread-self').split('/').pop());
    await readFile('/proc/self/stat'); // the pool's threads start with the first task
    const refusal = schedule(own, AUDIO);
    if (refusal !== null) return { granted: false, detail: refusal };
    const pool = readdirSync('/proc/self/task').filter((tid) =>
      readFileSync(`/proc/self/task/${tid}/comm`, 'utf8').startsWith(POOL_NAME),
    );
    const granted = pool.filter((tid) => schedule(Number(tid), POOL) === null).length;
    return { granted: true, detail: `SCHED_FIFO ${AUDIO}, ${granted} pool threads ${POOL}` };
  } catch (error) {
    return { granted: false, detail: messageOf(error) };
  }
}

/** Null when granted, else why not. */
function schedule(tid: number, priority: number): string | null {
  const done = spawnSync('chrt', ['-f', '-p', String(priority), String(tid)], { encoding: 'utf8' });
  if (done.error !== undefined) return messageOf(done.error);
  return done.status === 0 ? null : done.stderr.trim() || `chrt ended with ${done.status}`;
}
