/** How loud a block is and whether it is finite, against the plain question asked of each sample. */

import { expect, test } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { NOT_FINITE } from '../../../dsp/run/kernel.ts';
import { wasmKernel } from '../../../dsp/run/wasm-kernel.ts';
import { random } from '../../support/random-graph.ts';

const BLOCK = 61;
const wordOf = (x: number): number => new Int32Array(Float32Array.of(Math.abs(x)).buffer)[0]!;

const artifact = compile(EXAMPLES['gain']!, { sampleRate: 48_000, maxBlock: BLOCK, latency: 0 });
if (!artifact.ok) throw new Error('gain');
const kernel = wasmKernel(artifact.value, new WebAssembly.Module(artifact.value.wasm.slice()));

test('the peak of a piece is that of its loudest sample, wherever it is', () => {
  const next = random(1);
  const channel = kernel.inputs[0]!;
  channel.forEach((_, k) => (channel[k] = next() * 2 - 1));
  for (let from = 0; from < 9; from++) {
    for (let count = 0; count <= BLOCK - from; count++) {
      const loudest = Math.max(0, ...Array.from(channel.subarray(from, from + count), Math.abs));
      expect(kernel.peakIn(0, from, count)).toBe(wordOf(loudest));
    }
  }
});

test.each([NaN, -NaN, Infinity, -Infinity, 3.4e38, -1e-40, 0])('%f is told for what it is', (x) => {
  const channel = kernel.outputs[0]!;
  for (let at = 0; at < BLOCK; at++) {
    channel.fill(0);
    channel[at] = x;
    const peak = kernel.peakOut(0, 0, BLOCK);
    expect(peak >= NOT_FINITE).toBe(!Number.isFinite(x));
    if (Number.isFinite(x)) expect(peak).toBe(wordOf(x));
    expect(kernel.peakOut(0, at + 1, BLOCK - at - 1)).toBe(0);
    expect(kernel.peakOut(0, 0, at)).toBe(0);
  }
});
