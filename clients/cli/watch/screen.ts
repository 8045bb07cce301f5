/**
 * The terminal as a canvas of lines: alternate screen, no cursor, keys as they are pressed.
 *
 * Invariants: only lines that changed are written, in one write and one synchronised update, so that
 * nothing flickers; however the process ends (keys, signals, exceptions), the terminal is as it was
 * before. One Screen at a time. It knows nothing of what is drawn.
 */

import { writeSync } from 'node:fs';
import type { TerminalStream } from '../command.ts';
import { pieces, visibleLength } from '../style.ts';
import type { Size } from './view.ts';

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
const BEGIN = '\x1b[?2026h';
const END = '\x1b[?2026l';

const SIGNALS = { SIGINT: 0, SIGTERM: 143, SIGHUP: 129 } as const;

export interface ScreenEvents {
  readonly onKey: (key: string) => void;
  readonly onResize: () => void;
  /** The user, or a signal, wants an end; `exit` is the process's exit code. */
  readonly onQuit: (exit: number) => void;
}

/** The writes that turn what a terminal shows into `lines`, none wider than `columns`. */
export function difference(
  before: readonly string[],
  lines: readonly string[],
  columns: number,
): string {
  const writes = lines.flatMap((line, row) => {
    if (line === before[row]) return [];
    // After a full line the cursor is still on its last character: erasing would take that.
    const rest = visibleLength(line) < columns ? '\x1b[K' : '';
    return [`\x1b[${row + 1};1H${line}\x1b[0m${rest}`];
  });
  if (before.length > lines.length) writes.push(`\x1b[${lines.length + 1};1H\x1b[J`);
  return writes.join('');
}

export class Screen {
  readonly #stdout: TerminalStream;
  readonly #stdin: NodeJS.ReadStream;
  readonly #events: ScreenEvents;
  #shown: readonly string[] = [];
  #open = false;

  constructor(stdout: TerminalStream, stdin: NodeJS.ReadStream, events: ScreenEvents) {
    this.#stdout = stdout;
    this.#stdin = stdin;
    this.#events = events;
  }

  get size(): Size {
    // A terminal of unknown size reports 0 by 0.
    return { columns: this.#stdout.columns || 80, rows: this.#stdout.rows || 24 };
  }

  open(): void {
    this.#open = true;
    process.on('exit', this.#leave);
    process.on('uncaughtException', this.#crash);
    for (const signal of Object.keys(SIGNALS)) process.on(signal, this.#signal);
    this.#stdout.on('resize', this.#resize);
    if (this.#stdin.isTTY) {
      this.#stdin.setRawMode(true);
      this.#stdin.setEncoding('utf8');
      this.#stdin.on('data', this.#key);
      this.#stdin.resume();
    }
    this.#stdout.write(ENTER);
  }

  draw(lines: readonly string[]): void {
    if (!this.#open) return;
    const writes = difference(this.#shown, lines, this.size.columns);
    this.#shown = lines;
    if (writes !== '') this.#stdout.write(`${BEGIN}${writes}${END}`);
  }

  close(): void {
    this.#leave();
    process.off('exit', this.#leave);
    process.off('uncaughtException', this.#crash);
    for (const signal of Object.keys(SIGNALS)) process.off(signal, this.#signal);
    this.#stdout.off('resize', this.#resize);
    this.#stdin.off('data', this.#key);
    this.#stdin.pause();
  }

  readonly #leave = (): void => {
    if (!this.#open) return;
    this.#open = false;
    try {
      if (this.#stdin.isTTY) this.#stdin.setRawMode(false);
      // Synchronous: this also runs as the very last thing of a process.
      writeSync(this.#stdout.fd, LEAVE);
    } catch {
      // The terminal itself is gone.
    }
  };

  readonly #crash = (error: unknown): void => {
    this.#leave();
    process.stderr.write(
      `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exit(70);
  };

  readonly #signal = (signal: NodeJS.Signals): void => {
    this.#events.onQuit(SIGNALS[signal as keyof typeof SIGNALS] ?? 1);
  };

  readonly #resize = (): void => {
    this.#shown = [];
    this.#stdout.write('\x1b[2J');
    this.#events.onResize();
  };

  readonly #key = (data: Buffer | string): void => {
    for (const key of pieces(String(data))) {
      if (key === 'q' || key === 'Q' || key === '\x03') this.#events.onQuit(0);
      else this.#events.onKey(key);
    }
  };
}
