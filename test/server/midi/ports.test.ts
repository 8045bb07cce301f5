/**
 * The process of the ports: with a package made of a few lines, with none, and with the real one where
 * there is no sequencer; then with it crashed.
 */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { openPorts, type Ports } from '../../../server/midi/ports.ts';
import { silent } from '../control/fake.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

interface Heard {
  readonly ports: Ports;
  readonly opened: string[][];
  readonly heard: (readonly [string, number[]])[];
  readonly lost: string[];
}

function listen(module?: string, inputs: string[] = [], outputs: string[] = []): Heard {
  const all: Omit<Heard, 'ports'> = { opened: [], heard: [], lost: [] };
  const ports = openPorts(
    { inputs, outputs },
    silent,
    {
      opened: (...now) => all.opened.push(...now.map((names) => [...names])),
      heard: (port, bytes) => all.heard.push([port, [...bytes]]),
      lost: (reason) => all.lost.push(reason),
    },
    module,
  );
  opened.push(() => ports.close());
  return { ...all, ports };
}

/** What is sent to an output comes back from the input of its name; 254 pulls a port out and in, 255 ends the process. */
const LOOP = `
const NAMES = ['Midi Through:Midi Through Port-0 14:0', 'nanoKONTROL2:CTRL 20:0', 'synth:in 24:0'];
const inputs = new Map();
class Port {
  getPortCount() { return NAMES.length; }
  getPortName(k) { return NAMES[k]; }
  openPort(k) { this.at = k; }
  closePort() {}
  destroy() {}
}
export class Input extends Port {
  on(_, heard) { this.heard = heard; }
  openPort(k) { inputs.set(k, this); }
}
export class Output extends Port {
  sendMessage(bytes) {
    if (bytes[0] === 254) NAMES[1] = 'nanoKONTROL2:CTRL 28:0';
    if (bytes[0] === 255) process.abort();
    inputs.get(this.at)?.heard(0, Buffer.from(bytes));
  }
}
`;

function loop(): string {
  const folder = mkdtempSync(join(tmpdir(), 'livegrad-ports-'));
  opened.push(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'midi.mjs');
  writeFileSync(file, LOOP);
  return pathToFileURL(file).href;
}

test('ports that fit are opened by their plain names, and what is sent goes there', async () => {
  const it = listen(loop(), ['nano']);
  await vi.waitUntil(() => it.opened.length > 0, 5000);
  expect(it.opened).toEqual([['nanoKONTROL2:CTRL'], ['nanoKONTROL2:CTRL']]);
  it.ports.send('nanoKONTROL2:CTRL', [[0xb0, 1, 2]]);
  it.ports.send('synth:in', [[0xb0, 1, 3]]);
  await vi.waitUntil(() => it.heard.length > 0, 5000);
  expect(it.heard).toEqual([['nanoKONTROL2:CTRL', [0xb0, 1, 2]]]);
});

test('all are heard where none is named, but for what only leads back', async () => {
  const it = listen(loop(), [], ['synth']);
  await vi.waitUntil(() => it.opened.length > 0, 5000);
  expect(it.opened[0]?.toSorted()).toEqual(['nanoKONTROL2:CTRL', 'synth:in']);
  expect(it.opened[1]).toEqual(['synth:in']);
});

test('a port that was pulled out and comes back is opened anew', async () => {
  const it = listen(loop(), ['nano']);
  await vi.waitUntil(() => it.opened.length === 2, 5000);
  it.ports.send('nanoKONTROL2:CTRL', [[254]]);
  await vi.waitUntil(() => it.opened.length === 4, 5000);
  expect(it.opened.slice(2)).toEqual([['nanoKONTROL2:CTRL'], ['nanoKONTROL2:CTRL']]);
  it.ports.send('nanoKONTROL2:CTRL', [[0xb0, 1, 2]]);
  await vi.waitUntil(() => it.heard.length > 1, 5000);
  expect(it.heard.at(-1)).toEqual(['nanoKONTROL2:CTRL', [0xb0, 1, 2]]);
});

test('a process that crashes is told, and takes nobody with it', async () => {
  const it = listen(loop());
  await vi.waitUntil(() => it.opened.length > 0, 5000);
  it.ports.send('synth:in', [[255]]);
  await vi.waitUntil(() => it.lost.length > 0, 5000);
  expect(it.lost[0]).toContain('SIGABRT');
});

test('a package that is not there is said in one line, with what brings it', async () => {
  const it = listen('@julusian/midi-that-nobody-has');
  await vi.waitUntil(() => it.lost.length > 0, 5000);
  expect(it.lost).toHaveLength(1);
  expect(it.lost[0]).toMatch(/not installed.*--include=optional/u);
});

test.skipIf(process.platform !== 'linux' || existsSync('/dev/snd/seq'))(
  'a machine without the ALSA sequencer is said in one line, with what was expected and found',
  async () => {
    const it = listen();
    await vi.waitUntil(() => it.lost.length > 0, 5000);
    expect(it.lost).toHaveLength(1);
    expect(it.lost[0]).toMatch(
      /expected the ALSA sequencer at \/dev\/snd\/seq, got: .*modprobe snd-seq/u,
    );
    expect(it.lost[0]).not.toContain('\n');
  },
);
