/**
 * Speed of learning programs: generated code against the same mathematics written by hand in
 * JavaScript, in the same run. Prints one row per program; `npm run bench`.
 *
 * Medians of whole blocks after warm-up; the ratio is what counts, machines differ.
 */

import { setFlagsFromString } from 'node:v8';
import { measure } from 'mitata';
import { compile } from '../../dsp/compile.ts';
import { EXAMPLES } from '../../dsp/examples/index.ts';
import { Instance } from '../../dsp/run/instance.ts';

setFlagsFromString('--no-liftoff');
setFlagsFromString('--no-wasm-lazy-compilation');

const BLOCK = 256;
const RATE = 48000;

/** A learning step over one block by hand: what a programmer would write for this one problem. */
type ByHand = (x: Float32Array, x2: Float32Array, out: Float32Array) => void;

function gain(): ByHand {
  let g = 1;
  return (x, _, out) => {
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
    g = Math.max(-2, Math.min(2, g - gradient / BLOCK));
  };
}

function gainDc(): ByHand {
  let [g, dc] = [1, 0];
  return (x, _, out) => {
    let [dg, ddc, loss] = [0, 0, 0];
    for (let n = 0; n < BLOCK; n++) {
      const y = x[n]! * g + dc;
      const e = y - (x[n]! * 0.6 - 0.2);
      out[n] = y;
      loss += e * e;
      dg += 2 * e * x[n]!;
      ddc += 2 * e;
    }
    sink = loss;
    g = Math.max(-2, Math.min(2, g - (0.3 * dg) / BLOCK));
    dc = Math.max(-1, Math.min(1, dc - (0.3 * ddc) / BLOCK));
  };
}

function onePole(): ByHand {
  let [a, y, dy, t] = [0, 0, 0, 0];
  return (x, _, out) => {
    let [gradient, loss] = [0, 0];
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
    a = Math.max(-0.95, Math.min(0.95, a - (0.5 * gradient) / BLOCK));
  };
}

function loopback(): ByHand {
  let g = 1;
  return (x, x2, out) => {
    let [gradient, loss] = [0, 0];
    for (let n = 0; n < BLOCK; n++) {
      const e = x[n]! * g - x2[n]!;
      out[n] = x[n]!;
      loss += e * e;
      gradient += 2 * e * x[n]!;
    }
    sink = loss;
    g = Math.max(-4, Math.min(4, g - gradient / BLOCK));
  };
}

let sink = 0;
const BY_HAND: Readonly<Record<string, () => ByHand>> = {
  gain,
  'gain-dc': gainDc,
  'one-pole': onePole,
  loopback,
};

function noise(): Float32Array {
  let state = 1;
  return Float32Array.from({ length: BLOCK }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 32;
  });
}

/** Median nanoseconds per sample. */
async function perSample(block: () => void): Promise<number> {
  const stats = await measure(block, { min_cpu_time: 3e8 });
  return (stats.p50 ?? stats.avg) / BLOCK;
}

process.stdout.write(
  `node ${process.version}, ${process.arch}, blocks and windows of ${BLOCK}\n\n` +
    '| program | generated, ns/sample | by hand in JavaScript | ratio | compile, ms | x real time |\n' +
    '|---|---|---|---|---|---|\n',
);
for (const [name, patch] of Object.entries(EXAMPLES)) {
  const begin = performance.now();
  const artifact = compile(patch, { sampleRate: RATE, maxBlock: BLOCK, latency: 0 });
  if (!artifact.ok) throw new Error(name);
  const module = new WebAssembly.Module(artifact.value.wasm);
  const compileMs = performance.now() - begin;
  const instance = new Instance(artifact.value, module);
  instance.setSchedule(patch.training!.schedule);
  instance.learning = true;
  const [x, out] = [noise(), new Float32Array(BLOCK)];
  for (const input of instance.inputs) input.set(x);
  const generated = await perSample(() => instance.process(BLOCK));
  const hand = BY_HAND[name]!();
  const byHand = await perSample(() => hand(x, x, out));
  const row = [
    name,
    generated.toFixed(2),
    byHand.toFixed(2),
    (generated / byHand).toFixed(2),
    compileMs.toFixed(1),
    Math.round(1e9 / generated / RATE).toLocaleString('en'),
  ];
  process.stdout.write(`| ${row.join(' | ')} |\n`);
}
if (!Number.isFinite(sink)) throw new Error('the hand-written programs diverged');
