/**
 * MIDI ports of this machine, in a process of their own: native code may crash, and what it prints
 * would be in the log.
 *
 * Invariants: nothing is loaded before this is called; every port that fits the configuration is open
 * soon after it is plugged in. Where MIDI is not to be had `lost` is called with one sentence that
 * says what was expected and what was found, and nothing is tried again; a process that crashes is
 * replaced.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../engine/supervisor.ts';

/** What the ports tell. */
export interface PortListener {
  /** The ports that are open now. */
  opened(inputs: readonly string[], outputs: readonly string[]): void;
  heard(port: string, bytes: Uint8Array): void;
  /** There are none, and why. */
  lost(reason: string): void;
}

export interface Ports {
  /** Messages to an output; those to one that is gone are lost. */
  send(port: string, messages: readonly (readonly number[])[]): void;
  close(): Promise<void>;
}

export type OpenPorts = (listener: PortListener) => Ports;

export interface PortOptions {
  /** Names, or parts of names: empty takes all. */
  readonly inputs: readonly string[];
  /** Likewise: empty takes those that are inputs as well. */
  readonly outputs: readonly string[];
}

/** From the process of the ports. */
export type Told =
  | { readonly kind: 'opened'; readonly inputs: string[]; readonly outputs: string[] }
  | { readonly kind: 'heard'; readonly port: string; readonly bytes: Uint8Array }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** To it. */
export interface Order {
  readonly port: string;
  readonly messages: readonly (readonly number[])[];
}

const PACKAGE = '@julusian/midi';
/** From a crash to the next process, ms; after the next crash twice as long, and so on. */
const PAUSE = 5000;
const LONGEST_PAUSE = 300_000;
/** Characters of what native code printed that are kept. */
const PRINTED = 4096;
/** How long the end may last, ms. */
const FAREWELL = 1000;

/** @param module  what to load, for tests */
export function openPorts(
  options: PortOptions,
  log: Logger,
  listener: PortListener,
  module: string = PACKAGE,
): Ports {
  const script = fileURLToPath(new URL('./ports-process.ts', import.meta.url));
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let pause = PAUSE;
  const start = (): void => {
    const own = fork(script, [JSON.stringify({ ...options, module })], {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child = own;
    let printed = '';
    let failed: Extract<Told, { kind: 'failed' }> | undefined;
    own.stderr?.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-PRINTED);
    });
    own.on('message', (told: Told) => {
      if (isClosed) return;
      if (told.kind === 'opened') listener.opened(told.inputs, told.outputs);
      else if (told.kind === 'heard') listener.heard(told.port, told.bytes);
      else failed = told;
    });
    own.on('error', (error) => {
      failed = { kind: 'failed', code: '', message: error.message };
    });
    // Its streams are closed: whatever it printed is here.
    own.on('close', (code, signal) => {
      child = undefined;
      if (isClosed) return;
      if (printed !== '') log.debug({ printed }, 'the process of the MIDI ports said');
      if (failed !== undefined) {
        listener.lost(reasonOf(failed, printed));
        return;
      }
      const how = signal ?? `code ${code}`;
      listener.lost(
        `the process of the MIDI ports ended with ${how}; it is started again in ${pause / 1000} s`,
      );
      timer = setTimeout(start, pause).unref();
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    });
  };
  start();
  return {
    send(port, messages) {
      if (child?.connected === true) child.send({ port, messages } satisfies Order, () => {});
    },
    async close() {
      isClosed = true;
      clearTimeout(timer);
      const own = child;
      if (own === undefined) return;
      const gone = once(own, 'exit');
      const late = setTimeout(() => own.kill('SIGKILL'), FAREWELL);
      if (own.connected) own.disconnect();
      await gone;
      clearTimeout(late);
    },
  };
}

/** What was expected, and what was found. */
function reasonOf({ code, message }: Extract<Told, { kind: 'failed' }>, printed: string): string {
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
    return `the package ${PACKAGE} is not installed: expected it among the optional dependencies; "npm install --include=optional" brings it`;
  }
  if (process.platform !== 'linux') return `the MIDI system does not open: ${message}`;
  const said = /open (\S+ failed: .*)/u.exec(printed)?.[1];
  const got = said === undefined ? message : `${message} (${said})`;
  return `expected the ALSA sequencer at /dev/snd/seq, got: ${got}; "modprobe snd-seq" loads it, and the user must be in the group audio`;
}
