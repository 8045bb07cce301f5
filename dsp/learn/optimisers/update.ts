/**
 * The graph that turns gradients into new parameters once a window.
 *
 * Invariant: it is of domain `once`, computed in double precision, so that a small rate still moves a
 * parameter; it works on all parameters as the lanes of one vector, and takes that apart only where
 * some learn in another scale. A parameter never leaves its range; a frozen one keeps its value to
 * the bit, and what is remembered of it stands still. What an optimiser remembers is named
 * `kind.name#0`: it outlives an edit of the patch, lane by lane by the ids of the parameters.
 *
 * Order: scale, clip by value, clip by norm, weight decay, step; PyTorch's where it has one.
 */

import type { Control } from '../../control.ts';
import { Builder } from '../../ir/builder.ts';
import type { Graph, NodeId } from '../../ir/graph.ts';
import { measureLanes, paramName, updateScalars } from '../../ir/program.ts';
import type { Measure } from '../../ir/program.ts';
import { SCALINGS } from './scaling.ts';
import { rowOf, stepOf } from './table.ts';
import type { OptimiserChoice } from './table.ts';
import { termsOf } from './terms.ts';

/** Neighbours that learn in one scale. */
interface Run {
  readonly from: number;
  readonly controls: readonly Spec[];
}

type Spec = Omit<Control, 'id' | 'initial'> & Partial<Pick<Control, 'id'>>;

/**
 * p ← frozen ? p : clamp(φ(step(φ⁻¹(p), g·φ′, rate·factor)), min, max), for all side by side.
 *
 * @param params  in the order of the bank
 * @param window  samples that a gradient is a mean over
 * @param isFree  of parameters none of which is frozen or has a rate of its own: the same to the bit
 * Cost: linear in the parameters, a few operations each and one pass over memory per state.
 */
