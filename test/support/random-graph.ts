/**
 * Random stream graphs for the fuzz tests: every operation, delays, lines, tables, recursions, ints,
 * vectors and matrices, parameters. Signals are kept bounded, so that a difference means a mistake and not an explosion.
 */

import { Builder } from '../../dsp/ir/builder.ts';
import type { NodeId } from '../../dsp/ir/graph.ts';

/** A small fast generator (mulberry32): the same numbers for the same seed. */
export function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export interface RandomGraph {
  readonly builder: Builder;
  /** Candidates for outputs: real signals. */
  readonly signals: readonly NodeId[];
}

export const FUZZ_INPUTS = 2;
export const FUZZ_SLIDERS = 2;
/** Three numbers, and a vector of six. */
export const FUZZ_PARAMS = 9;
const NUMBERS = 3;

export interface Options {
  /** Operations to add. */
  readonly size: number;
  /** Functions that are not equal to the bit. */
  readonly transcendental: boolean;
  /** Kinks, jumps, ints: no place for finite differences. */
  readonly smoothOnly: boolean;
}

export function randomGraph(next: () => number, options: Options): RandomGraph {
  const b = new Builder('stream');
  const reals: NodeId[] = [];
  const ints: NodeId[] = [];
  const pick = (from: readonly NodeId[]): NodeId => from[Math.floor(next() * from.length)]!;
  const below = (n: number): number => Math.floor(next() * n);

  for (let k = 0; k < FUZZ_INPUTS; k++) reals.push(b.node('input', [], [k]));
  for (let k = 0; k < FUZZ_SLIDERS; k++) reals.push(b.node('slider', [], [k]));
  for (let k = 0; k < NUMBERS; k++) reals.push(b.node('param', [], [k]));
  const vectors: NodeId[] = [b.node('param', [], [NUMBERS, FUZZ_PARAMS - NUMBERS])];
  reals.push(b.real(0.5), b.real(-0.75), b.real(1), b.real(0));
  ints.push(b.int(1), b.int(-3), b.int(12345));

  const bounded = (x: NodeId): NodeId =>
    options.smoothOnly
      ? b.node('div', [x, b.node('add', [b.real(1), b.node('mul', [x, x])])])
      : b.node('max', [b.real(-1), b.node('min', [b.real(1), x])]);
  /** At least 1, so that a quotient stays bounded. */
  const divisor = (x: NodeId): NodeId => b.node('add', [b.real(1), b.node('mul', [x, x])]);

  /** Some vector of so many lanes. */
  const vectorOf = (lanes: number): NodeId => {
    const alike = vectors.filter((v) => b.shape(v) === lanes);
    if (alike.length > 0 && next() < 0.6) return pick(alike);
    const long = vectors.filter((v) => b.shape(v) > lanes);
    if (lanes > 1 && long.length > 0 && next() < 0.4) {
      const from = pick(long);
      return b.node('slice', [from], [below(b.shape(from) - lanes + 1), lanes]);
    }
    if (lanes === 1) return pick(reals);
    if (next() < 0.2) return b.asLanes(pick(reals), lanes);
    return b.node(
      'concat',
      Array.from({ length: lanes }, () => pick(reals)),
    );
  };
  const addVector = (): void => {
    const kind = next();
    const lanes = 1 + below(9);
    const v = pick(vectors);
    const n = b.shape(v);
    const half = (x: NodeId): NodeId => bounded(b.node('mul', [x, b.real(0.5)]));
    if (kind < 0.2) vectors.push(vectorOf(2 + below(8)));
    else if (kind < 0.45) {
      const other = next() < 0.3 ? pick(reals) : vectorOf(n);
      const sides = next() < 0.5 ? [v, other] : [other, v];
      vectors.push(bounded(b.node((['add', 'sub', 'mul'] as const)[below(3)]!, sides)));
    } else if (kind < 0.55) {
      reals.push(b.node('slice', [v], [below(n), 1]));
    } else if (kind < 0.65) {
      // A recursion of vectors that decays.
      const past = b.feedback('real', 1 + below(next() < 0.6 ? 1 : 6), 0, n);
      const sum = bounded(b.node('add', [v, b.node('mul', [past, b.real(0.6)])]));
      b.close(past, sum);
      vectors.push(sum, b.delay(sum, 1 + below(4)));
    } else if (kind < 0.72) {
      const row = b.node('concat', [pick(reals), v]);
      vectors.push(half(b.node('outer', [row, vectorOf(1 + below(3))])));
    } else if (!options.transcendental) {
      vectors.push(b.node('neg', [v]));
    } else if (kind < 0.86) {
      const matrix = vectorOf(n * lanes);
      if (b.shape(matrix) !== n * lanes) return;
      const made = half(b.node(next() < 0.5 ? 'matvec' : 'matvecT', [matrix, v]));
      (b.shape(made) === 1 ? reals : vectors).push(made);
    } else {
      reals.push(half(b.node('laneSum', [v])));
      vectors.push(b.node('tanh', [v]));
      if (n > 1 && next() < 0.4) {
        vectors.push(bounded(b.node(next() < 0.5 ? 'cumulate' : 'cumulateT', [v])));
      }
    }
  };

  /** An index of no parameter: white, now and then out of range, or nearly standing still. */
  const wild = b.feedback('int', 1, below(1000));
  b.close(wild, b.node('add', [b.node('mul', [wild, b.int(1664525)]), b.int(1013904223)]));
  const indexBelow = (size: number): NodeId => {
    if (next() < 0.15) return b.int(below(size + 4) - 2);
    if (next() < 0.15)
      return b.node('toInt', [b.node('mul', [b.node('input', [], [0]), b.real(size)])]);
    if (!options.smoothOnly && next() < 0.1) return pick(ints);
    const positive = b.node('and', [b.node('shr', [wild, b.int(16)]), b.int(1023)]);
    const scaled = b.node('mul', [positive, b.int(Math.max(1, Math.ceil((size + 2) / 4)))]);
    return b.node('sub', [b.node('shr', [scaled, b.int(8)]), b.int(1)]);
  };
  const numbers = (count: number): NodeId =>
    b.node(
      'const',
      [],
      Array.from({ length: count }, () => Math.fround(next() - 0.5)),
    );
  const addMemory = (): void => {
    const kind = next();
    const isVector = next() < 0.3;
    const x = isVector ? pick(vectors) : pick(reals);
    const into = isVector ? vectors : reals;
    const lanes = b.shape(x);
    const longest = 1 + below(next() < 0.7 ? 8 : 120);
    const size = 1 + below(9);
    if (kind < 0.35) into.push(b.node('line', [x, indexBelow(longest + 1)], [longest]));
    else if (kind < 0.5) {
      // A comb that decays, its length moving.
      const past = b.feedback('real', 1, 0, lanes);
      const back = b.node('line', [past, indexBelow(longest + 1)], [longest]);
      const sum = bounded(b.node('add', [x, b.node('mul', [back, b.real(0.6)])]));
      b.close(past, sum);
      into.push(sum);
    } else if (kind < 0.65) {
      const start = next() < 0.5 ? b.filled(0, size) : numbers(size);
      into.push(b.node('rwtable', [start, x, indexBelow(size), indexBelow(size)]));
    } else if (kind < 0.75) {
      const past = b.feedback('real', 1, 0, lanes);
      const sum = bounded(b.node('add', [x, b.node('mul', [past, b.real(-0.5)])]));
      b.close(past, b.node('rwtable', [numbers(size), sum, indexBelow(size), indexBelow(size)]));
      into.push(past);
    } else {
      const still = vectors.filter((v) => b.rate(v) !== 'sample');
      const v = next() < 0.3 ? numbers(1 + below(12)) : pick(still);
      reals.push(b.node('lookup', [v, indexBelow(b.shape(v))]));
      if (next() < 0.4) reals.push(b.node('lookup', [v, indexBelow(b.shape(v))]));
      if (next() < 0.3) vectors.push(bounded(b.node('mul', [v, b.node('slider', [], [0])])));
    }
  };

  const binary = ['add', 'sub', 'mul'] as const;
  const kinked = ['min', 'max'] as const;
  const compare = ['lt', 'le', 'gt', 'ge', 'eq', 'ne'] as const;
  const intOps = [
    'add',
    'sub',
    'mul',
    'min',
    'max',
    'and',
    'or',
    'xor',
    'shl',
    'shr',
    'rem',
  ] as const;

  for (let k = 0; k < options.size; k++) {
    if (next() < 0.25) {
      addVector();
      continue;
    }
    if (next() < 0.25) {
      addMemory();
      continue;
    }
    const kind = next();
    const x = pick(reals);
    const y = pick(reals);
    if (kind < 0.35) reals.push(bounded(b.node(binary[below(3)]!, [x, y])));
    else if (kind < 0.42) reals.push(b.node('div', [x, divisor(y)]));
    else if (kind < 0.47) reals.push(b.node('sqrt', [divisor(x)]));
    else if (kind < 0.52) reals.push(b.node('neg', [x]));
    else if (kind < 0.62) reals.push(b.delay(x, 1 + below(next() < 0.7 ? 6 : 90)));
    else if (kind < 0.72) {
      // A recursion that decays: y = bounded(x + g · y@d), g = ±0.6.
      const past = b.feedback('real', 1 + below(next() < 0.6 ? 1 : 12));
      const gain = b.real(next() < 0.5 ? 0.6 : -0.6);
      const fed = b.node('mul', [past, next() < 0.4 ? b.node('mul', [gain, y]) : gain]);
      const sum = bounded(b.node('add', [x, bounded(fed)]));
      b.close(past, sum);
      reals.push(sum, past);
    } else if (kind < 0.78 && options.transcendental) {
      const scaled = b.node('mul', [x, b.real(3)]);
      const functions = [
        () => b.node('sin', [scaled]),
        () => b.node('cos', [scaled]),
        () => b.node('tanh', [scaled]),
        () => bounded(b.node('exp', [x])),
        () => bounded(b.node('exp2', [x])),
        () => b.node('ln', [divisor(x)]),
        () => b.node('atan2', [x, divisor(y)]),
        () => bounded(b.node('tan', [x])),
      ];
      reals.push(functions[below(functions.length)]!());
    } else if (options.smoothOnly) {
      reals.push(b.node('mul', [x, b.real(next() * 2 - 1)]));
    } else if (kind < 0.84) {
      reals.push(b.node(kinked[below(2)]!, [x, y]), b.node('abs', [x]));
    } else if (kind < 0.9) {
      const condition = b.node(compare[below(6)]!, [x, y]);
      ints.push(condition);
      reals.push(b.node('select', [condition, pick(reals), pick(reals)]));
      reals.push(b.node('detach', [x]), b.node('withSlope', [x, y, pick(reals)]));
      if (next() < 0.3) ints.push(b.node('detach', [condition]));
    } else if (kind < 0.95) {
      ints.push(b.node(intOps[below(intOps.length)]!, [pick(ints), pick(ints)]));
      ints.push(b.node('toInt', [b.node('mul', [x, b.real(1000)])]));
      if (next() < 0.5) ints.push(b.delay(pick(ints), 1 + below(5), below(3)));
    } else {
      const past = b.feedback('int', 1, below(1000));
      const now = b.node('add', [b.node('mul', [past, b.int(1664525)]), pick(ints)]);
      b.close(past, now);
      ints.push(now, b.node('neg', [now]), b.node('abs', [pick(ints)]));
      reals.push(b.node('mul', [b.node('toReal', [now]), b.real(2 ** -31)]));
    }
  }
  const signals = reals.filter((id) => b.rate(id) === 'sample');
  return { builder: b, signals };
}
