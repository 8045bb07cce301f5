/**
 * A program in a real pseudo terminal, and what a person would see in it.
 *
 * The terminal itself is python3's `pty`: a bridge of a few lines that passes keys in, characters
 * out, and sizes on. `screenOf` understands the sequences that the client writes and no others.
 */

import { spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { environment, MAIN } from './run.ts';

const BRIDGE = `
import fcntl, json, os, pty, select, struct, sys, termios
columns, rows, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
def resize(columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', int(rows), int(columns), 0, 0))
resize(columns, rows)
pending = b''
waiting = [terminal, 0]
while True:
    ready, _, _ = select.select(waiting, [], [])
    if terminal in ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b''
        if not data:
            break
        os.write(1, data)
    if 0 in ready:
        data = os.read(0, 65536)
        if not data:
            waiting.remove(0)
        *lines, pending = (pending + data).split(b'\\n')
        for line in lines:
            order = json.loads(line)
            if 'keys' in order:
                os.write(terminal, order['keys'].encode())
            if 'size' in order:
                resize(*order['size'])
            if 'signal' in order:
                os.kill(pid, order['signal'])
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 200 + os.WTERMSIG(status))
`;

export interface Terminal {
  /** Everything written so far. */
  output(): string;
  /** Lines on the screen now. */
  screen(): string[];
  /** Until the screen is as asked. */
  until(condition: (lines: readonly string[]) => boolean): Promise<void>;
  keys(keys: string): void;
  resize(columns: number, rows: number): void;
  signal(number: number): void;
  readonly ended: Promise<number | null>;
}

/** Runs the client, or another script, in a terminal of 80 columns and 24 rows. */
export function openTerminal(args: readonly string[], script = MAIN): Terminal {
  const command = [process.execPath, script, ...args];
  const child = spawn('python3', ['-c', BRIDGE, '80', '24', ...command], {
    env: environment({ TERM: 'xterm-256color' }),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const order = (what: object): boolean => child.stdin.write(`${JSON.stringify(what)}\n`);
  onTestFinished(() => void child.kill());
  return {
    output: () => output,
    screen: () => screenOf(output),
    async until(condition) {
      const end = performance.now() + 20_000;
      while (!condition(screenOf(output))) {
        if (performance.now() > end)
          throw new Error(`never shown:\n${screenOf(output).join('\n')}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    keys: (keys) => void order({ keys }),
    resize: (columns, rows) => void order({ size: [columns, rows] }),
    signal: (number) => void order({ signal: number }),
    ended,
  };
}

const SEQUENCE = new RegExp(`${'\x1b'}\\[([?\\d;]*)([A-Za-z])|[^]`, 'gu');

/** The screen after some output; empty when the alternate screen was left. */
export function screenOf(output: string): string[] {
  let lines: string[] = [];
  let row = 0;
  for (const [piece, given = '', letter] of output.matchAll(SEQUENCE)) {
    if (letter === undefined) lines[row] = (lines[row] ?? '') + piece;
    else if (letter === 'H') {
      row = Number(given.split(';')[0]) - 1;
      lines[row] = '';
    } else if (letter === 'J') lines = given === '2' ? [] : lines.slice(0, row);
    else if (letter === 'l' && given === '?1049') lines = [];
  }
  return Array.from(lines, (line) => line ?? '');
}
