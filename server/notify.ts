/**
 * What systemd is told of the daemon: it is ready, it lives, it stops.
 *
 * systemd listens at a datagram socket of the Unix domain, which Node cannot open; its own
 * `systemd-notify` can, and waits until it was heard, so that systemd still knows whose child spoke. As
 * it is a child the unit says `NotifyAccess=all`. A sign of life is sent from the event loop of the
 * control process, at half the time that the watchdog allows: who hangs, sends none.
 *
 * Invariant: without NOTIFY_SOCKET nothing happens; what fails is logged once, and stops nothing.
 */

import { execFile } from 'node:child_process';
import type { Logger } from './engine/supervisor.ts';

export class Notifier {
  readonly #env: NodeJS.ProcessEnv;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #failed = false;

  constructor(log: Logger, env: NodeJS.ProcessEnv = process.env) {
    this.#env = env;
    this.#log = log;
  }

  /** @param status  in words, for `systemctl status` */
  async ready(status: string): Promise<void> {
    await this.#say('READY=1', `STATUS=${status.replaceAll(/\s+/gu, ' ')}`);
    const { WATCHDOG_USEC: micros, WATCHDOG_PID: pid } = this.#env;
    const period = Number(micros) / 1000 / 2;
    const isOurs = pid === undefined || Number(pid) === process.pid;
    if (!(period > 0) || !isOurs || this.#timer !== undefined) return;
    this.#timer = setInterval(() => void this.#say('WATCHDOG=1'), period);
    this.#timer.unref();
  }

  async stopping(): Promise<void> {
    clearInterval(this.#timer);
    await this.#say('STOPPING=1');
  }

  /** Comes back when systemd has heard it, or never will. */
  #say(...words: readonly string[]): Promise<void> {
    if (!this.#env['NOTIFY_SOCKET']) return Promise.resolve();
    return new Promise((resolve) => {
      execFile('systemd-notify', words, { env: this.#env, timeout: 5000 }, (error) => {
        if (error !== null && !this.#failed) {
          this.#failed = true;
          this.#log.warn({ err: error }, 'systemd cannot be told how the daemon is');
        }
        resolve();
      });
    });
  }
}
