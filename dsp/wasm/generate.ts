/**
 * Program → module: three functions, one that calls them window by window, two resets, and where
 * everything lies.
 *
 * Exports: memory; stream(offset, position, length) in bytes of single-precision samples;
 * backward(); update(), which leaves the parameters at `next`; reset() of all states, restart() of
 * the optimiser's; peak(from, bytes) of samples; course(offset, position, length), all of them
 * together, where the program learns. Invariant: the bytes depend on the program and `maxBlock` alone.
 */

import type { Layout, MemoryReport } from '../artifact.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { nodeOf } from '../ir/graph.ts';
import { COURSE_WORDS, KEPT_NUMBERS } from '../ir/judging.ts';
import { ListKeys } from '../ir/lists.ts';
import {
  COMPARED,
  NO_GUARDS,
  comparedName,
  gradientName,
  listensTo,
  measureLanes,
  measureName,
  meterName,
  outName,
  paramName,
  tapesOf,
  updateScalars,
} from '../ir/program.ts';
import type { GraphName, Program } from '../ir/program.ts';
import { DOUBLE, chunksOf, elementOf, placesOf, splatReal } from './element.ts';
import type { Element } from './element.ts';
import { courseFunction } from './course.ts';
import type { CourseCode } from './course.ts';
import { emitGraph } from './emit.ts';
import type { Ports, Span } from './ports.ts';
import type { Room, Transforms } from './operands.ts';
import { emitOnce, isWatchable } from './once.ts';
import type { Watch } from './once.ts';
import { fftScratch, fftTables, rfftFunction, rfftTransposeFunction } from './fft.ts';
import { Memory, placeState } from './memory.ts';
import type { Storage } from './memory.ts';
import { Func, call, get, set } from './module.ts';
import type { Data, Local, Module } from './module.ts';
import { peakFunction } from './peak.ts';
import { pieceOf } from './pieces.ts';
import { schedule } from './schedule.ts';
import { move, splatInt } from './snippets.ts';
import { statesOf } from './states.ts';
import type { Schedule } from './stages.ts';
import { fillTable } from './tables.ts';

export interface Generated {
  readonly module: Module;
  readonly layout: Layout;
  readonly loops: { readonly vector: number; readonly serial: number };
  readonly memory: MemoryReport;
  readonly plans: readonly Plan[];
  /** Where outputs go that keep the precision of the program. */
  readonly exact: readonly number[];
}

/** A graph with the decisions that its function was written from. */
export interface Plan {
  readonly name: GraphName;
  readonly graph: Graph;
  readonly order: Schedule;
  readonly storage: Storage;
  /** The most that one run processes: of a stream, what a call is divided into. */
  readonly frames: number;
}

/** Places among the functions. */
const PLACE = { stream: 0, loss: 1, backward: 2, update: 3, peak: 6 } as const;
/** Functions between those of the graphs and the routines: two resets, the peak and the course. */
const OWN = 4;
/** Instructions that may be there twice. */
const INLINE = 4000;
const PAGE = 65536;
/** A matrix product may read three columns behind the last one. */
const SPARE = 65536;

/**
 * @param maxBlock  most frames that one call of stream may process
 * @param fused     multiply and add in one rounding, where the machine can: faster, and the results
 *                  depend on the machine in their last bits
 * @param isExact   outputs in the precision of the program, at `exact` from the first sample of a call,
 *                  instead of a device's: for those who compare
 */
