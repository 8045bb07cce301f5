/**
 * One graph → the body of one function: its loops, in order.
 *
 * Every loop loads what it needs into locals (`operands`), computes (`compute`), and stores what other
 * loops, other graphs or later samples need; a recursion's state stays in locals over the loop.
 * Invariants: constants and values that do not change in a loop are in locals before it starts;
 * nothing is called but transforms; the loop of several samples and the one-sample rest compute the same.
 *
 * A stream function takes (offset, position, length) in bytes of single-precision samples: where in
 * the channels to start, where in the training window, and how much. It works piece by piece where
 * that makes recursions fall apart (see `pieces`). In double precision what comes
 * in and goes out is converted where it is read and written (`border`); a sample is eight bytes.
 */

import { isDelay, isFraming, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { isStructureOp, isValueOp } from '../interpret/rules.ts';
import { makeBody } from './body.ts';
import type { Body, Value } from './body.ts';
import { fromDevice } from './border.ts';
import { branchesOf } from './branches.ts';
import type { Branch } from './branches.ts';
import { computerOf } from './compute.ts';
import {
  SINGLE,
  chunksOf,
  fromDouble,
  isVector,
  numberType,
  realType,
  shuffle,
  splatReal,
} from './element.ts';
import type { Form } from './element.ts';
import { emitFrames } from './frames.ts';
import type { FrameContext } from './frames.ts';
import type { Line, Storage } from './memory.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import { operandsOf } from './operands.ts';
import type { Room } from './operands.ts';
import type { Schedule, Stage } from './stages.ts';
import { placeSignals } from './sites.ts';
import type { Channels, Site } from './sites.ts';
import { storeResults } from './results.ts';
import type { Result } from './results.ts';
import { sound, soundLanes } from './snippets.ts';
import { sumOuter } from './matrices.ts';
import { demote, spill } from './structures.ts';
import type { Recording } from './matrices.ts';
import { windowSum } from './sums.ts';
import type { WindowSum } from './sums.ts';
import { sumScatter } from './tables.ts';
import type { Operand } from './tables.ts';

/** Static addresses of what a graph reads and writes. */
export interface Ports extends Channels {
  /** Do outputs keep the precision of the program? */
  readonly isExact: boolean;
  /** Binary64 slots. */
  slider(index: number): number;
  param(index: number): number;
  scalar(index: number): number;
  /** Where an output goes that is one value. */
  value(name: string): number | undefined;
  /** The same, if the graph itself reads nothing there. */
  unread(name: string): number | undefined;
  /** Where the largest magnitudes of the gradients go, four words; null where nobody asks. */
  readonly slopes: number | null;
}

/** What a run of a stream is told, in bytes of single precision; they are changed. */
export interface Span {
  readonly offset: Local;
  readonly position: Local;
  readonly length: Local;
}

const spanOf = (func: Func): Span => ({
  offset: func.param(0),
  position: func.param(1),
  length: func.param(2),
});

/**
 * @param frames  of a run at most; a run of one at most is one of one, and has no loops
 * @param most    of a call, which goes run by run
 * @param span    of a stream: the parameters of the function, if not given
 */
export function emitGraph(
  func: Func,
  graph: Graph,
  schedule: Schedule,
  storage: Storage,
  ports: Ports,
  room: Room,
  { frames, most }: { readonly frames: number; readonly most: number },
  span: Span | null = graph.domain === 'stream' ? spanOf(func) : null,
): void {
  const isStream = graph.domain === 'stream';
  const { element } = func;
  const position = isStream ? span!.position : null;
  const offset = isStream ? span!.offset : null;
  const isDouble = element.precision === 'double';
  const length = isStream ? span!.length : null;
  const i = func.local('i32');
  const whole = isStream ? func.local('i32') : null;
  const heads = new Map<Line, Local>();
  /** Lines that move together: by where it is kept how far. */
  const together = Map.groupBy(isStream ? storage.allLines : [], ({ head }) => head);
  for (const lines of together.values()) {
    const head = func.local('i32');
    for (const line of lines) heads.set(line, head);
  }
  /** Numbers that are not signals. */
  const values = new Map<NodeId, Local>();
  /** Vectors that are not signals: address of their lanes. */
  const arrays = new Map<NodeId, number>();

  const exact = isStream && ports.isExact ? func.local('i32') : null;
  const bases = { offset, exact, position, heads };
  const { temps } = room;
  const sites = placeSignals(graph, schedule, storage, ports, bases, temps, frames);
  const typeOf = (id: NodeId): 'real' | 'int' => nodeOf(graph, id).type;
  const shapeOf = (id: NodeId): number => nodeOf(graph, id).shape;
  const isSignal = (id: NodeId): boolean => nodeOf(graph, id).hop > 0;
  /** Where the last values of signals go. */
  const shown = new Map<NodeId, number[]>();
  for (const { name, node } of graph.outputs) {
    const address = isSignal(node) ? ports.value(name) : undefined;
    if (address !== undefined) shown.set(node, [...(shown.get(node) ?? []), address]);
  }
  const chunks = (lanes: number): number => chunksOf(element, lanes);
  /** Frames that a later stage reads. */
  const recorded = new Map<NodeId, number>();
  const delayedSources = new Set(graph.delays.values());
  const recursiveLines = new Set(
    [...schedule.recursive].flatMap((id) => {
      const line = storage.lines.get(id) ?? storage.framed.get(id);
      return line !== undefined && typeOf(line.source) === 'real' ? [line] : [];
    }),
  );

  const context = { func, graph, storage, room, sites, heads, values, arrays, i, frames };
  const operands = operandsOf(context);
  const { at, store, valueIn, lanesOf, copyOf, forget } = operands;
  const computer = computerOf(context, operands);
  const { compute, products, findProducts, beginMemory } = computer;
  /** Is what a recursion writes into its line made sound as it is written? */
  const isQuietened = ({ source }: Line): boolean =>
    isStream && schedule.place.get(source)?.kind !== 'serial';
  const storeSound = (body: Body, site: Site, value: Local): void => {
    const quiet = func.local('v128');
    body.code.push(...soundLanes(element, value, (all) => body.lanes.real(all)), set(quiet));
    store(body, site, [quiet]);
    func.release(quiet);
  };
  const newBody = (form: Form, once = false): Body => makeBody(func, form, { once });

  // ---- Loops -----------------------------------------------------------------------------------

  const bytes = element.bytes * frames;
  const vectorBytes = bytes & ~15;
  const [vectors, rest] = [Math.floor(frames / element.width), frames % element.width];
  let loopLow = 0;

  /** Runs a body's code over the samples that `form` takes. */
  const wrap = (body: Body, rounds: number): void => {
    const step = isVector(body.form) ? 16 : element.bytes;
    func.append(body.prologue);
    for (const local of [...body.hoisted, ...body.kept]) func.release(local);
    if (rounds === 1 && (!isStream || frames === 1)) {
      func.append(body.code);
    } else if (isStream) {
      const end = isVector(body.form) ? whole! : length!;
      func.emit(['block'], get(i), get(end), ['i32.ge_u'], ['br_if', 0]);
      func.emit(['loop', rounds]);
      func.append(body.code);
      func.emit(get(i), ['i32.const', step], ['i32.add'], ['local.tee', i.index]);
      func.emit(get(end), ['i32.lt_u'], ['br_if', 0], ['end'], ['end']);
    } else {
      func.emit(['loop', rounds]);
      func.append(body.code);
      func.emit(get(i), ['i32.const', step], ['i32.sub'], ['local.tee', i.index]);
      // Downwards: the last round leaves i below the first byte of its part.
      const low = isVector(body.form) || loopLow === 0 ? 0 : loopLow;
      func.emit(['i32.const', low], ['i32.ge_s'], ['br_if', 0], ['end']);
    }
  };

  /** Runs vector form and one-sample rest of a loop, or only the one-sample form. */
  const run = (kind: 'vector' | 'serial', emitBody: (form: Form) => Body): void => {
    const { scalar, vector } = element;
    if (isStream) {
      func.emit(['i32.const', 0], set(i));
      if (kind === 'vector') wrap(emitBody(vector), Math.ceil(frames / element.width));
      else wrap(emitBody(scalar), frames);
      return;
    }
    if (kind === 'serial') {
      loopLow = 0;
      func.emit(['i32.const', bytes - element.bytes], set(i));
      wrap(emitBody(scalar), frames);
      return;
    }
    if (vectorBytes < bytes) {
      loopLow = vectorBytes;
      func.emit(['i32.const', bytes - element.bytes], set(i));
      wrap(emitBody(scalar), rest);
    }
    if (vectorBytes > 0) {
      loopLow = 0;
      func.emit(['i32.const', vectorBytes - 16], set(i));
      wrap(emitBody(vector), vectors);
    }
  };

  /** The last samples are read where they lie by whoever needs them. */
  const isRead = (id: NodeId): boolean => isFraming(nodeOf(graph, id).op) && !sites.sinks.has(id);

  const emitLoop = (
    kind: 'vector' | 'serial',
    scheduled: readonly NodeId[],
    copied: readonly NodeId[],
  ): void => {
    const members = scheduled.filter((id) => !isRead(id));
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
    const pasts = isSerial ? pastsIn(members) : [];
    for (const { line, before } of pasts) {
      const { source, init, depth } = line;
      const isSpread = wide && typeOf(source) === 'real';
      const type = isSpread ? 'v128' : numberType(element, typeOf(source));
      const load = isSpread ? element.loadSplat : (`${type}.load` as const);
      for (let k = 0; k < depth; k++) {
        const local = func.local(type);
        before.push(local);
        if (isStream) func.emit(['i32.const', 0], [load, heldAt(line, k)], set(local));
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
    const recent = isSerial ? [] : recentIn(members, copied);
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
          const value = [earlier(body, nodeOf(graph, id).attrs[0]!, now, past.before)];
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
      show(shown.get(id)!, end, isSerial);
      func.release(end);
    }
    for (const [id, sum] of sums) {
      if (shapeOf(id) === 1) {
        values.set(id, sum.total());
      } else {
        const address = temps(16 * chunks(shapeOf(id)));
        sum.store(address);
        arrays.set(id, address);
      }
    }
    if (isStream) {
      for (const [id, state] of states) {
        const address = storage.carries.get(id)!;
        state.forEach((local, chunk) => {
          keepState(local, address + 16 * chunk, shapeOf(id), typeOf(id) === 'real');
        });
      }
      for (const { line, delays, before } of pasts) {
        const isRecursive = delays.some((id) => schedule.recursive.has(id));
        before.forEach((local, k) => {
          keepState(local, heldAt(line, k), 1, isRecursive && typeOf(line.source) === 'real');
        });
      }
    }
    for (const local of [...states.values()].flat()) func.release(local);
    for (const local of pasts.flatMap(({ before }) => before)) func.release(local);
    for (const local of recent.flatMap(({ before }) => before)) func.release(local);
  };

  /** Leaves what a loop has held for the next run. @param mayDecay  is it to be made sound? */
  const keepState = (local: Local, address: number, lanes: number, mayDecay: boolean): void => {
    func.emit(['i32.const', 0]);
    if (local.type !== 'v128') {
      const quiet: Instr[] = mayDecay ? sound(element, local) : [get(local)];
      func.emit(...quiet, [`${local.type as 'i32' | 'f32'}.store`, address]);
    } else if (lanes === 1) {
      const one = func.local('f32');
      func.emit(get(local), ['f32x4.extract_lane', 0], set(one));
      func.emit(...(mayDecay ? sound(element, one) : [get(one)]), ['f32.store', address]);
      func.release(one);
    } else {
      const quiet: Instr[] = mayDecay ? soundLanes(element, local) : [get(local)];
      func.emit(...quiet, ['v128.store', address]);
    }
  };

  /** Where a sample of the past lies between runs that a loop holds: the last one, the one before, … */
  const heldAt = ({ base, depth }: Line, k: number): number =>
    base + element.bytes * (depth - 1 - k);

  /** The short pasts that a loop of one sample holds, each once. */
  const pastsIn = (members: readonly NodeId[]): Past[] => {
    const found = new Map<Line, Past & { readonly delays: NodeId[] }>();
    for (const id of members) {
      const line = storage.held.get(id);
      if (line === undefined) continue;
      const past = found.get(line) ?? { line, delays: [], before: [] };
      past.delays.push(id);
      found.set(line, past);
    }
    return [...found.values()];
  };

  /**
   * Delays of a few samples of what the same loop of several samples computes: from the vectors before,
   * in locals. What has been stored just now as two vectors cannot be loaded as one without waiting.
   */
  const recentIn = (members: readonly NodeId[], copied: readonly NodeId[]): Recent[] => {
    if (graph.domain === 'once') return [];
    const here = new Set([...members, ...copied]);
    const found = new Map<Line, NodeId[]>();
    for (const id of members) {
      const line = storage.lines.get(id);
      if (line === undefined || !isDelay(nodeOf(graph, id).op) || shapeOf(id) > 1) continue;
      const [length = 1] = nodeOf(graph, id).attrs;
      if (length > RECENT * element.width || !here.has(line.source)) continue;
      const list = found.get(line);
      if (list === undefined) found.set(line, [id]);
      else list.push(id);
    }
    return [...found].map(([line, delays]) => {
      const longest = Math.max(...delays.map((id) => nodeOf(graph, id).attrs[0]!));
      const count = Math.ceil(longest / element.width);
      const before = Array.from({ length: count }, () => func.local('v128'));
      return { line, source: line.source, delays, before };
    });
  };

  /** A vector of samples that lies so many samples back, backwards in time so many on. */
  const earlier = (body: Body, frames: number, now: Local, before: readonly Local[]): Local => {
    const { width } = element;
    const all = [now, ...before];
    const [whole, part] = [Math.floor(frames / width), frames % width];
    const value = func.local('v128');
    if (part === 0) body.code.push(get(all[whole]!));
    else {
      const pair = [all[whole]!, all[whole + 1]!] as const;
      const [low, high] = isStream ? [pair[1], pair[0]] : pair;
      const from = isStream ? width - part : part;
      const lanes = Array.from({ length: width }, (_, lane) => from + lane);
      body.code.push(get(low), get(high), shuffle(element, ...lanes));
    }
    body.code.push(set(value));
    return value;
  };

  /** The last sample that a loop computed, once a run: of a vector of samples one lane. */
  const show = (addresses: readonly number[], end: Local, isNumber: boolean): void => {
    const { scalar } = element;
    const last = func.local(scalar);
    if (end.type !== 'v128') func.emit(get(end), set(last));
    else if (isNumber) func.emit(get(end), [`${element.vector}.extract_lane`, 0], set(last));
    else {
      const address = temps(16);
      func.emit(['i32.const', 0], get(end), ['v128.store', address]);
      func.emit(get(length!), ['i32.const', element.bytes], ['i32.sub'], ['i32.const', 15]);
      func.emit(['i32.and'], [`${scalar}.load`, address], set(last));
    }
    keepShown(addresses, last);
    func.release(last);
  };

  const keepShown = (addresses: readonly number[], last: Local): void => {
    for (const address of addresses) {
      func.emit(['i32.const', 0], get(last));
      if (last.type === 'f32') func.emit(['f64.promote_f32']);
      func.emit(['f64.store', address]);
    }
  };

  /** What is shown and lies in memory already, at the last sample. */
  const showStored = (): void => {
    for (const [id, addresses] of shown) {
      const kind = schedule.place.get(id)?.kind;
      const isLoop = kind === 'vector' || kind === 'serial';
      const site = sites.sources.get(id);
      if (nodeOf(graph, id).hop !== 1 || (isLoop && !isRead(id)) || site === undefined) continue;
      const last = func.local(element.scalar);
      const end: Instr[] = [get(length!)];
      if (site.isDevice === true) end.push(['i32.const', 1], ['i32.shr_u']);
      if (site.base !== null) end.push(get(site.base), ['i32.add']);
      if (site.isDevice === true) func.append(fromDevice(end, site.address - SINGLE.bytes, false));
      else func.emit(...end, [`${element.scalar}.load`, site.address - element.bytes]);
      func.emit(set(last));
      keepShown(addresses, last);
      func.release(last);
    }
  };

  const readLater = readBeyond(graph, schedule);
  const emitValues = (members: readonly NodeId[]): void => {
    const body = newBody(element.scalar, true);
    const lastUser = new Map<NodeId, NodeId>();
    for (const id of members) for (const arg of nodeOf(graph, id).args) lastUser.set(arg, id);
    /** Locals of a number that nothing else needs are free for others. */
    const drop = (id: NodeId): void => {
      const { op, shape } = nodeOf(graph, id);
      if (!isValueOp(op) || shape > 1 || readLater.has(id)) return;
      const { index } = values.get(id)!;
      const held = [values.get(id), body.splats.get(id), body.masks.get(index)];
      for (const local of held) if (local !== undefined) func.release(local);
      for (const map of [values, body.known, body.splats]) map.delete(id);
      body.masks.delete(index);
    };
    for (const id of members) {
      const node = nodeOf(graph, id);
      if (node.op === 'const' || node.op === 'constInt') continue;
      if (isValueOp(node.op) || isStructureOp(node.op)) {
        const value = compute(body, id);
        if (node.shape === 1) values.set(id, value[0]!);
        else keepArray(body, id, value);
        for (const arg of new Set(node.args)) if (lastUser.get(arg) === id) drop(arg);
        continue;
      }
      if (node.shape > 1) {
        if (node.op !== 'param') throw new Error(`${node.op} has no lanes`);
        const address = temps(16 * chunks(node.shape));
        demote({ func, into: body.code }, ports.param(node.attrs[0]!), address, node.shape);
        arrays.set(id, address);
        continue;
      }
      const local = func.local(element.scalar);
      const address = leafAddress(ports, node.op, node.attrs[0]!);
      const code = [['f64.load', address] as const, ...fromDouble(element), set(local)];
      body.code.push(['i32.const', 0], ...code);
      values.set(id, local);
      body.known.set(id, [local]);
    }
    func.append(body.prologue);
    func.append(body.code);
    for (const [id, value] of body.known) {
      if (shapeOf(id) > 1) for (const local of new Set(value)) func.release(local);
    }
    for (const local of [...body.splats.values(), ...body.kept]) func.release(local);
  };

  /** A vector that other loops will read. */
  const keepArray = (body: Body, id: NodeId, value: Value): void => {
    const address = temps(16 * chunks(shapeOf(id)));
    spill({ func, into: body.code }, value, address);
    arrays.set(id, address);
  };

  /** Products of two signals, summed over the window. */
  const emitProducts = (members: readonly NodeId[]): void => {
    for (const id of members) {
      if (nodeOf(graph, id).op === 'sumScatter') {
        emitScatters(id);
        continue;
      }
      const [a, b] = nodeOf(graph, id).args.map((arg): Recording => {
        const site = sites.sources.get(arg);
        if (site === undefined) throw new Error(`signal ${arg} is used before it is computed`);
        return { address: site.address, stride: element.bytes * site.places, lanes: shapeOf(arg) };
      }) as [Recording, Recording];
      const address = temps(16 * chunks(shapeOf(id)));
      sumOuter({ func, into: func.body }, a, b, frames, address);
      keepTotal(id, address);
    }
  };

  /** A reduction over the window that has been made in memory. */
  const keepTotal = (id: NodeId, address: number): void => {
    if (shapeOf(id) > 1) {
      arrays.set(id, address);
      return;
    }
    const local = func.local(element.scalar);
    func.emit(['i32.const', 0], [`${element.scalar}.load`, address], set(local));
    values.set(id, local);
  };

  /** Numbers at indices, summed over the window place by place. */
  const emitScatters = (id: NodeId): void => {
    const { args, shape } = nodeOf(graph, id);
    const body = newBody(element.scalar, true);
    const operands = args.map((arg): Operand => {
      if (!isSignal(arg)) return valueIn(body, arg)[0]!;
      const site = sites.sources.get(arg);
      if (site === undefined) throw new Error(`signal ${arg} is used before it is computed`);
      return { address: site.address };
    });
    const pairs = Array.from({ length: args.length / 2 }, (_, k) => ({
      value: operands[2 * k]!,
      index: operands[2 * k + 1]!,
    }));
    const address = temps(16 * chunks(shape));
    const w = { func, into: body.code };
    sumScatter(w, body.numbers, pairs, frames, shape, [temps(8 * shape), address]);
    func.append(body.prologue);
    func.append(body.code);
    keepTotal(id, address);
  };

  // ---- Frames ------------------------------------------------------------------------------------

  const frameContext = (): FrameContext => ({
    func,
    graph,
    storage,
    channels: ports,
    bases,
    sources: sites.sources,
    i: i,
    length,
    frames,
    values,
    arrays,
    recorded,
    shown,
    temps,
    constants: room.constants,
    transform: room.transform,
    routine: room.routine,
    valueIn,
    compute,
    apply: computer.apply,
    restructure: computer.restructure,
  });

  /** Is a node read by a stage after this one? */
  const isReadAfter = (stage: number): ((id: NodeId) => boolean) => {
    const late = new Set<NodeId>();
    for (const [user, place] of schedule.place) {
      if (place.stage > stage) for (const arg of nodeOf(graph, user).args) late.add(arg);
    }
    return (id) => late.has(id);
  };

  /** Samples that frames have been added to move up; what comes behind them is empty again. */
  const moveOverlaps = (): void => {
    for (const { base, size } of storage.overlaps.values()) {
      const kept = element.bytes * size;
      func.emit(['i32.const', base], get(length!), ['i32.const', base], ['i32.add']);
      func.emit(['i32.const', kept], ['memory.copy']);
      func.emit(['i32.const', base + kept], ['i32.const', 0], get(length!), ['memory.fill']);
    }
    for (const [hop, address] of storage.phases) {
      func.emit(['i32.const', 0], ['i32.const', 0], ['i32.load', address], get(length!));
      func.emit(['i32.add'], ['i32.const', element.bytes * hop], ['i32.rem_u']);
      func.emit(['i32.store', address]);
    }
  };

  // ---- The function ------------------------------------------------------------------------------

  /** What is still to be done of a call, this piece included. */
  const left = isStream && frames < most ? func.local('i32') : null;
  if (isStream && isDouble) {
    for (const bytes of [position!, length!]) {
      func.emit(get(bytes), ['i32.const', 1], ['i32.shl'], set(bytes));
    }
  }
  if (left !== null) {
    const piece: Instr = ['i32.const', bytes];
    func.emit(get(length!), set(left), ['loop', Math.ceil(most / frames)]);
    func.emit(get(left), piece, get(left), piece, ['i32.lt_u'], ['select'], set(length!));
  }
  if (isStream) {
    // A vector of samples at a time to the end and over it: what is behind is written again.
    func.emit(get(length!), ['i32.const', 15], ['i32.add']);
    func.emit(['i32.const', -16], ['i32.and'], set(whole!));
    for (const [kept, lines] of together) {
      const [{ capacity, depth }] = lines as [Line, ...Line[]];
      const head = heads.get(lines[0]!)!;
      func.emit(['i32.const', 0], ['i32.load', kept], set(head));
      func.emit(get(head), get(length!), ['i32.add']);
      func.emit(['i32.const', capacity - element.bytes * depth], ['i32.gt_u'], ['if']);
      for (const line of lines) {
        func.emit(['i32.const', line.base]);
        func.emit(get(head), ['i32.const', line.places], ['i32.mul']);
        func.emit(['i32.const', line.base], ['i32.add']);
        func.emit(['i32.const', element.bytes * line.places * line.depth], ['memory.copy']);
      }
      func.emit(['i32.const', 0], set(head), ['end']);
    }
  }
  const { stages } = schedule;
  (stages.length > 0 ? stages : [EMPTY_STAGE]).forEach((stage, k) => {
    const copied = sites.copies.get(k) ?? [];
    const isNumber = (id: NodeId): boolean => shapeOf(id) === 1;
    func.begin('value');
    emitValues(stage.value);
    func.begin('vector');
    emitLoop('vector', stage.vector, copied.filter(isNumber));
    func.begin('serial');
    emitLoop(
      'serial',
      stage.serial,
      copied.filter((id) => !isNumber(id)),
    );
    func.begin('product');
    emitProducts(stage.product);
    func.begin('frame');
    if (stage.frame.length > 0) emitFrames(frameContext(), stage.frame, isReadAfter(k));
  });

  func.begin('upkeep');
  const last = newBody(element.scalar, true);
  const results = graph.outputs.flatMap(({ name, node }): Result[] => {
    const address = ports.value(name);
    if (address === undefined || isSignal(node)) return [];
    return [{ node, address, lanes: shapeOf(node), isGradient: name.startsWith('gradient:') }];
  });
  storeResults(
    func,
    last.code,
    results,
    element.precision === 'single' ? ports.slopes : null,
    (id) => valueIn(last, id)[0]!,
    (id) => arrays.get(id) ?? room.constants(nodeOf(graph, id).attrs),
  );
  func.append(last.prologue);
  func.append(last.code);
  if (isStream) showStored();

  if (isStream) moveOverlaps();
  // What a recursion writes must not end in denormals: one loop for numbers, one for vectors.
  const decaying = [...heads].filter(([line]) => recursiveLines.has(line) && !isQuietened(line));
  for (const kind of ['vector', 'serial'] as const) {
    const lines = decaying.filter(([line]) => (line.places === 1) === (kind === 'vector'));
    if (lines.length === 0) continue;
    run(kind, (form) => {
      const body = newBody(form);
      for (const [line, head] of lines) {
        const { places } = line;
        const site: Site = {
          address: line.base + element.bytes * places * line.depth,
          base: head,
          places,
        };
        const type = places === 1 ? realType(form) : 'v128';
        for (let chunk = 0; chunk < chunks(places); chunk++) {
          const value = func.local(type);
          const where = at(body, site);
          const place = site.address + 16 * chunk;
          const quiet =
            type === 'v128'
              ? soundLanes(element, value, (all) => body.lanes.real(all))
              : sound(element, value);
          body.code.push(...where, [`${type}.load`, place], set(value));
          body.code.push(...where, ...quiet);
          body.code.push([`${type}.store`, place]);
          func.release(value);
        }
      }
      return body;
    });
  }
  for (const [kept, [line]] of together) {
    const head = heads.get(line!)!;
    func.emit(['i32.const', 0], get(head), get(length!), ['i32.add'], ['i32.store', kept]);
  }
  if (left !== null) {
    const inDevice: Instr[] = isDouble ? [['i32.const', 1], ['i32.shr_u']] : [];
    func.emit(get(offset!), get(length!), ...inDevice, ['i32.add'], set(offset!));
    for (const place of [position!, ...(exact === null ? [] : [exact])]) {
      func.emit(get(place), get(length!), ['i32.add'], set(place));
    }
    func.emit(get(left), get(length!), ['i32.sub'], ['local.tee', left.index]);
    func.emit(['br_if', 0], ['end']);
  }
}

/**
 * Vectors that a serial loop may keep in registers all the time (x86-64 has 16, and some are for what
 * is computed): more, and states go through memory, which every sample waits for.
 */
const REGISTERS = 11;

/** So many vectors of samples before the present one are held in locals. */
const RECENT = 2;

/** What a loop of one sample has computed in the samples before. */
interface Past {
  readonly line: Line;
  readonly delays: readonly NodeId[];
  /** The last one first. */
  readonly before: Local[];
}

/** What a loop of several samples has computed just now. */
interface Recent {
  readonly line: Line;
  readonly source: NodeId;
  readonly delays: readonly NodeId[];
  /** The vectors of samples before this one, the last one first. */
  readonly before: readonly Local[];
}

/** Where a node counts as read by another one: by the outermost choice that keeps the two apart. */
function outermost(branches: ReadonlyMap<NodeId, Branch>, user: NodeId, operand: NodeId): NodeId {
  const around = new Set<Branch>();
  for (let at = branches.get(operand); at !== undefined; at = branches.get(at.select)) {
    around.add(at);
  }
  let found = user;
  for (let at = branches.get(user); at !== undefined; at = branches.get(at.select)) {
    const { select, side } = at;
    if ([...around].some((one) => one.select === select && one.side === side)) break;
    found = select;
  }
  return found;
}

/** What is read by more than the values of its own stage. */
function readBeyond(graph: Graph, { place }: Schedule): ReadonlySet<NodeId> {
  const read = new Set<NodeId>([
    ...graph.delays.values(),
    ...graph.outputs.map(({ node }) => node),
  ]);
  graph.nodes.forEach(({ args }, n) => {
    const user = place.get(n as NodeId);
    for (const arg of args) {
      const made = place.get(arg);
      const isSame = user?.kind === 'value' && user.stage === made?.stage && made.kind === 'value';
      if (!isSame) read.add(arg);
    }
  });
  return read;
}

/** For a graph that only passes on what it hears. */
const EMPTY_STAGE: Stage = { value: [], vector: [], serial: [], product: [], frame: [] };

function leafAddress(ports: Ports, op: string, index: number): number {
  if (op === 'slider') return ports.slider(index);
  if (op === 'param') return ports.param(index);
  if (op === 'scalar') return ports.scalar(index);
  throw new Error(`${op} is not a value`);
}
