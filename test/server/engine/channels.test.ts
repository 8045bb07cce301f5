/** The map of channels: what a program hears and plays of a device, and how it goes over to another. */

import { expect, test } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import { Instance } from '../../../dsp/run/instance.ts';
import { ChannelMap } from '../../../server/engine/channels.ts';
import { Switches } from '../../../server/engine/controls.ts';
import { Host } from '../../../server/engine/host.ts';
import { recordLayout } from '../../../server/engine/record.ts';
import { Ring } from '../../../server/engine/ring.ts';
import { Tap } from '../../../server/engine/tap.ts';

const RATE = 48000;
const FRAMES = 256;

/** Two programs in one: the first input to the first output, the second, halved, to the second. */
function rig() {
  const patch = parsePatch({
    format: 'livegrad.patch/1',
    name: 'pair',
    nodes: {
      left: { op: 'input', channel: 1 },
      right: { op: 'input', channel: 2 },
      half: { op: 'mul', in: ['right', 0.5] },
    },
    outputs: ['left', 'half'],
  });
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  const compiled = compile(patch.value, { sampleRate: RATE, maxBlock: FRAMES, latency: 0 });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  const artifact = compiled.value;
  const instance = new Instance(artifact, new WebAssembly.Module(artifact.wasm));
  const channels = new ChannelMap();
  const inputs = [0.1, 0.2, 0.3, 0.4].map((level) => new Float32Array(FRAMES).fill(level));
  const outputs = inputs.map(() => new Float32Array(FRAMES));
  const layout = recordLayout(0, 4, 4);
  const ring = Ring.create(layout.length, 16);
  const deck = { generation: 1, controls: null, ring, layout, memory: 0, inherits: null };
  const host = new Host({
    sampleRate: RATE,
    inputs,
    outputs,
    switches: new Switches(),
    channels,
    idle: { ...deck, generation: 0, instance: null, recall: null },
    now: () => 0,
    lateBlocks: () => 0,
    onMail: () => undefined,
    tap: Tap.create({ inputs: 4, outputs: 4, blockSize: FRAMES }, 4096),
  });
  host.swap({ ...deck, instance, recall: null });
  /** The last sample of each output, after so many blocks, and the greatest leap of any of them. */
  const play = (blocks: number): { levels: number[]; leap: number } => {
    let leap = 0;
    const last = outputs.map((channel) => channel.at(-1)!);
    for (let k = 0; k < blocks; k++) {
      host.block(FRAMES);
      outputs.forEach((channel, c) => {
        for (const x of channel) {
          leap = Math.max(leap, Math.abs(x - last[c]!));
          last[c] = x;
        }
      });
    }
    return { levels: last.map((x) => Math.round(x * 1000) / 1000), leap };
  };
  return { channels, play };
}

test('channels are as they are until a map says otherwise, and back', () => {
  const { channels, play } = rig();
  expect(play(40).levels).toEqual([0.1, 0.1, 0, 0]);
  channels.set([3, 4], [4, 1]);
  const gone = play(20);
  expect(gone.levels).toEqual([0.2, 0, 0, 0.3]);
  // Five milliseconds to silence and back: nothing cracks.
  expect(gone.leap).toBeLessThan(0.3 / 200);
  channels.set([], [3, 2]);
  expect(play(20).levels).toEqual([0, 0.1, 0.1, 0]);
  channels.set([], []);
  expect(play(20).levels).toEqual([0.1, 0.1, 0, 0]);
});

test('what the device does not have, or nobody names, is silence', () => {
  const { channels, play } = rig();
  channels.set([9, 2], [2, 9]);
  expect(play(40).levels).toEqual([0, 0, 0, 0]);
  channels.set([2], [1, 2]);
  expect(play(20).levels).toEqual([0.2, 0, 0, 0]);
  channels.set([2, 2], [1, 2]);
  expect(play(20).levels).toEqual([0.2, 0.1, 0, 0]);
});
