/**
 * The process of the MIDI ports: opens all that fit and goes on looking for more.
 *
 * Invariants: it ends with its parent; it keeps no state but open ports. A port of this very kind of
 * program, or one that only leads back ("Midi Through"), is opened only where it is named.
 */

import type { Order, PortOptions, Told } from './ports.ts';

/** Of the package, as far as it is used. */
interface Port {
  getPortCount(): number;
  getPortName(port: number): string;
  openPort(port: number): void;
  closePort(): void;
  destroy(): void;
}
interface InputPort extends Port {
  on(event: 'messageBuffer', heard: (deltaTime: number, message: Buffer) => void): unknown;
}
interface OutputPort extends Port {
  sendMessage(message: readonly number[]): void;
}
interface Midi {
  readonly Input: new () => InputPort;
  readonly Output: new () => OutputPort;
}

/** Between two looks for ports, ms. */
const LOOK = 1000;

const { inputs, outputs, module } = JSON.parse(process.argv[2] ?? '{}') as PortOptions & {
  readonly module: string;
};
const tell = (told: Told): void => void process.send?.(told, () => {});

/** ALSA's numbers of client and port are others after each start. */
const plainName = (name: string): string => name.replace(/ \d+:\d+$/u, '');
const isUsual = (name: string): boolean => !/^(?:Midi Through|RtMidi )/u.test(name);
const fits = (name: string, wanted: readonly string[]): boolean =>
  wanted.length === 0 ? isUsual(name) : wanted.some((part) => name.includes(part));

/** A port, and its name with numbers: one that was pulled out and came back has others. */
interface Opened<P> {
  readonly port: P;
  readonly full: string;
}

/** Opens what is new and fits, closes what is gone. */
function follow<P extends Port>(
  scout: P,
  open: Map<string, Opened<P>>,
  wants: (name: string) => boolean,
  make: (name: string) => P,
): boolean {
  let hasChanged = false;
  const there = new Map<string, { readonly index: number; readonly full: string }>();
  // Of several of one name the first.
  for (let index = scout.getPortCount() - 1; index >= 0; index--) {
    const full = scout.getPortName(index);
    there.set(plainName(full), { index, full });
  }
  for (const [name, { port, full }] of open) {
    if (there.get(name)?.full === full && wants(name)) continue;
    port.destroy();
    open.delete(name);
    hasChanged = true;
  }
  for (const [name, { index, full }] of there) {
    if (open.has(name) || !wants(name)) continue;
    const port = make(name);
    try {
      port.openPort(index);
    } catch {
      // Another program has it: the next look may have more luck.
      port.destroy();
      continue;
    }
    open.set(name, { port, full });
    hasChanged = true;
  }
  return hasChanged;
}

function run({ Input, Output }: Midi): void {
  const scouts = { input: new Input(), output: new Output() };
  const heard = new Map<string, Opened<InputPort>>();
  const told = new Map<string, Opened<OutputPort>>();
  const makeInput = (name: string): InputPort => {
    const input = new Input();
    input.on('messageBuffer', (_, bytes) => tell({ kind: 'heard', port: name, bytes }));
    return input;
  };
  const look = (isFirst: boolean): void => {
    const wantsOutput = (name: string): boolean =>
      outputs.length === 0 ? heard.has(name) : fits(name, outputs);
    const moved = [
      follow(scouts.input, heard, (name) => fits(name, inputs), makeInput),
      follow(scouts.output, told, wantsOutput, () => new Output()),
    ];
    if (!isFirst && !moved.includes(true)) return;
    tell({ kind: 'opened', inputs: [...heard.keys()], outputs: [...told.keys()] });
  };
  look(true);
  setInterval(() => look(false), LOOK);
  process.on('message', ({ port, messages }: Order) => {
    for (const message of messages) {
      try {
        told.get(port)?.port.sendMessage(message);
      } catch {
        // It has just been pulled out: the next look sees it.
      }
    }
  });
}

process.on('disconnect', () => process.exit());
// Signals to the whole group are the parent's business.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
try {
  run((await import(module)) as Midi);
} catch (error) {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const failed: Told = { kind: 'failed', code, message };
  process.send?.(failed, () => process.exit());
}
