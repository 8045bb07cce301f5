/**
 * What a gradient costs: in reverse mode a training step takes at most four times the instructions
 * of the forward pass, for any number of parameters.
 *
 * Instructions are counted by the compiler (`dsp/wasm/work.ts`, itself tested against code that
 * counts its rounds), so the figures are the same on every machine.
 */

import { describe, expect, it } from 'vitest';
import { compile } from '../../dsp/compile.ts';
import type { Artifact, GraphReport } from '../../dsp/artifact.ts';
import type { Result } from '../../dsp/diagnostic.ts';
import { parsePatch } from '../../dsp/patch/schema.ts';
import type { Patch } from '../../dsp/patch/schema.ts';

const LIMIT = 4;

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
  return result.value;
}

const vector = (size: number) => ({ size, initial: 0.1, min: -8, max: 8 });

/** A patch that fits `estimate` to a quieter copy of its noise. */
const fit = (window: number, params: object, nodes: object, estimate = 'estimate'): Patch =>
  must(
    parsePatch({
      format: 'livegrad.patch/1',
      name: 'cost',
      params,
      nodes: { x: { op: 'noise', seed: 1 }, target: { op: 'mul', in: ['x', 0.3] }, ...nodes },
      outputs: [estimate],
      training: {
        estimate,
        target: 'target',
        loss: 'mse',
        window,
        mode: 'reverse',
        schedule: { kind: 'constant', rate: 0.1 },
      },
    }),
  );

const network = (n: number): Patch =>
  fit(
    256,
    { w1: vector(n), b1: vector(n), w2: vector(n * n), b2: vector(n), w3: vector(n) },
    {
      first: { op: 'dense', in: ['x', 'w1', 'b1'], units: n, activation: 'tanh' },
      second: { op: 'dense', in: ['first', 'w2', 'b2'], units: n, activation: 'tanh' },
      estimate: { op: 'dense', in: ['second', 'w3'], units: 1 },
    },
  );

const taps = (n: number): Patch =>
  fit(
    1024,
    { taps: vector(n) },
    { estimate: { op: 'conv1d', in: ['x', 'taps'], units: 1, taps: n } },
  );

const lstm = (n: number): Patch =>
  fit(
    2048,
    { w: vector(4 * n), u: vector(4 * n * n), b: vector(4 * n), out: vector(n) },
    {
      state: { op: 'lstm', in: ['x', 'w', 'u', 'b'], units: n },
      estimate: { op: 'dense', in: ['state', 'out'], units: 1 },
    },
  );

function biquads(n: number): Patch {
  const sections = Array.from({ length: n }, (_, k) => k);
  const names = ['b0', 'b1', 'b2', 'a1', 'a2'];
  const param = (name: string) => [name, { initial: 0.1, min: -1, max: 1 }] as const;
  return fit(
    1024,
    Object.fromEntries(sections.flatMap((k) => names.map((name) => param(`${name}-${k}`)))),
    Object.fromEntries(
      sections.map((k) => [
        `y${k}`,
        { op: 'biquad', in: [k === 0 ? 'x' : `y${k - 1}`, ...names.map((name) => `${name}-${k}`)] },
      ]),
    ),
    `y${n - 1}`,
  );
}

const instructions = (report: GraphReport | undefined): number =>
  Object.values(report?.work ?? {}).reduce((sum, work) => sum + work.instructions, 0);

function artifactOf(patch: Patch): Artifact {
  return must(compile(patch, { sampleRate: 48_000, maxBlock: 256, latency: 0 }));
}

/** Recording and going backwards, the optimiser left out, against playing alone. */
function ratio(patch: Patch): number {
  const { training: _training, ...plain } = patch;
  const forward = instructions(artifactOf(plain).report.graphs.stream);
  const { stream, loss, backward } = artifactOf(patch).report.graphs;
  return (instructions(stream) + instructions(loss) + instructions(backward)) / forward;
}

describe('a training step in reverse mode', () => {
  const programs: readonly (readonly [string, (size: number) => Patch, readonly number[]])[] = [
    ['a dense network of so many units', network, [8, 16, 64]],
    ['a filter of so many taps', taps, [8, 64, 1024]],
    ['an LSTM of so many units', lstm, [16, 40]],
    ['so many biquads', biquads, [1, 4, 16]],
  ];
  for (const [what, make, sizes] of programs) {
    it.each(sizes)(`costs at most ${LIMIT} times the forward pass: ${what}: %i`, (size) => {
      const measured = ratio(make(size));
      expect(measured).toBeGreaterThan(1);
      expect(measured).toBeLessThan(LIMIT);
    });
  }
});