export function updateGraph(
  choice: OptimiserChoice,
  params: readonly Spec[],
  window = 1,
  isFree = false,
): Graph {
  const b = new Builder('once');
  const lanes = params.length;
  if (lanes === 0) return b.finish([]);
  const { sub, mul, div, add, min, max, sqrt, square, choose, real } = termsOf(b);
  const bank = (place: number, count: number): NodeId => b.node('scalar', [], [place, count]);
  const constant = (values: readonly number[]): NodeId =>
    b.node('const', [], values.every((v) => v === values[0]) ? values.slice(0, 1) : values);
  const joined = (parts: readonly NodeId[]): NodeId =>
    parts.length === 1 ? parts[0]! : b.node('concat', parts);

  const isSet = (of: NodeId): NodeId => (isFree ? b.int(0) : b.node('ne', [of, real(0)]));

  const runs = runsOf(params).map(({ from, controls }) => {
    const count = controls.length;
    const value = b.node('param', [], [from, count]);
    const gradient = bank(updateScalars.gradient(from), count);
    const low = constant(controls.map((c) => c.min));
    const high = constant(controls.map((c) => c.max));
    const isFrozen = isSet(bank(updateScalars.frozen(from, lanes), count));
    const { learn = 'linear' } = controls[0]!;
    const scaled = learn === 'linear' ? null : SCALINGS[learn].of(b, value, low, high);
    const u = scaled?.u ?? value;
    const slope = scaled === null ? gradient : mul(gradient, scaled.slope);
    return { from, count, value, low, high, isFrozen, u, gradient: slope, scaled };
  });
  const flags = isFree ? b.filled(0, lanes) : bank(updateScalars.frozen(0, lanes), lanes);
  const frozen = isSet(flags);
  const measures = rowOf(choice.kind).measures?.(window) ?? [];
  const ofAll = bank(updateScalars.learningRate, 1);
  const asked = isFree ? ofAll : mul(ofAll, bank(updateScalars.rate(0, lanes), lanes));
  // What solves for the parameters knows the whole way: more than that would overshoot.
  const rate = measures.length > 0 ? min(asked, real(1)) : asked;
  let value = joined(runs.map(({ u }) => u));
  let gradient = joined(runs.map((run) => run.gradient));

  const { clip = {}, weightDecay } = choice;
  if (clip.value !== undefined) {
    gradient = min(max(gradient, real(-clip.value)), real(clip.value));
  }
  if (clip.norm !== undefined) {
    // A comparison of its own: what two loops share is kept in memory and slows down both.
    const counted = choose(b.node('eq', [flags, real(0)]), square(gradient), real(0));
    const norm = sqrt(b.node('laneSum', [counted]));
    gradient = mul(gradient, min(div(real(clip.norm), add(norm, real(1e-6))), real(1)));
  }
  const decays = params.map((control) => control.weightDecay ?? weightDecay);
  if (decays.some((decay) => decay > 0)) {
    const decay = constant(decays);
    if (rowOf(choice.kind).decay === 'coupled') gradient = add(gradient, mul(decay, value));
    else value = sub(value, mul(mul(rate, decay), value));
  }

  const remember = (name: string, next: (past: NodeId) => NodeId): NodeId => {
    const past = b.within(`${choice.kind}.${name}`, () => b.feedback('real', 1, 0, lanes));
    const now = next(past);
    b.close(past, b.asLanes(choose(frozen, past, now), lanes));
    return now;
  };
  const recall = (name: string, size: number, next: (past: NodeId) => NodeId): NodeId => {
    const of = `${choice.kind}.${name} of ${digestOf(params.map(({ id = '', learn = 'linear' }) => `${learn} ${id}`))}`;
    const past = b.within(of, () => b.feedback('real', 1, 0, size));
    const now = next(past);
    b.close(past, b.asLanes(now, size));
    return now;
  };
  const isScaled = runs.some(({ scaled }) => scaled !== null);
  const slopes = joined(runs.map(({ scaled, count }) => scaled?.slope ?? b.filled(1, count)));
  const measure = (of: Measure): NodeId => {
    const place = updateScalars.measure(of, measures, lanes);
    const plain = bank(place, measureLanes(of, lanes));
    if (!isScaled || of === 'error') return plain;
    if (of === 'row') return mul(plain, slopes);
    return mul(plain, of === 'squares' ? square(slopes) : b.node('outer', [slopes, slopes]));
  };
  const ends = (side: 'low' | 'high', none: number): NodeId => {
    const of = runs.map((run) =>
      run.scaled === null ? b.asLanes(run[side], run.count) : b.filled(none, run.count),
    );
    return joined(of);
  };
  const stepped = stepOf(choice, {
    b,
    value,
    gradient,
    rate,
    frozen,
    lanes,
    window,
    measure,
    remember,
    recall,
    low: ends('low', -NO_END),
    high: ends('high', NO_END),
  });

  return b.finish(
    runs.map(({ from, count, value: p, low, high, isFrozen, u, scaled }) => {
      let made = count === lanes ? stepped : b.node('slice', [stepped], [from, count]);
      if (scaled !== null) {
        const held = scaled.hold(made);
        made = choose(b.node('eq', [held, u]), p, scaled.back(held));
      }
      const kept = min(max(made, low), high);
      return { name: paramName(from), node: choose(isFrozen, p, kept) };
    }),
  );
}

/** Where a scale has no end. */
const NO_END = 1e300;

/** A word that other names, or the same in another order, have not (FNV-1a, 32 bits). */
function digestOf(names: readonly string[]): string {
  let hash = 0x811c9dc5;
  for (const char of names.join('\n')) {
    hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  }
  return (hash >>> 0).toString(36);
}

function runsOf(params: readonly Spec[]): Run[] {
  const starts = params.flatMap(({ learn = 'linear' }, k) =>
    k > 0 && learn === (params[k - 1]!.learn ?? 'linear') ? [] : [k],
  );
  return starts.map((from, k) => ({ from, controls: params.slice(from, starts[k + 1]) }));
}
