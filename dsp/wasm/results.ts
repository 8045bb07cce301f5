/**
 * What a run leaves besides signals: numbers and vectors into banks of double precision, and of the
 * gradients how large they are.
 *
 * Invariant: values as they are, but for their precision. Neighbours go two in one store: who reads
 * two at once, right after, would wait until both were stored. Cost: a store for each two numbers.
 */

import type { NodeId } from '../ir/graph.ts';
import { splatInt } from './snippets.ts';
import { promote } from './structures.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';

/** An output that is one value, or a vector that lies in memory. */
export interface Result {
  readonly node: NodeId;
  /** Where it goes. */
  readonly address: number;
  readonly lanes: number;
  readonly isGradient: boolean;
}

/**
 * @param slopes   where the largest magnitudes of gradients go, four words; single precision alone
 * @param valueOf  the number of an output
 * @param placeOf  where the lanes of one lie
 */
export function storeResults(
  func: Func,
  into: Instr[],
  results: readonly Result[],
  slopes: number | null,
  valueOf: (id: NodeId) => Local,
  placeOf: (id: NodeId) => number,
): void {
  const [largest, magnitude] = [func.fresh('v128'), func.fresh('v128')];
  const see = (some: readonly Instr[]): Instr[] => [
    ...([get(largest), ...some, get(magnitude), ['v128.and']] as Instr[]),
    ...([['i32x4.max_s'], set(largest)] as Instr[]),
  ];
  if (slopes !== null) {
    into.push(splatInt(0), set(largest), splatInt(0x7fffffff), set(magnitude));
  }
  const done = new Set<Result>();
  for (const result of results) {
    if (done.has(result)) continue;
    const { node, address, lanes, isGradient } = result;
    const isSeen = slopes !== null && isGradient;
    if (lanes > 1) {
      promote({ func, into }, placeOf(node), address, lanes, isSeen ? see : undefined);
      continue;
    }
    const value = valueOf(node);
    const next = results.find((one) => one.address === address + 8 && one.lanes === 1);
    const isPair = next !== undefined && !done.has(next) && value.type === 'f32';
    const other = isPair ? valueOf(next.node) : null;
    if (other?.type === 'f32') {
      const both = func.local('v128');
      into.push(get(value), ['f32x4.splat'], get(other), ['f32x4.replace_lane', 1], set(both));
      if (isSeen) into.push(...see([get(both)]));
      into.push(['i32.const', 0], get(both), ['f64x2.promote_low_f32x4'], ['v128.store', address]);
      func.release(both);
      done.add(next!);
      continue;
    }
    if (isSeen) into.push(...see([get(value), ['f32x4.splat']]));
    into.push(['i32.const', 0], get(value));
    if (value.type === 'f32') into.push(['f64.promote_f32']);
    into.push(['f64.store', address]);
  }
  if (slopes !== null) into.push(['i32.const', 0], get(largest), ['v128.store', slopes]);
}