export function generate(
  program: Program,
  maxBlock: number,
  fused = false,
  isExact = false,
): Generated {
  const element = elementOf(program.precision);
  const memory = new Memory();
  const reserved = memory.top;
  const P = program.params.length;
  const sliders = memory.doubles(program.sliders.length);
  const params = memory.doubles(P);
  const { measures = [] } = program;
  const measured = measures.reduce((sum, measure) => sum + measureLanes(measure, P), 0);
  // Rate, gradients, frozen flags, rate factors and measures are the update graph's scalars.
  const scalars = memory.doubles(1 + 3 * P + measured);
  const loss = memory.doubles(1);
  const peak = memory.take(16);
  const slopes = memory.take(16);
  // A step that leaves parameters out works in place.
  const isWhole = stepsAll(program.update, P);
  const next = isWhole ? memory.doubles(P + 1) : params;
  const judged = isWhole
    ? {
        kept: memory.doubles(KEPT_NUMBERS),
        good: memory.doubles(P + 1),
        before: memory.doubles(P + 1),
        sums: memory.doubles(P + 1),
      }
    : null;
  // Of every step of a block.
  const steps = program.window === 0 ? 0 : Math.floor(maxBlock / program.window) + 1;
  const course = isWhole
    ? { words: memory.take(4 * COURSE_WORDS), rates: memory.doubles(steps), steps }
    : null;
  const controlsEnd = memory.top;
  const channels = (count: number): number[] =>
    Array.from({ length: count }, () => memory.floats(maxBlock + 4));
  const inputs = channels(program.inputs);
  const outputs = channels(program.outputs);

  const wide = (): number => memory.take(element.bytes * (maxBlock + 4));
  const exact = isExact ? outputs.map(wide) : null;
  const compared = COMPARED.map((which) => {
    const known = channelOf(program.stream, comparedName(which), inputs, outputs);
    return known === undefined ? known : { ...known, address: known.address ?? channels(1)[0]! };
  });

  const channelsEnd = memory.top;
  const begin = memory.take(0);
  const { window, carry } = program;
  const recordings = tapesOf(program).map(({ lanes, lead, hop, isKept }) => {
    const size = element.bytes * placesOf(element, lanes);
    const base = memory.take((size * (lead + window)) / hop + 16);
    const from = (before: number): number => base + (size * (lead - before)) / hop;
    return { base, from, lead, isKept, step: (size * window) / hop, kept: (size * lead) / hop };
  });
  const tapesEnd = memory.top;
  const graphs = [
    { name: 'stream', graph: program.stream, frames: pieceOf(program.stream, maxBlock), before: 0 },
    { name: 'loss', graph: program.loss, frames: window, before: 0 },
    { name: 'backward', graph: program.backward, frames: window + carry, before: carry },
    { name: 'update', graph: program.update, frames: 1, before: 0 },
  ] as const;
  const { meters: shown = [] } = program;
  const meters = memory.doubles(shown.length);
  let optimiser = begin;
  const planned = graphs.map(({ name, graph, frames }): Plan | null => {
    optimiser = memory.take(0);
    if (graph === null) return null;
    const order = schedule(graph, frames, element.width, program.window === 1);
    const of = graph.domain === 'once' ? DOUBLE : element;
    return { name, graph, order, storage: placeState(graph, order, frames, memory, of), frames };
  });
  const plans = planned.filter((plan) => plan !== null);
  const end = memory.take(0);
  let tables = 0;
  const take = (bytes: number): number => {
    const before = memory.top;
    const address = memory.take(bytes);
    tables += memory.top - before;
    return address;
  };

  const slot = (base: number, index: number): number => base + 8 * index;
  const valuePorts = new Map<string, number>([['loss', loss]]);
  for (let k = 0; k < P; k++) {
    valuePorts.set(gradientName(k), slot(scalars, updateScalars.gradient(k)));
    valuePorts.set(paramName(k), slot(next, k));
  }
  shown.forEach((_, k) => valuePorts.set(meterName(k), slot(meters, k)));
  for (const measure of measures) {
    const index = updateScalars.measure(measure, measures, P);
    valuePorts.set(measureName(measure), slot(scalars, index));
  }
  const portsFrom = (before: number, isSlope = false): Ports => ({
    inputs,
    outputs: exact ?? outputs,
    isExact: exact !== null,
    compared: compared.map((one) => (one?.isOwn === true ? one.address : undefined)),
    tapes: recordings.map(({ from }) => from(before)),
    slider: (index) => slot(sliders, index),
    param: (index) => slot(params, index),
    scalar: (index) => slot(scalars, index),
    value: (name) => valuePorts.get(name),
    slopes: isSlope ? slopes : null,
    unread: (name) => (isWhole ? valuePorts.get(name) : undefined),
  });
  const data = new Map<string, Data>();
  // Routines that others call come behind the functions of the kernel.
  const routines: Func[] = [];
  const scratch = { address: 0, bytes: 0 };
  const transforms = new Map<number, Transforms>();
  const named = new Map<string, number>();
  const lists = new ListKeys();
  const room: Room = {
    temps: (bytes) => memory.take(bytes),
    constants: (values) => {
      const key = lists.keyOf(values);
      const known = data.get(key);
      if (known !== undefined) return known.address;
      const bytes = element.pack(values);
      const address = take(bytes.length);
      data.set(key, { address, bytes });
      return address;
    },
    doubles: (values) => {
      const bytes = new Uint8Array(Float64Array.from(values).buffer);
      const key = `doubles ${bytes.join()}`;
      const known = data.get(key) ?? { address: take(bytes.length), bytes };
      data.set(key, known);
      return known.address;
    },
    routine: (name, make) => {
      const known = named.get(name);
      if (known !== undefined) return known;
      const index = graphs.length + OWN + routines.length;
      routines.push(make(name));
      named.set(name, index);
      return index;
    },
    transform: (size) => {
      const known = transforms.get(size);
      if (known !== undefined) return known;
      const factors = fftTables(size, element);
      const address = take(factors.length);
      data.set(`transform ${size}`, { address, bytes: factors });
      // No content outlives a call: a transform may work where a larger one does.
      if (fftScratch(size, element) > scratch.bytes) {
        scratch.bytes = fftScratch(size, element);
        scratch.address = memory.take(scratch.bytes);
      }
      const first = graphs.length + OWN + routines.length;
      routines.push(
        rfftFunction(`rfft${size}`, size, address, scratch.address, fused, element),
        rfftTransposeFunction(`rfftT${size}`, size, address, scratch.address, fused, element),
      );
      const windowed = (): number =>
        room.routine(`rfft${size}windowed`, (name) =>
          rfftFunction(name, size, address, scratch.address, fused, element, true),
        );
      const added = (): number =>
        room.routine(`rfftT${size}added`, (name) =>
          rfftTransposeFunction(name, size, address, scratch.address, fused, element, true),
        );
      const made = { forward: first, transpose: first + 1, windowed, added };
      transforms.set(size, made);
      return made;
    },
  };
  const writeGraph = (
    func: Func,
    place: number,
    frames: number,
    most: number,
    before: number,
    span: Span | null,
  ): void => {
    const plan = planned[place];
    if (!plan) return;
    const { graph, order, storage } = plan;
    const ports = portsFrom(before, place === PLACE.backward);
    if (graph.domain === 'once') emitOnce(func, graph, storage, ports, room);
    else emitGraph(func, graph, order, storage, ports, room, { frames, most }, span ?? undefined);
  };
  const writeBackward = (func: Func): void => {
    if (program.loss !== null) func.emit(call(PLACE.loss));
    writeGraph(func, PLACE.backward, window + carry, window + carry, carry, null);
    // The last samples of this window come before the next one.
    for (const { base, isKept, step, kept } of recordings) {
      if (kept > 0 && isKept) func.append(move(base, base + step, kept));
    }
  };
  const functions = graphs.map(({ name, frames, before }, k) => {
    const isStream = name === 'stream';
    const func = new Func(name, isStream ? ['i32', 'i32', 'i32'] : [], {
      internal: name === 'loss',
      fused,
      element: name === 'update' ? DOUBLE : element,
    });
    if (name === 'backward') writeBackward(func);
    else writeGraph(func, k, frames, isStream ? maxBlock : frames, before, null);
    return func;
  });
  /** A step in a function of its own kind, every parameter of which is seen as it is made. */
  const emitSteps = (func: Func, watch: Watch, isFree: Local): void => {
    const { graph, storage } = planned[PLACE.update]!;
    if (isWatchable(graph)) {
      const { freeUpdate } = program;
      const carries = freeUpdate ? carriesOf(freeUpdate, graph, storage.carries) : null;
      const isSplit = freeUpdate && carries !== null && isWatchable(freeUpdate);
      if (isSplit) {
        func.emit(get(isFree), ['if']);
        emitOnce(func, freeUpdate, { ...storage, carries }, portsFrom(0), room, watch);
        func.emit(['else']);
      }
      emitOnce(func, graph, storage, portsFrom(0), room, watch);
      if (isSplit) func.emit(['end']);
      return;
    }
    func.emit(call(PLACE.update));
    const [at, value, past] = [func.local('i32'), func.local('f64'), func.local('f64')];
    func.emit(['i32.const', 0], set(at), ['loop', P]);
    func.emit(get(at), ['f64.load', next], set(value), get(at), ['f64.load', params], set(past));
    watch({ into: func.body, value, past, at: [get(at)], byte: 0, count: P });
    func.emit(get(at), ['i32.const', 8], ['i32.add'], ['local.tee', at.index]);
    func.emit(['i32.const', 8 * P], ['i32.lt_u'], ['br_if', 0], ['end']);
  };
  // A window of one sample is worth no calls, if it is not long.
  const [streamed, reversed] = [functions[PLACE.stream]!, functions[PLACE.backward]!];
  const isInline = window === 1 && streamed.body.length + reversed.body.length < INLINE;
  const courseCode: CourseCode = {
    stream: (func, span) => {
      if (isInline) {
        func.within(element, () => {
          writeGraph(func, PLACE.stream, 1, 1, 0, span);
        });
      } else func.emit(get(span.offset), get(span.position), get(span.length), call(PLACE.stream));
    },
    backward: (func) => {
      if (isInline) {
        func.within(element, () => {
          writeBackward(func);
        });
      } else func.emit(call(PLACE.backward));
    },
    update: emitSteps,
    peak: (func) => {
      func.emit(call(PLACE.peak));
    },
  };
  const updates = plans.filter(({ name }) => name === 'update');
  functions.push(
    resetFunction('reset', begin, end, plans, room, element),
    resetFunction('restart', optimiser, end, updates, room, element),
    peakFunction(peak, maxBlock),
    judged !== null && course !== null
      ? courseFunction(
          {
            inputs,
            params,
            gradients: slot(scalars, updateScalars.gradient(0)),
            slopes: element === DOUBLE ? null : slopes,
            frozen: slot(scalars, updateScalars.frozen(0, P)),
            factors: slot(scalars, updateScalars.rate(0, P)),
            loss,
            learningRate: slot(scalars, updateScalars.learningRate),
            peak,
            ...judged,
            ...course,
          },
          courseCode,
          program,
          maxBlock,
          listensTo(program.stream),
          program.guards ?? NO_GUARDS,
          room.doubles,
          fused,
        )
      : new Func('course', ['i32', 'i32', 'i32'], { internal: true }),
    ...routines,
  );
  const lines = plans.reduce((sum, { storage }) => sum + lineBytes(storage), 0);

  return {
    module: { functions, pages: Math.ceil((memory.top + SPARE) / PAGE), data: [...data.values()] },
    layout: {
      inputs,
      outputs,
      compared: { estimate: compared[0]?.address ?? null, target: compared[1]?.address ?? null },
      sliders,
      params,
      gradients: slot(scalars, updateScalars.gradient(0)),
      frozen: slot(scalars, updateScalars.frozen(0, P)),
      rates: slot(scalars, updateScalars.rate(0, P)),
      loss,
      meters,
      peak,
      learningRate: slot(scalars, updateScalars.learningRate),
      next,
      judged,
      course,
      lead: Math.max(0, ...recordings.map(({ lead, isKept }) => (isKept ? lead : 0))),
      states: plans.flatMap(({ graph, storage }) => statesOf(graph, storage)),
      bytes: memory.top,
    },
    loops: countLoops(plans.map((p) => p.order)),
    memory: {
      controls: controlsEnd - reserved,
      channels: channelsEnd - controlsEnd,
      tapes: tapesEnd - channelsEnd,
      lines,
      state: end - tapesEnd - lines,
      temps: memory.top - end - tables,
      tables,
      reserved,
    },
    plans,
    exact: exact ?? [],
  };
}

