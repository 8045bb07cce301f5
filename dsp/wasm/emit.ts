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

import { nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { makeBody } from './body.ts';
import { computerOf } from './compute.ts';
import { chunksOf, realType } from './element.ts';
import { emitFrames } from './frames.ts';
import type { FrameContext } from './frames.ts';
import { looperOf } from './loop.ts';
import type { Line, Storage } from './memory.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import { operandsOf } from './operands.ts';
import type { Room } from './operands.ts';
import type { Ports, Span } from './ports.ts';
import { storeResults } from './results.ts';
import type { Result } from './results.ts';
import { roundsOf } from './rounds.ts';
import { displayOf } from './shown.ts';
import { placeSignals } from './sites.ts';
import type { Site } from './sites.ts';
import { sound, soundLanes } from './snippets.ts';
import type { Schedule, Stage } from './stages.ts';
import { recursiveLinesOf } from './memory.ts';
import { betweenOf, slotsOf } from './values.ts';

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
  const shapeOf = (id: NodeId): number => nodeOf(graph, id).shape;
  const isSignal = (id: NodeId): boolean => nodeOf(graph, id).hop > 0;
  const chunks = (lanes: number): number => chunksOf(element, lanes);
  /** Frames that a later stage reads. */
  const recorded = new Map<NodeId, number>();

  const slots = slotsOf(graph, schedule, () => temps(element.bytes));
  const context = { func, graph, storage, room, sites, heads, values, slots, arrays, i, frames };
  const operands = operandsOf(context);
  const computer = computerOf(context, operands);
  const display = displayOf(context, schedule, (output) => ports.value(output), length);
  const run = roundsOf(func, i, frames, isStream ? { length: length!, whole: whole! } : null);
  const recursiveLines = recursiveLinesOf(graph, schedule, storage);
  const isQuietened = ({ source }: Line): boolean =>
    isStream && schedule.place.get(source)?.kind !== 'serial';
  const emitLoop = looperOf({
    function: context,
    schedule,
    operands,
    computer,
    display,
    run,
    recursiveLines,
    isQuietened,
  });
  const { emitValues, emitProducts } = betweenOf(context, schedule, operands, computer, ports);
  const { at, valueIn } = operands;

  // ---- Frames ------------------------------------------------------------------------------------

  const frameContext = (): FrameContext => ({
    func,
    graph,
    storage,
    channels: ports,
    bases,
    sources: sites.sources,
    i,
    length,
    frames,
    values,
    arrays,
    recorded,
    shown: display.addresses,
    temps,
    constants: room.constants,
    transform: room.transform,
    routine: room.routine,
    valueIn,
    keepNumber: operands.keepNumber,
    compute: computer.compute,
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
    const piece: Instr = ['i32.const', element.bytes * frames];
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
  const last = makeBody(func, element.scalar, { once: true });
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
  if (isStream) display.showStored();

  if (isStream) moveOverlaps();
  // What a recursion writes must not end in denormals: one loop for numbers, one for vectors.
  const decaying = [...heads].filter(([line]) => recursiveLines.has(line) && !isQuietened(line));
  for (const kind of ['vector', 'serial'] as const) {
    const lines = decaying.filter(([line]) => (line.places === 1) === (kind === 'vector'));
    if (lines.length === 0) continue;
    run(kind, (form) => {
      const body = makeBody(func, form);
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

/** For a graph that only passes on what it hears. */
const EMPTY_STAGE: Stage = { value: [], vector: [], serial: [], product: [], frame: [] };
