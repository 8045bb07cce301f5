/**
 * One loop of a stage: what it computes for every sample, several at a time or one after the other.
 *
 * It loads what it needs into locals, computes, and stores what other loops, other graphs or later
 * samples need. Invariants: a recursion's state stays in locals over the loop; a signal's locals are
 * free for others after its last use; what only one side of a choice needs stands behind a jump.
 */

import { isDelay, isFraming, nodeOf } from '../ir/graph.ts';
import type { NodeId } from '../ir/graph.ts';
import { makeBody } from './body.ts';
import type { Body, Value } from './body.ts';
import { branchesOf, outermost } from './branches.ts';
import type { Branch } from './branches.ts';
import type { Computer } from './compute.ts';
import { chunksOf, isVector, numberType, splatReal } from './element.ts';
import type { Line } from './memory.ts';
import { get, set } from './module.ts';
import type { Instr, Local } from './module.ts';
import type { FunctionContext, Operands } from './operands.ts';
import { earlier, heldAt, keepState, pastsIn, recentIn } from './pasts.ts';
import type { Run } from './rounds.ts';
import { isReadInPlace } from './shown.ts';
import type { Display } from './shown.ts';
import type { Site } from './sites.ts';
import { soundLanes } from './snippets.ts';
import type { Schedule } from './stages.ts';
import { windowSum } from './sums.ts';
import type { WindowSum } from './sums.ts';

/** What a loop uses of the function it is part of. */
export interface LoopContext {
  readonly function: FunctionContext;
  readonly schedule: Schedule;
  readonly operands: Operands;
  readonly computer: Computer;
  readonly display: Display;
  readonly run: Run;
  /** What recursions write into. */
  readonly recursiveLines: ReadonlySet<Line>;
  /** Is what a recursion writes into this line made sound as it is written? */
  readonly isQuietened: (line: Line) => boolean;
}

/**
 * Vectors that a serial loop may keep in registers all the time (x86-64 has 16, and some are for what
 * is computed): more, and states go through memory, which every sample waits for.
 */
const REGISTERS = 11;

/**
 * Writes one loop.
 *
 * @param copied  what is stored for others and comes from no loop of numbers
 */
export type EmitLoop = (
  kind: 'vector' | 'serial',
  scheduled: readonly NodeId[],
  copied: readonly NodeId[],
) => void;