/** Where the states of a graph lie that has those of another one; null if it has not. */
function carriesOf(
  graph: Graph,
  other: Graph,
  addresses: ReadonlyMap<NodeId, number>,
): ReadonlyMap<NodeId, number> | null {
  const known = new Map([...other.states].map(([id, names]) => [names.join(), addresses.get(id)]));
  const carries = new Map<NodeId, number>();
  for (const id of graph.delays.keys()) {
    const address = known.get((graph.states.get(id) ?? []).join());
    if (address === undefined) return null;
    carries.set(id, address);
  }
  return carries.size === other.delays.size ? carries : null;
}

/**
 * Where a signal lies that is an output of a stream by another name: in the channel that it is played
 * on or heard from, or in one of its own.
 */
function channelOf(
  { nodes, outputs }: Graph,
  name: string,
  heard: readonly number[],
  played: readonly number[],
): { readonly address: number | undefined; readonly isOwn: boolean } | undefined {
  const found = outputs.find((output) => output.name === name);
  if (found === undefined) return undefined;
  const { op, attrs } = nodes[found.node]!;
  const channel = played.findIndex((_, k) =>
    outputs.some((output) => output.name === outName(k) && output.node === found.node),
  );
  const address = op === 'input' ? heard[attrs[0]!] : played[channel];
  return { address, isOwn: address === undefined };
}

