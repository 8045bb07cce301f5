/**
 * What a patch shows: signals as they were at the last sample of a run, left in a bank of double
 * precision.
 *
 * Invariant: a loop says what it has computed last, `show`; what lies in memory already is read there
 * at the end, `showStored`.
 */

import { isFraming, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { fromDevice } from './border.ts';
import { SINGLE } from './element.ts';
import { get, set } from './module.ts';
import type { Instr, Local } from './module.ts';
import type { FunctionContext } from './operands.ts';
import type { Schedule } from './stages.ts';
import type { Sites } from './sites.ts';

export interface Display {
  /** Where the last values of signals go. */
  readonly addresses: ReadonlyMap<NodeId, readonly number[]>;
  /** The last sample that a loop computed, once a run: of a vector of samples one lane. */
  readonly show: (addresses: readonly number[], end: Local, isNumber: boolean) => void;
  /** What is shown and lies in memory already, at the last sample. */
  readonly showStored: () => void;
}

/** The last samples are read where they lie by whoever needs them. */
export const isReadInPlace = (graph: Graph, sites: Sites, id: NodeId): boolean =>
  isFraming(nodeOf(graph, id).op) && !sites.sinks.has(id);

/**
 * @param addressOf  where an output goes that is one value
 * @param length     bytes of a run of a stream; nothing else shows
 */
export function displayOf(
  { func, graph, room, sites }: FunctionContext,
  schedule: Schedule,
  addressOf: (output: string) => number | undefined,
  length: Local | null,
): Display {
  const { element } = func;
  const addresses = new Map<NodeId, number[]>();
  for (const { name, node } of graph.outputs) {
    const address = nodeOf(graph, node).hop > 0 ? addressOf(name) : undefined;
    if (address !== undefined) addresses.set(node, [...(addresses.get(node) ?? []), address]);
  }

  const keepShown = (into: readonly number[], last: Local): void => {
    for (const address of into) {
      func.emit(['i32.const', 0], get(last));
      if (last.type === 'f32') func.emit(['f64.promote_f32']);
      func.emit(['f64.store', address]);
    }
  };

  const show: Display['show'] = (into, end, isNumber) => {
    const { scalar } = element;
    const last = func.local(scalar);
    if (end.type !== 'v128') func.emit(get(end), set(last));
    else if (isNumber) func.emit(get(end), [`${element.vector}.extract_lane`, 0], set(last));
    else {
      const address = room.temps(16);
      func.emit(['i32.const', 0], get(end), ['v128.store', address]);
      func.emit(get(length!), ['i32.const', element.bytes], ['i32.sub'], ['i32.const', 15]);
      func.emit(['i32.and'], [`${scalar}.load`, address], set(last));
    }
    keepShown(into, last);
    func.release(last);
  };

  const showStored = (): void => {
    for (const [id, into] of addresses) {
      const kind = schedule.place.get(id)?.kind;
      const isLoop = kind === 'vector' || kind === 'serial';
      const site = sites.sources.get(id);
      if (
        nodeOf(graph, id).hop !== 1 ||
        (isLoop && !isReadInPlace(graph, sites, id)) ||
        site === undefined
      )
        continue;
      const last = func.local(element.scalar);
      const end: Instr[] = [get(length!)];
      if (site.isDevice === true) end.push(['i32.const', 1], ['i32.shr_u']);
      if (site.base !== null) end.push(get(site.base), ['i32.add']);
      if (site.isDevice === true) func.append(fromDevice(end, site.address - SINGLE.bytes, false));
      else func.emit(...end, [`${element.scalar}.load`, site.address - element.bytes]);
      func.emit(set(last));
      keepShown(into, last);
      func.release(last);
    }
  };
  return { addresses, show, showStored };
}