export function looperOf(l: LoopContext): EmitLoop {
  const {
    function: c,
    schedule,
    operands,
    computer,
    display,
    run,
    recursiveLines,
    isQuietened,
  } = l;
  const { func, graph, storage, room, sites, heads, arrays, frames } = c;
  const { valueIn, lanesOf, copyOf, forget, store, keepNumber } = operands;
  const { compute, products, findProducts, beginMemory } = computer;
  const { element } = func;
  const isStream = graph.domain === 'stream';
  const vectorBytes = (element.bytes * frames) & ~15;
  const shown = display.addresses;
  const typeOf = (id: NodeId): 'real' | 'int' => nodeOf(graph, id).type;
  const shapeOf = (id: NodeId): number => nodeOf(graph, id).shape;
  const chunks = (lanes: number): number => chunksOf(element, lanes);
  const delayedSources = new Set(graph.delays.values());
  const storeSound = (body: Body, site: Site, value: Local): void => {
    const quiet = func.local('v128');
    body.code.push(...soundLanes(element, value, (all) => body.lanes.real(all)), set(quiet));
    store(body, site, [quiet]);
    func.release(quiet);
  };

  return (kind, scheduled, copied) => {
    const members = scheduled.filter((id) => !isReadInPlace(graph, sites, id));
    if (members.length === 0 && copied.length === 0) return;
    const sums = new Map<NodeId, WindowSum>();
    for (const id of members) {
      beginMemory(id);
      if (nodeOf(graph, id).op !== 'sum') continue;
      const sum = windowSum(func, shapeOf(id), frames);
      sums.set(id, sum);
      func.append(sum.begin);
    }
    const isSerial = kind === 'serial';
    // A loop of vectors adds up vectors, one of four numbers at a time numbers.
    findProducts(
      kind,
      members,
      (id) => sums.get(id)!.addProduct !== null && shapeOf(id) > 1 === isSerial,
    );
    // Numbers have no fused product, but their lanes have: so they are computed in all four at once.
    const isNumber = (id: NodeId): boolean => shapeOf(id) === 1;
    const canFuse = func.fused && element.precision === 'single';
    const wide = isSerial && canFuse && members.some((id) => products.has(id) && isNumber(id));
    // State of one-frame recursions.
    const states = new Map<NodeId, Value>();
    for (const id of members) {
      const address = storage.carries.get(id);
      if (address === undefined) continue;
      const isSpread = wide && shapeOf(id) === 1 && typeOf(id) === 'real';
      const type = shapeOf(id) > 1 || isSpread ? 'v128' : numberType(element, typeOf(id));
      const load = isSpread ? element.loadSplat : (`${type}.load` as const);
      const state = Array.from({ length: chunks(shapeOf(id)) }, () => func.local(type));
      states.set(id, state);
      state.forEach((local, chunk) => {
        if (isStream) func.emit(['i32.const', 0], [load, address + 16 * chunk], set(local));
        else func.emit(type === 'v128' ? splatReal(element, 0) : [`${type}.const`, 0], set(local));
      });
    }

    // Where each signal is read for the last time: by a member's place, or at the end of the loop.
    const lastUse = new Map<NodeId, number>();
    const readBy = (id: NodeId): readonly NodeId[] =>
      nodeOf(graph, id).args.flatMap((arg) => products.get(arg) ?? [arg]);
    const isVisible = (id: NodeId): boolean =>
      sites.sinks.has(id) || shown.has(id) || delayedSources.has(id);
    const branches: ReadonlyMap<NodeId, Branch> =
      isSerial && isStream ? branchesOf(graph, members, isVisible) : new Map();
    const placeOf = new Map(members.map((id, n) => [id, n]));
    members.forEach((id, n) => {
      if (products.has(id)) return;
      lastUse.set(id, Math.max(n, lastUse.get(id) ?? 0));
      for (const arg of readBy(id)) {
        // What lies in front of a choice is kept until the choice is made.
        const user = outermost(branches, id, arg);
        lastUse.set(arg, Math.max(placeOf.get(user)!, lastUse.get(arg) ?? 0));
      }
    });
    for (const id of states.keys()) lastUse.set(graph.delays.get(id)!, Infinity);
    const pasts = isSerial ? pastsIn(storage, members) : [];
    for (const { line, before } of pasts) {
      const { source, init, depth } = line;
      const isSpread = wide && typeOf(source) === 'real';
      const type = isSpread ? 'v128' : numberType(element, typeOf(source));
      const load = isSpread ? element.loadSplat : (`${type}.load` as const);
      for (let k = 0; k < depth; k++) {
        const local = func.local(type);
        before.push(local);
        if (isStream) func.emit(['i32.const', 0], [load, heldAt(element, line, k)], set(local));
        else if (isSpread) func.emit(splatReal(element, init), set(local));
        else func.emit([`${type}.const`, init], set(local));
      }
      lastUse.set(source, Infinity);
    }
    const delayedBy = new Map(
      pasts.flatMap((past) => past.delays.map((id) => [id, past] as const)),
    );

    /** What waits behind each choice, in order. */
    const waiting = new Map<NodeId, NodeId[]>();
    for (const id of members) {
      const { select } = branches.get(id) ?? {};
      if (select === undefined) continue;
      const others = waiting.get(select);
      if (others === undefined) waiting.set(select, [id]);
      else others.push(id);
    }
    const isChoice = new Set(waiting.keys());

    /** What this loop leaves of the signals that are shown. */
    const ends = new Map<NodeId, Local>();
    const recent = isSerial ? [] : recentIn(c, members, copied);
    for (const { source } of recent) lastUse.set(source, Infinity);
    run(kind, (form) => {
      const count = [...states.values(), ...pasts.map(({ before }) => before)].flat().length;
      // Where the states alone are too many, nothing is gained.
      const registers = isSerial && count < REGISTERS ? REGISTERS - count : Infinity;
      const body = makeBody(func, form, { wide, registers });
      /** The locals of a number or a vector, as this body has them. */
      const heldIn = (id: NodeId): Value =>
        wide && shapeOf(id) === 1 && typeOf(id) === 'real'
          ? [lanesOf(body, id, 0)]
          : valueIn(body, id);
      const factorIn = (id: NodeId, lanes: number): Value =>
        lanes > 1 && shapeOf(id) === 1
          ? Array.from({ length: chunks(lanes) }, () => lanesOf(body, id, 0))
          : valueIn(body, id);
      const keep = (id: NodeId, value: Value): void => {
        for (const site of sites.sinks.get(id) ?? []) {
          const { line } = site;
          const mayDecay = line !== undefined && recursiveLines.has(line) && isQuietened(line);
          if (mayDecay) storeSound(body, site, value[0]!);
          else store(body, site, value);
        }
        if (!shown.has(id)) return;
        const [last] = value as [Local];
        const end = func.local(last.type);
        body.code.push(get(last), set(end));
        ends.set(id, end);
      };
      const held = isVector(form) ? recent : [];
      for (const { line, before } of held) {
        const { base, depth } = line;
        const head: Instr = isStream ? get(heads.get(line)!) : ['i32.const', 0];
        before.forEach((local, k) => {
          const address = isStream
            ? base + element.bytes * depth - 16 * (k + 1)
            : base + vectorBytes + 16 * k;
          body.prologue.push(head, ['v128.load', address], set(local));
        });
      }
      const delayed = new Map(held.flatMap((one) => one.delays.map((id) => [id, one] as const)));
      for (const id of copied) keep(id, valueIn(body, id));
      const make = (id: NodeId, n: number): void => {
        if (products.has(id)) return;
        if (isChoice.has(id)) {
          choose(id);
          forgetAfter(id, n);
          return;
        }
        const past = delayed.get(id);
        if (past !== undefined) {
          const now = valueIn(body, past.source)[0]!;
          const value = [earlier(c, body, nodeOf(graph, id).attrs[0]!, now, past.before)];
          body.known.set(id, value);
          keep(id, value);
          if (lastUse.get(id) === n) forget(body, id);
          return;
        }
        const node = nodeOf(graph, id);
        const state = states.get(id) ?? delayedBy.get(id)?.before.slice(node.attrs[0]! - 1)[0];
        if (state !== undefined) {
          const value = [state].flat().map((local) => copyOf(body, local));
          if (wide && value[0]!.type === 'v128' && shapeOf(id) === 1)
            body.splats.set(id, value[0]!);
          else body.known.set(id, value);
          keep(id, value);
        } else if (node.op === 'sum') {
          const [arg] = node.args as [NodeId];
          const sum = sums.get(id)!;
          const product = products.get(arg)?.map((factor) => factorIn(factor, shapeOf(id)));
          const [x, y] = product ?? [];
          body.code.push(...(x && y ? sum.addProduct!(x, y) : sum.add(valueIn(body, arg))));
        } else {
          keep(id, isDelay(node.op) || isFraming(node.op) ? heldIn(id) : compute(body, id));
        }
        forgetAfter(id, n);
      };
      const forgetAfter = (id: NodeId, n: number): void => {
        const all = isChoice.has(id) ? behind(id) : [id];
        for (const used of new Set(all.flatMap((one) => [one, ...readBy(one)]))) {
          if (lastUse.get(used) === n) forget(body, used);
        }
      };
      /** A choice and all that waits behind it, in order. */
      const behind = (select: NodeId): NodeId[] => [
        ...(waiting.get(select) ?? []).flatMap((id) => (isChoice.has(id) ? behind(id) : [id])),
        select,
      ];
      /** One side of a choice or the other, with what only that side needs. */
      const choose = (select: NodeId): void => {
        const { args, type } = nodeOf(graph, select);
        const isSpread = wide && type === 'real';
        const result = func.local(isSpread ? 'v128' : numberType(element, type));
        body.code.push(get(valueIn(body, args[0]!)[0]!), ['if']);
        for (const side of [1, 2] as const) {
          if (side === 2) body.code.push(['else']);
          const maps = [body.known, body.splats, body.masks, body.offsets] as Map<
            unknown,
            unknown
          >[];
          const before = maps.map((map) => new Set(map.keys()));
          for (const id of waiting.get(select) ?? []) {
            if (branches.get(id)!.side === side) make(id, placeOf.get(id)!);
          }
          const value = isSpread ? lanesOf(body, args[side]!, 0) : valueIn(body, args[side]!)[0]!;
          body.code.push(get(value), set(result));
          // What one side has found is unknown to the other and to what comes after.
          maps.forEach((map, k) => {
            for (const key of map.keys()) if (!before[k]!.has(key)) map.delete(key);
          });
        }
        body.code.push(['end']);
        if (isSpread) body.splats.set(select, result);
        else body.known.set(select, [result]);
        keep(select, [result]);
      };
      members.forEach((id, n) => {
        if (!branches.has(id)) make(id, n);
      });
      for (const { source, before } of held) {
        const newest = [...valueIn(body, source), ...before];
        before.forEach((_, k) => {
          const place = before.length - 1 - k;
          body.code.push(get(newest[place]!), set(before[place]!));
        });
      }
      for (const { before, line } of pasts) {
        const [next] = heldIn(line.source);
        [next!, ...before].slice(0, -1).forEach((_, k, all) => {
          const place = before.length - 1 - k;
          body.code.push(get(all[place]!), set(before[place]!));
        });
      }
      for (const [id, state] of states) {
        const next = heldIn(graph.delays.get(id)!);
        state.forEach((local, chunk) => body.code.push(get(next[chunk]!), set(local)));
      }
      for (const id of [...body.known.keys(), ...body.splats.keys()]) forget(body, id);
      return body;
    });

    for (const [id, end] of ends) {
      display.show(shown.get(id)!, end, isSerial);
      func.release(end);
    }
    for (const [id, sum] of sums) {
      if (shapeOf(id) === 1) {
        keepNumber(func.body, id, sum.total());
      } else {
        const address = room.temps(16 * chunks(shapeOf(id)));
        sum.store(address);
        arrays.set(id, address);
      }
    }
    if (isStream) {
      for (const [id, state] of states) {
        const address = storage.carries.get(id)!;
        state.forEach((local, chunk) => {
          keepState(func, local, address + 16 * chunk, shapeOf(id), typeOf(id) === 'real');
        });
      }
      for (const { line, delays, before } of pasts) {
        const isRecursive = delays.some((id) => schedule.recursive.has(id));
        before.forEach((local, k) => {
          keepState(
            func,
            local,
            heldAt(element, line, k),
            1,
            isRecursive && typeOf(line.source) === 'real',
          );
        });
      }
    }
    for (const local of [...states.values()].flat()) func.release(local);
    for (const local of pasts.flatMap(({ before }) => before)) func.release(local);
    for (const local of recent.flatMap(({ before }) => before)) func.release(local);
  };
}
