/** Random nodes that come every few samples, for the fuzz tests: added to a random stream graph. */

import type { Builder } from '../../dsp/ir/builder.ts';
import { nodeOf } from '../../dsp/ir/graph.ts';
import type { NodeId } from '../../dsp/ir/graph.ts';
import { FUZZ_PARAMS } from './random-graph.ts';

/** Divisors of 24, which divides all windows of the tests. */
const HOPS = [2, 3, 4, 6, 8, 12, 24] as const;

/** @returns signals of every sample that frames have been put together to */
export function addFrames(
  b: Builder,
  samples: readonly NodeId[],
  next: () => number,
  smoothOnly: boolean,
): NodeId[] {
  const below = (n: number): number => Math.floor(next() * n);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const reals = [...samples];
  const made: NodeId[] = [];
  const bounded = (x: NodeId): NodeId =>
    b.node('div', [x, b.node('add', [b.real(1), b.node('mul', [x, x])])]);
  const numbers = (count: number): NodeId =>
    b.node(
      'const',
      [],
      Array.from({ length: count }, () => Math.fround(next() - 0.5)),
    );
  const still = (): NodeId => {
    const kind = next();
    if (kind < 0.3) return b.real(Math.fround(next() - 0.5));
    if (kind < 0.55) return b.node('slider', [], [below(2)]);
    if (kind < 0.9) return b.node('param', [], [below(3)]);
    return b.node('mul', [b.node('param', [], [below(3)]), b.node('slider', [], [below(2)])]);
  };

  /** Sums so far, or what it costs to move the masses of a vector to those of a constant. */
  const walked = (v: NodeId, lanes: number): NodeId => {
    if (next() < 0.6) return bounded(b.node(pick(['cumulate', 'cumulateT']), [v]));
    const masses = b.node('add', [b.node('mul', [v, v]), b.real(0.05)]);
    const other = Array.from({ length: lanes }, () => Math.fround(next() + 0.05));
    const places = other.map((_, k) => k / 4);
    const pair = [masses, b.node('const', [], other)];
    const operands = next() < 0.5 ? pair : pair.toReversed();
    return bounded(b.node('transport', [...operands, b.node('const', [], places)], [pick([1, 2])]));
  };

  const addHop = (hop: number): void => {
    const vectors: NodeId[] = [];
    const units: NodeId[] = [];
    const collect = (): NodeId => b.node('frames', [pick(reals)], [hop, 1 + below(10)]);
    const keep = (id: NodeId): void => void (b.shape(id) === 1 ? units : vectors).push(id);
    keep(collect());
    keep(b.node('frames', [pick(reals)], [hop, 2 + below(8)]));
    for (let k = 0; k < 2 + below(9); k++) {
      const v = pick([...vectors, ...units]);
      const n = b.shape(v);
      const like = vectors.filter((w) => b.shape(w) === n);
      const kind = next();
      if (n > 1 && next() < 0.12) keep(walked(v, n));
      else if (kind < 0.1) keep(collect());
      else if (kind < 0.2) {
        const other = like.length > 0 && next() < 0.6 ? pick(like) : still();
        keep(bounded(b.node(pick(['add', 'sub', 'mul']), next() < 0.5 ? [v, other] : [other, v])));
      } else if (kind < 0.3) {
        keep(b.node('mul', [v, numbers(n)]));
      } else if (kind < 0.36 && units.length > 0) keep(bounded(b.node('mul', [v, pick(units)])));
      else if (kind < 0.44) {
        const past = b.feedback('real', 1 + below(3), next() < 0.5 ? 0 : 0.25, n, hop);
        const sum = bounded(b.node('add', [v, b.node('mul', [past, b.real(0.6)])]));
        b.close(past, sum);
        keep(sum);
        if (next() < 0.5) keep(past);
      } else if (kind < 0.54) keep(b.delay(v, 1 + below(3), next() < 0.7 ? 0 : 0.5));
      else if (kind < 0.66) {
        const lanes = 1 + below(n);
        keep(b.node('slice', [v], [below(n - lanes + 1), lanes]));
      } else if (kind < 0.72) {
        keep(b.node('concat', [v, pick([...vectors, ...units, still()])]));
      } else if (kind < 0.78) keep(bounded(b.node('laneSum', [v])));
      else if (kind < 0.82 && n === 6) {
        keep(bounded(b.node('mul', [v, b.node('param', [], [3, FUZZ_PARAMS - 3])])));
      } else if (kind < 0.86 && n < 7 && like.length > 0) keep(b.node('outer', [v, pick(like)]));
      else if (kind < 0.9) {
        const matrix = numbers(n * (1 + below(4)));
        keep(bounded(b.node(pick(['matvec', 'matvecT']), [matrix, v])));
      } else if (kind < 0.93 && n === 3) {
        keep(bounded(b.node('matvec', [b.node('param', [], [3, 6]), v])));
      } else if (!smoothOnly) {
        const c = b.node('lt', [v, b.real(0)]);
        keep(b.node('select', [c, v, b.node('mul', [v, b.real(-0.5)])]));
        if (next() < 0.5) {
          const late = b.delay(c, 1 + below(3), below(2));
          keep(b.node('select', [late, v, b.node('neg', [v])]));
        }
      } else keep(b.node('tanh', [v]));
      if (next() < 0.25) out(pick([...vectors, ...units]), hop);
    }
    out([...vectors, ...units].at(-1)!, hop);
  };

  const out = (v: NodeId, hop: number): void => {
    if (nodeOf(b, v).hop !== hop) return;
    const y = bounded(b.node('overlap', [b.node('mul', [v, b.real(0.5)])], [hop]));
    made.push(y);
    reals.push(y);
    if (next() < 0.3) reals.push(b.delay(y, 1 + below(5)));
    if (next() < 0.3) {
      const past = b.feedback('real', 1 + below(5));
      const sum = bounded(b.node('add', [y, b.node('mul', [past, b.real(0.5)])]));
      b.close(past, sum);
      made.push(sum);
    }
  };

  for (let k = 0; k < 1 + below(4); k++) addHop(pick(HOPS));
  return made;
}
