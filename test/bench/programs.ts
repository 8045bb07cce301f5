/**
 * Speed of the shipped examples: generated code against the same mathematics written by hand in
 * JavaScript, in the same run; one row per program.
 *
 * Medians of whole blocks after warm-up; the ratio is what counts, machines differ.
 */

import { measure } from 'mitata';
import { compile } from '../../dsp/compile.ts';
import { EXAMPLES } from '../../dsp/examples/index.ts';
import { translate } from '../../server/engine/translate.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { BLOCK, SAMPLE_RATE, noise } from './kernels/kernel.ts';

/**
 * A learning step over one block by hand: what a careful programmer would write for this one
 * problem, state in locals over the loop.
 */
type ByHand = (x: Float32Array, x2: Float32Array, out: Float32Array) => void;

const clamp = (value: number, limit: number): number => Math.max(-limit, Math.min(limit, value));

function gain(): ByHand {
  const state = { g: 1 };
  return (x, _, out) => {
    const { g } = state;
    let gradient = 0;
    let loss = 0;
    for (let n = 0; n < BLOCK; n++) {
      const y = x[n]! * g;
      const e = y - x[n]! * 0.3;
      out[n] = y;
      loss += e * e;
      gradient += 2 * e * x[n]!;
    }
    sink = loss;
    state.g = clamp(g - gradient / BLOCK, 2);
  };
}

function gainDc(): ByHand {
  const state = { g: 1, dc: 0 };
  return (x, _, out) => {
    const { g, dc } = state;
    let dg = 0;
    let ddc = 0;
    let loss = 0;
    for (let n = 0; n < BLOCK; n++) {
      const y = x[n]! * g + dc;
      const e = y - (x[n]! * 0.6 - 0.2);
      out[n] = y;
      loss += e * e;
      dg += 2 * e * x[n]!;
      ddc += 2 * e;
    }
    sink = loss;
    state.g = clamp(g - (0.3 * dg) / BLOCK, 2);
    state.dc = clamp(dc - (0.3 * ddc) / BLOCK, 1);
  };
}

function onePole(): ByHand {
  const state = { a: 0, y: 0, dy: 0, t: 0 };
  return (x, _, out) => {
    const { a } = state;
    let { y, dy, t } = state;
    let gradient = 0;
    let loss = 0;
    for (let n = 0; n < BLOCK; n++) {
      dy = y + a * dy;
      y = x[n]! + a * y;
      t = x[n]! + 0.5 * t;
      const e = y - t;
      out[n] = y;
      loss += e * e;
      gradient += 2 * e * dy;
    }
    sink = loss;
    Object.assign(state, { a: clamp(a - (0.5 * gradient) / BLOCK, 0.95), y, dy, t });
  };
}

function loopback(): ByHand {
  const state = { g: 1 };
  return (x, x2, out) => {
    const { g } = state;
    let gradient = 0;
    let loss = 0;
    for (let n = 0; n < BLOCK; n++) {
      const e = x[n]! * g - x2[n]!;
      out[n] = x[n]!;
      loss += e * e;
      gradient += 2 * e * x[n]!;
    }
    sink = loss;
    state.g = clamp(g - gradient / BLOCK, 4);
  };
}

let sink = 0;
const BY_HAND: Readonly<Record<string, () => ByHand>> = {
  gain,
  'gain-dc': gainDc,
  'one-pole': onePole,
  loopback,
};

/** Median nanoseconds per sample. */
async function perSample(block: () => void): Promise<number> {
  const stats = await measure(block, { min_cpu_time: 3e8 });
  return (stats.p50 ?? stats.avg) / BLOCK;
}

/** A Markdown table. */
export async function measurePrograms(): Promise<string> {
  let table =
    '| program | generated, ns/sample | by hand in JavaScript | ratio | compile, ms | x real time |\n' +
    '|---|---|---|---|---|---|\n';
  for (const [name, make] of Object.entries(BY_HAND)) {
    const patch = EXAMPLES[name]!;
    const begin = performance.now();
    const artifact = compile(patch, { sampleRate: SAMPLE_RATE, maxBlock: BLOCK, latency: 0 });
    if (!artifact.ok) throw new Error(name);
    const module = translate(artifact.value.wasm);
    const compileMs = performance.now() - begin;
    const instance = new Instance(artifact.value, module);
    instance.setSchedule(patch.training!.schedule);
    instance.learning = true;
    const [x, out] = [noise(BLOCK, 1, 0.5), new Float32Array(BLOCK)];
    for (const input of instance.inputs) input.set(x);
    const generated = await perSample(() => instance.process(BLOCK));
    const hand = make();
    const byHand = await perSample(() => hand(x, x, out));
    const row = [
      name,
      generated.toFixed(2),
      byHand.toFixed(2),
      (generated / byHand).toFixed(2),
      compileMs.toFixed(1),
      Math.round(1e9 / generated / SAMPLE_RATE).toLocaleString('en'),
    ];
    table += `| ${row.join(' | ')} |\n`;
  }
  if (!Number.isFinite(sink)) throw new Error('the hand-written programs diverged');
  return table;
}