/** Does an update make all of so many parameters? */
function stepsAll(update: Graph | null, params: number): boolean {
  const made = (update?.outputs ?? []).reduce(
    (sum, { node }) => sum + nodeOf(update!, node).shape,
    0,
  );
  return update !== null && made === params;
}

/** Zeroes a region of states, then writes every start value in it that is not 0. */
function resetFunction(
  name: string,
  begin: number,
  end: number,
  states: readonly { readonly graph: Graph; readonly storage: Storage }[],
  room: Room,
  element: Element,
): Func {
  const func = new Func(name, [], { element });
  const { bytes, scalar } = element;
  func.emit(['i32.const', begin], ['i32.const', 0], ['i32.const', end - begin], ['memory.fill']);
  for (const { graph, storage } of states) {
    for (const [id, address] of storage.carries) {
      const { type, attrs, shape } = nodeOf(graph, id);
      const [, init = 0] = attrs;
      if (Object.is(init, 0)) continue;
      if (shape > 1 && graph.domain === 'once') {
        for (let lane = 0; lane < shape; lane++) {
          func.emit(['i32.const', 0], ['f64.const', init], ['f64.store', address + 8 * lane]);
        }
        continue;
      }
      for (let chunk = 0; shape > 1 && chunk < chunksOf(element, shape); chunk++) {
        const four = type === 'int' ? splatInt(init) : splatReal(element, init);
        func.emit(['i32.const', 0], four, ['v128.store', address + 16 * chunk]);
      }
      if (shape > 1) continue;
      func.emit(['i32.const', 0]);
      if (type === 'int') func.emit(['i32.const', init], ['i32.store', address]);
      else if (graph.domain === 'once') func.emit(['f64.const', init], ['f64.store', address]);
      else func.emit([`${scalar}.const`, init], [`${scalar}.store`, address]);
    }
    for (const [id, table] of storage.tables) {
      const { attrs: start } = nodeOf(graph, nodeOf(graph, id).args[0]!);
      if (start.some((value) => !Object.is(value, 0)))
        fillTable(func, table, room.constants(start));
    }
    const { allLines, frameLines, held } = storage;
    for (const line of [...allLines, ...frameLines.values(), ...new Set(held.values())]) {
      if (Object.is(line.init, 0)) continue;
      const i = func.local('i32');
      const isInt = nodeOf(graph, line.source).type === 'int';
      func.emit(['i32.const', 0], set(i), ['loop', line.places * line.depth], get(i));
      if (isInt) func.emit(['i32.const', line.init], ['i32.store', line.base]);
      else func.emit([`${scalar}.const`, line.init], [`${scalar}.store`, line.base]);
      func.emit(get(i), ['i32.const', bytes], ['i32.add'], ['local.tee', i.index]);
      func.emit(
        ['i32.const', bytes * line.places * line.depth],
        ['i32.lt_u'],
        ['br_if', 0],
        ['end'],
      );
    }
  }
  return func;
}

/** Of the past of signals, without where each line's newest sample is kept. */
function lineBytes({ allLines, frameLines, element: { bytes } }: Storage): number {
  const perSample = allLines.map(({ capacity, places }) => capacity * places + 16);
  const perFrame = [...frameLines.values()].map(({ depth, places }) => bytes * depth * places);
  return [...perSample, ...perFrame].reduce((sum, size) => sum + size, 0);
}

function countLoops(schedules: readonly Schedule[]): { vector: number; serial: number } {
  const stages = schedules.flatMap((s) => s.stages);
  return {
    vector: stages.filter((s) => s.vector.length > 0).length,
    serial: stages.filter((s) => s.serial.length > 0).length,
  };
}
