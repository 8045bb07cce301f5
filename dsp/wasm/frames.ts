/**
 * Loops over frames: vectors that come every `hop` samples, too long for locals.
 *
 * A vector lies in memory. Operations that work lane by lane are fused: neighbours with as many
 * lanes share one loop over the lanes, a vector at a time, and only what is needed outside of that loop
 * is stored, where it is joined with others if it is; sums over lanes are taken in the same loop, and
 * frames are added to others. A slice is a view and costs nothing.
 *
 * Tried: all that may share a loop put into one, E and T of a spectral loss side by side. Two
 * logarithms have more constants than there are registers: 7 % slower (Node 24.21, x86-64).
 *
 * Invariants: in a stream a round of the loop runs at the sample where its frame ends, wherever the
 * blocks are cut; a backward graph runs from the last frame of the window to the first. What lies
 * behind the last lane of a vector never reaches a sum.
 */

import { isDelay, isFraming, isOverlap, isSignal, isTape, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { isStructureOp, isValueOp } from '../interpret/rules.ts';
import { makeBody } from './body.ts';
import type { Body, Value } from './body.ts';
import { chunksOf, numberType, placesOf, splatReal } from './element.ts';
import type { Element } from './element.ts';
import type { Storage } from './memory.ts';
import { call, get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import type { Transforms } from './operands.ts';
import type { Bases, Channels, Site } from './sites.ts';
import { sound, soundLanes } from './snippets.ts';
import { addLanes, maskOf } from './structures.ts';
import { windowSum } from './sums.ts';
import type { WindowSum } from './sums.ts';
import { isWalk, walkOf } from './walks.ts';
import type { WalkOp } from './walks.ts';

/** What frame loops use of the function they are part of. */
export interface FrameContext {
  readonly func: Func;
  readonly graph: Graph;
  readonly storage: Storage;
  readonly channels: Channels;
  readonly bases: Bases;
  /** Byte offset of the current sample, one place each. */
  readonly i: Local;
  /** Bytes of this run; null in a backward graph. */
  readonly length: Local | null;
  /** Samples of a run at most, or of the window. */
  readonly frames: number;
  /** Where signals of every sample are read. */
  readonly sources: ReadonlyMap<NodeId, Site>;
  /** Numbers and vectors that are no signals. */
  readonly values: Map<NodeId, Local>;
  readonly arrays: Map<NodeId, number>;
  /** Frames that a later stage reads: address of [frames][places]. */
  readonly recorded: Map<NodeId, number>;
  /** Where the last values of signals go. */
  readonly shown: ReadonlyMap<NodeId, readonly number[]>;
  temps(bytes: number): number;
  constants(values: readonly number[]): number;
  transform(size: number): Transforms;
  routine(name: string, make: (name: string) => Func): number;
  keepNumber(into: Instr[], id: NodeId, local: Local): void;
  /** The locals of a number, and of an operation on numbers. */
  valueIn(body: Body, id: NodeId): Value;
  compute(body: Body, id: NodeId): Value;
  /** One operation on given operands. */
  apply(body: Body, id: NodeId, operands: readonly Local[], isVector: boolean): Local;
  /** An operation on whole vectors held in locals. */
  restructure(body: Body, id: NodeId, operands: (arg: NodeId) => Value): Value;
}

/** Where the lanes of a vector lie: static address, and a local that moves it. */
interface Place {
  readonly address: number;
  readonly base: Local | null;
}

/** @param members  of one stage, in order; @param isLate  is a node read by a later stage? */
export function emitFrames(
  c: FrameContext,
  members: readonly NodeId[],
  isLate: (id: NodeId) => boolean,
): void {
  const byHop = new Map<number, NodeId[]>();
  for (const id of members) {
    const hop = hopOf(c.graph, id);
    byHop.set(hop, [...(byHop.get(hop) ?? []), id]);
  }
  for (const [hop, some] of byHop) new FrameLoop(c, hop, some, isLate).emit();
}

/** Of the loop that computes a node. */
function hopOf(graph: Graph, id: NodeId): number {
  const { op, args, attrs, hop } = nodeOf(graph, id);
  if (isOverlap(op)) return attrs[0]!;
  return op === 'sum' ? nodeOf(graph, args[0]!).hop : hop;
}

class FrameLoop {
  readonly #c: FrameContext;
  readonly #element: Element;
  readonly #hop: number;
  readonly #members: readonly NodeId[];
  readonly #isLate: (id: NodeId) => boolean;
  readonly #body: Body;
  readonly #places = new Map<NodeId, Place>();
  /**
   * What a transform multiplies as it reads it, by its id: a frame and a window. And as it writes, by
   * the id of what adds that to others: a spectrum and a window. Members that need no code of their own.
   */
  readonly #windowed = new Map<NodeId, readonly [NodeId, NodeId]>();
  readonly #taken = new Set<NodeId>();
  readonly #sums = new Map<NodeId, WindowSum>();
  /** Lane-by-lane operations that wait for their common loop. */
  #group: NodeId[] = [];
  #index: Local | null = null;

  constructor(
    c: FrameContext,
    hop: number,
    members: readonly NodeId[],
    isLate: (id: NodeId) => boolean,
  ) {
    this.#c = c;
    this.#element = c.func.element;
    this.#hop = hop;
    this.#members = members;
    this.#isLate = isLate;
    this.#takeWindows();
    this.#body = makeBody(c.func, c.func.element.scalar);
  }

  emit(): void {
    const { func, i, length, frames } = this.#c;
    const width = this.#element.bytes;
    const bytes = width * this.#hop;
    const rounds = frames / this.#hop;
    this.#begin();
    for (const id of this.#members) this.#member(id);
    this.#flush();
    this.#store();
    func.append(this.#body.prologue);
    if (length === null) {
      func.emit(['i32.const', width * (frames - 1)], set(i), ['loop', rounds]);
      func.append(this.#body.code);
      func.emit(get(i), ['i32.const', bytes], ['i32.sub'], ['local.tee', i.index]);
      func.emit(['i32.const', 0], ['i32.ge_s'], ['br_if', 0], ['end']);
    } else {
      // The first frame ends when `hop` samples have come since the last one.
      const phase = this.#c.storage.phases.get(this.#hop)!;
      func.emit(['i32.const', bytes - width], ['i32.const', 0], ['i32.load', phase]);
      func.emit(['i32.sub'], set(i));
      func.emit(['block'], get(i), get(length), ['i32.ge_u'], ['br_if', 0]);
      func.emit(['loop', rounds]);
      func.append(this.#body.code);
      func.emit(get(i), ['i32.const', bytes], ['i32.add'], ['local.tee', i.index]);
      func.emit(get(length), ['i32.lt_u'], ['br_if', 0], ['end'], ['end']);
    }
    this.#end();
  }

  // ---- Around the loop -----------------------------------------------------------------------

  #begin(): void {
    const { func, graph, storage, length, frames } = this.#c;
    const { bytes } = this.#element;
    for (const id of this.#members) {
      const node = nodeOf(graph, id);
      if (node.op === 'sum') {
        if (node.shape === 1) {
          const sum = windowSum(func, 1, frames);
          func.append(sum.begin);
          this.#sums.set(id, sum);
        } else {
          const size = this.#bytesOf(node.shape);
          const address = this.#c.temps(size);
          func.emit(['i32.const', address], ['i32.const', 0], ['i32.const', size]);
          func.emit(['memory.fill']);
          this.#c.arrays.set(id, address);
        }
      }
      if (length !== null) continue;
      const zero = (address: number, size: number): void => {
        func.emit(['i32.const', address], ['i32.const', 0], ['i32.const', size], ['memory.fill']);
      };
      const overlap = storage.overlaps.get(id);
      if (overlap !== undefined) zero(overlap.base, bytes * (overlap.size + frames));
      const line = storage.frameLines.get(id);
      if (line !== undefined) zero(line.base, bytes * line.depth * line.places);
    }
  }

  #end(): void {
    const { func } = this.#c;
    for (const [id, sum] of this.#sums) this.#c.keepNumber(func.body, id, sum.total());
    for (const value of this.#body.known.values()) {
      for (const local of new Set(value)) if (!this.#isConstant(local)) func.release(local);
    }
    for (const local of [...this.#body.hoisted, ...this.#body.kept]) func.release(local);
    if (this.#index !== null) func.release(this.#index);
  }

  readonly #constants = new Set<number>();
  #isConstant(local: Local): boolean {
    return this.#constants.has(local.index);
  }

  // ---- Members -------------------------------------------------------------------------------

  #member(id: NodeId): void {
    const { graph } = this.#c;
    const node = nodeOf(graph, id);
    const isLong = node.shape > 1 || node.args.some((a) => nodeOf(graph, a).shape > 1);
    if (this.#taken.has(id)) return;
    const isEach = isValueOp(node.op) || node.op === 'splat' || node.op === 'laneSum';
    if ((isLong && isEach) || this.#isAdded(id)) {
      const lanes = this.#lanesOf(id);
      const [first] = this.#group;
      const fits = first === undefined || this.#lanesOf(first) === lanes;
      // A sum is known when the loop is over.
      const needsSum = node.args.some(
        (a) => this.#group.includes(a) && nodeOf(graph, a).op === 'laneSum',
      );
      if (!fits || needsSum) this.#flush();
      this.#group.push(id);
      return;
    }
    const [spectrum] = this.#windowed.get(id) ?? [];
    const waits = spectrum !== undefined && this.#group.includes(spectrum);
    if (waits || this.#dependsOnGroup(id)) this.#flush();
    if (isFraming(node.op)) return;
    if (isOverlap(node.op)) this.#overlapAdd(id);
    else if (node.op === 'sum') this.#sum(id, node.args[0]!);
    else if (isDelay(node.op)) this.#remembered(id);
    else if (node.op === 'slice' && node.shape > 1) this.#places.set(id, this.#view(id));
    else if (node.op === 'rfft' || node.op === 'rfftT') this.#transform(id);
    else if (isWalk(node.op)) this.#walk(id, node.op);
    else if (isLong && node.op === 'slice') this.#lane(id);
    else if (isLong && isStructureOp(node.op)) this.#structure(id);
    else if (!isTape(node.op)) {
      for (const arg of node.args) this.#number(arg);
      this.#c.compute(this.#body, id);
    }
  }

  /** That a value takes in memory. */
  #bytesOf(lanes: number): number {
    return this.#element.bytes * placesOf(this.#element, lanes);
  }

  #typeOf(id: NodeId): 'i32' | 'f32' | 'f64' {
    return numberType(this.#element, nodeOf(this.#c.graph, id).type);
  }

  /** Lanes of the loop that computes a node. */
  #lanesOf(id: NodeId): number {
    const { args, shape } = nodeOf(this.#c.graph, id);
    return Math.max(shape, ...args.map((a) => nodeOf(this.#c.graph, a).shape));
  }

  /** Does a node need, maybe through a view, what its group has not computed yet? */
  #dependsOnGroup(id: NodeId): boolean {
    const { args } = nodeOf(this.#c.graph, id);
    return args.some((arg) => this.#group.includes(arg));
  }

  /** A number as a local of the body. */
  #number(id: NodeId): Local {
    const { graph } = this.#c;
    const node = nodeOf(graph, id);
    const known = this.#body.known.get(id);
    if (known !== undefined) return known[0]!;
    const isKept = isTape(node.op) || isFraming(node.op) || this.#c.recorded.has(id);
    if (isKept && isSignal(node)) {
      const place = this.#placeOf(id);
      const type = this.#typeOf(id);
      const local = this.#c.func.local(type);
      this.#body.code.push(...this.#pointer(place), [`${type}.load`, place.address], set(local));
      this.#body.known.set(id, [local]);
      return local;
    }
    const [local] = this.#c.valueIn(this.#body, id) as [Local];
    this.#constants.add(local.index);
    return local;
  }

  // ---- Places --------------------------------------------------------------------------------

  #pointer(place: Place): Instr[] {
    return [place.base === null ? ['i32.const', 0] : get(place.base)];
  }

  /** The address as a number on the stack. */
  #address(place: Place): Instr[] {
    return [...this.#pointer(place), ['i32.const', place.address], ['i32.add']];
  }

  /** The sum of the locals that move a place, once a round. */
  #moved(key: string, code: () => Instr[]): Local {
    let local = this.#body.offsets.get(key);
    if (local === undefined) {
      local = this.#c.func.fresh('i32');
      this.#body.offsets.set(key, local);
      this.#body.kept.push(local);
      this.#body.code.push(...code(), set(local));
    }
    return local;
  }

  /** How many frames of the run, or of the window, came before this one. */
  #frameIndex(base: Local | null): Local {
    const { i } = this.#c;
    const key = `index ${base?.index}`;
    const at: Instr[] = base === null ? [get(i)] : [get(base), get(i), ['i32.add']];
    return this.#moved(key, () => [
      ...at,
      ['i32.const', this.#element.bytes * this.#hop],
      ['i32.div_u'],
    ]);
  }

  /** Where frame after frame is recorded. */
  #recording(address: number, base: Local | null, lanes: number): Place {
    const index = this.#frameIndex(base);
    const bytes = this.#bytesOf(lanes);
    const moved = this.#moved(`recording ${base?.index} ${bytes}`, () => [
      get(index),
      ['i32.const', bytes],
      ['i32.mul'],
    ]);
    return { address, base: moved };
  }

  #placeOf(id: NodeId): Place {
    const known = this.#places.get(id);
    if (known !== undefined) return known;
    const place = this.#find(id);
    this.#places.set(id, place);
    return place;
  }

  /** A vector that no operation of this loop made. */
  #find(id: NodeId): Place {
    const { graph, arrays, storage, bases, channels, i, recorded, length } = this.#c;
    const { bytes } = this.#element;
    const node = nodeOf(graph, id);
    if (node.op === 'const') return { address: this.#c.constants(node.attrs), base: null };
    const array = arrays.get(id);
    if (array !== undefined) return { address: array, base: null };
    if (isTape(node.op)) {
      return this.#recording(channels.tapes[node.attrs[0]!]!, null, node.shape);
    }
    const before = recorded.get(id);
    if (before !== undefined) return this.#recording(before, null, node.shape);
    if (isFraming(node.op)) {
      const source = nodeOf(graph, node.args[0]!);
      if (isTape(source.op)) {
        const [index = 0, lag = 0] = source.attrs;
        return { address: channels.tapes[index]! - bytes * (lag + node.shape - 1), base: i };
      }
      const line = storage.framed.get(id)!;
      if (length === null) return { address: line.base, base: i };
      const head = bases.heads.get(line)!;
      const moved = this.#moved(`line ${head.index}`, () => [get(head), get(i), ['i32.add']]);
      return { address: line.base + bytes * (line.depth - node.shape + 1), base: moved };
    }
    const line = storage.frameLines.get(id);
    if (line !== undefined) return { address: line.base, base: null };
    const site = this.#c.sources.get(id);
    if (site !== undefined) {
      const at: Instr[] = site.base === null ? [get(i)] : [get(site.base), get(i), ['i32.add']];
      const moved = this.#moved(`site ${site.base?.index} ${site.places}`, () => [
        ...at,
        ['i32.const', site.places],
        ['i32.mul'],
      ]);
      return { address: site.address, base: moved };
    }
    throw new Error(`frame ${id} is used before it is computed`);
  }

  #view(id: NodeId): Place {
    const { args, attrs } = nodeOf(this.#c.graph, id);
    const { address, base } = this.#placeOf(args[0]!);
    return { address: address + this.#element.bytes * attrs[0]!, base };
  }

  /** The vector that a slice is a view of. */
  #viewed(id: NodeId): NodeId {
    const { op, args, shape } = nodeOf(this.#c.graph, id);
    return op === 'slice' && shape > 1 ? this.#viewed(args[0]!) : id;
  }

  /** Room of its own for a vector of this loop. */
  #own(id: NodeId): Place {
    const { shape } = nodeOf(this.#c.graph, id);
    const place = { address: this.#c.temps(16 * chunksOf(this.#element, shape)), base: null };
    this.#places.set(id, place);
    return place;
  }

  // ---- Operations ----------------------------------------------------------------------------

  /** What was `frames` frames ago: at the front of its line. */
  #remembered(id: NodeId): void {
    const { shape } = nodeOf(this.#c.graph, id);
    const place = this.#placeOf(id);
    if (shape > 1) return;
    const type = this.#typeOf(id);
    const local = this.#c.func.local(type);
    this.#body.code.push(['i32.const', 0], [`${type}.load`, place.address], set(local));
    this.#body.known.set(id, [local]);
  }

  #transform(id: NodeId): void {
    const { args, op, shape } = nodeOf(this.#c.graph, id);
    const { code } = this.#body;
    const size = op === 'rfft' ? shape - 2 : shape;
    const { forward, transpose, windowed } = this.#c.transform(size);
    const product = this.#windowed.get(id);
    if (product !== undefined) {
      const [frame, window] = product.map((arg) => this.#placeOf(arg)) as [Place, Place];
      const into = this.#own(id);
      code.push(...this.#address(frame), ['i32.const', into.address]);
      code.push(...this.#address(window), call(windowed()));
      return;
    }
    const from = this.#placeOf(args[0]!);
    const into = this.#own(id);
    code.push(...this.#address(from), ['i32.const', into.address]);
    code.push(call(op === 'rfft' ? forward : transpose));
  }

  /** Products with what is no signal, where a transform alone reads them, or alone makes them. */
  #takeWindows(): void {
    const { graph } = this.#c;
    const isTransform = (id: NodeId): boolean =>
      nodeOf(graph, id).op === 'rfftT' && this.#members.includes(id);
    const isFrame = (id: NodeId): boolean => isFraming(nodeOf(graph, id).op);
    for (const id of this.#members) {
      const { op, args } = nodeOf(graph, id);
      const [product] = args;
      if (!(op === 'rfft' || isOverlap(op)) || product === undefined) continue;
      const { op: from, args: factors } = nodeOf(graph, product);
      const isOwn = this.#members.includes(product) && !this.#isNeeded(product, new Set([id]));
      if (from !== 'mul' || !isOwn) continue;
      const other = factors.find(op === 'rfft' ? isFrame : isTransform);
      const window = factors.find((arg) => !isSignal(nodeOf(graph, arg)));
      if (other === undefined || window === undefined || nodeOf(graph, window).shape === 1)
        continue;
      if (op === 'rfft') this.#windowed.set(id, [other, window]);
      else {
        if (this.#isNeeded(other, new Set([product]))) continue;
        this.#windowed.set(id, [nodeOf(graph, other).args[0]!, window]);
        this.#taken.add(other);
      }
      this.#taken.add(product);
    }
  }

  /** From lane to lane: a function that reads and writes memory. */
  #walk(id: NodeId, op: WalkOp): void {
    const { args, attrs, shape } = nodeOf(this.#c.graph, id);
    const { code } = this.#body;
    const { bytes, scalar } = this.#element;
    const walk = walkOf(op, attrs, nodeOf(this.#c.graph, args[0]!).shape, this.#c, this.#element);
    const into = shape > 1 ? this.#own(id).address : this.#c.temps(bytes);
    for (const arg of args) code.push(...this.#address(this.#placeOf(arg)));
    code.push(['i32.const', into], call(walk));
    if (shape > 1) return;
    const local = this.#c.func.local(scalar);
    code.push(['i32.const', 0], [`${scalar}.load`, into], set(local));
    this.#body.known.set(id, [local]);
  }

  /** One lane of a vector. */
  #lane(id: NodeId): void {
    const place = this.#view(id);
    const { scalar } = this.#element;
    const local = this.#c.func.local(scalar);
    this.#body.code.push(...this.#pointer(place), [`${scalar}.load`, place.address], set(local));
    this.#body.known.set(id, [local]);
  }

  /** An operation on whole vectors, by way of locals; joining vectors by way of memory. */
  #structure(id: NodeId): void {
    const { graph } = this.#c;
    const { op, args, shape } = nodeOf(graph, id);
    const { code } = this.#body;
    const { bytes, scalar } = this.#element;
    if (op === 'concat') {
      const into = this.#places.get(id) ?? this.#own(id);
      let at = into.address;
      for (const arg of args) {
        const { shape: lanes } = nodeOf(graph, arg);
        if (lanes === 1) {
          const number = this.#number(arg);
          code.push(['i32.const', 0], get(number), [`${scalar}.store`, at]);
        } else {
          const from = this.#placeOf(arg);
          if (from.base !== null || from.address !== at) {
            code.push(['i32.const', at], ...this.#address(from));
            code.push(['i32.const', bytes * lanes], ['memory.copy']);
          }
        }
        at += bytes * lanes;
      }
      return;
    }
    const loaded: Local[] = [];
    const value = this.#c.restructure(this.#body, id, (arg) => {
      const { shape: lanes } = nodeOf(graph, arg);
      if (lanes === 1) return [this.#number(arg)];
      const place = this.#placeOf(arg);
      return Array.from({ length: chunksOf(this.#element, lanes) }, (_, chunk) => {
        const local = this.#c.func.local('v128');
        code.push(...this.#pointer(place), ['v128.load', place.address + 16 * chunk], set(local));
        loaded.push(local);
        return local;
      });
    });
    for (const local of loaded) this.#c.func.release(local);
    if (shape === 1) {
      this.#body.known.set(id, value);
      return;
    }
    const into = this.#own(id);
    value.forEach((local, chunk) => {
      code.push(['i32.const', 0], get(local), ['v128.store', into.address + 16 * chunk]);
      this.#c.func.release(local);
    });
  }

  /** Where a vector is added to: frames that overlap, or a sum over frames. */
  #target(id: NodeId): Place | null {
    const { graph, storage, arrays, i } = this.#c;
    const { op, shape } = nodeOf(graph, id);
    if (op === 'sum') return shape > 1 ? { address: arrays.get(id)!, base: null } : null;
    if (!isOverlap(op)) return null;
    // A stream's frame begins at this sample; an adjoint's ends here, and the room begins
    // `size − 1` samples before the window.
    const { base, size } = storage.overlaps.get(id)!;
    return size > 1 ? { address: base, base: i } : null;
  }

  /** Does it add what the waiting group makes, in whole vectors? */
  #isAdded(id: NodeId): boolean {
    const { op, args, shape } = nodeOf(this.#c.graph, id);
    const [operand] = args;
    if (operand === undefined || !this.#group.includes(operand)) return false;
    const { shape: lanes } = nodeOf(this.#c.graph, operand);
    if (lanes % this.#element.width > 0 || (op === 'sum' && lanes !== shape)) return false;
    return this.#target(id) !== null;
  }

  /** The place of a vector of this loop in the first vector that it is joined to. */
  #partOf(id: NodeId): Place | null {
    const { graph } = this.#c;
    for (const member of this.#members) {
      const { op, args, shape } = nodeOf(graph, member);
      if (op !== 'concat' || shape === 1 || !args.includes(id)) continue;
      const { address } = this.#places.get(member) ?? this.#own(member);
      const before = args.slice(0, args.indexOf(id));
      const lanes = before.reduce((sum, arg) => sum + nodeOf(graph, arg).shape, 0);
      return { address: address + this.#element.bytes * lanes, base: null };
    }
    return null;
  }

  /** Adds a frame to the samples that it covers. */
  #overlapAdd(id: NodeId): void {
    const { graph, storage, i } = this.#c;
    const { args } = nodeOf(graph, id);
    const { base, size } = storage.overlaps.get(id)!;
    const target = this.#target(id);
    const product = this.#windowed.get(id);
    if (target !== null && product !== undefined) {
      const [spectrum, window] = product.map((arg) => this.#placeOf(arg)) as [Place, Place];
      this.#body.code.push(...this.#address(spectrum), ...this.#address(target));
      this.#body.code.push(...this.#address(window), call(this.#c.transform(size).added()));
      return;
    }
    if (target !== null) {
      this.#addArray(this.#placeOf(args[0]!), target, size);
      return;
    }
    const number = this.#number(args[0]!);
    const { scalar } = this.#element;
    this.#body.code.push(get(i), get(i), [`${scalar}.load`, base], get(number), [`${scalar}.add`]);
    this.#body.code.push([`${scalar}.store`, base]);
  }

  #sum(id: NodeId, operand: NodeId): void {
    const { graph } = this.#c;
    const { shape } = nodeOf(graph, id);
    const sum = this.#sums.get(id);
    if (sum === undefined) {
      const into = this.#target(id);
      if (into !== null && nodeOf(graph, operand).shape === shape) {
        this.#addArray(this.#placeOf(operand), into, shape);
      }
      return;
    }
    this.#body.code.push(...sum.add([this.#number(operand)]));
  }

  /** into += from, lane by lane, and nothing behind the last one. */
  #addArray(from: Place, into: Place, lanes: number): void {
    const { func } = this.#c;
    const { code } = this.#body;
    const j = func.local('i32');
    const at = (place: Place): Instr[] =>
      place.base === null ? [get(j)] : [get(place.base), get(j), ['i32.add']];
    const { bytes, scalar, vector, width } = this.#element;
    const add = (type: 'v128' | 'f32' | 'f64'): void => {
      const sum: Instr = [`${type === 'v128' ? vector : type}.add`];
      const load = (place: Place): Instr[] => [...at(place), [`${type}.load`, place.address]];
      code.push(...at(into), ...load(into), ...load(from), sum);
      code.push([`${type}.store`, into.address]);
    };
    const whole = bytes * (lanes - (lanes % width));
    const loop = (type: 'v128' | 'f32' | 'f64', begin: number, end: number, step: number): void => {
      if (end <= begin) return;
      code.push(['i32.const', begin], set(j), ['loop', (end - begin) / step]);
      add(type);
      code.push(get(j), ['i32.const', step], ['i32.add'], ['local.tee', j.index]);
      code.push(['i32.const', end], ['i32.lt_u'], ['br_if', 0], ['end']);
    };
    loop('v128', 0, whole, 16);
    loop(scalar, whole, bytes * lanes, bytes);
    func.release(j);
  }

  // ---- Lane by lane --------------------------------------------------------------------------

  /** Emits the loop of the waiting group. */
  #flush(): void {
    const group = this.#group;
    if (group.length === 0) return;
    this.#group = [];
    const { func, graph } = this.#c;
    const lanes = this.#lanesOf(group[0]!);
    const inGroup = new Set(group);
    const j = func.local('i32');
    const { element } = func;
    const body = makeBody(func, element.vector);

    // Numbers in all lanes, and sums, before the loop.
    const splats = new Map<NodeId, Local>();
    const splat = (id: NodeId): Local => {
      const found = splats.get(id);
      if (found !== undefined) return found;
      const { op, attrs, type } = nodeOf(graph, id);
      if (op === 'const' || op === 'constInt') {
        const [value = 0] = attrs;
        const [, index] = op === 'const' ? body.lanes.real(value) : body.lanes.int(value);
        const local = { index: index!, type: 'v128' } as const;
        splats.set(id, local);
        return local;
      }
      const number = this.#number(id);
      const local = func.fresh('v128');
      body.hoisted.push(local);
      const spread = type === 'int' ? 'i32x4.splat' : (`${element.vector}.splat` as const);
      body.prologue.push(get(number), [spread], set(local));
      splats.set(id, local);
      return local;
    };
    const sums = new Map<NodeId, Local>();
    for (const id of group) {
      if (nodeOf(graph, id).op !== 'laneSum') continue;
      const sum = func.fresh('v128');
      body.prologue.push(splatReal(element, 0), set(sum));
      sums.set(id, sum);
    }
    const parts = new Set<NodeId>();
    for (const id of group) {
      const { op, shape } = nodeOf(graph, id);
      const isMade = shape > 1 && op !== 'laneSum' && op !== 'sum';
      if (!isMade || !this.#isNeeded(id, inGroup)) continue;
      const part = this.#partOf(id);
      if (part === null) this.#own(id);
      else {
        this.#places.set(id, part);
        parts.add(id);
      }
    }

    const round = (isTail: boolean): void => {
      const made = new Map<NodeId, Local>();
      const operand = (arg: NodeId): Local => {
        const known = made.get(arg);
        if (known !== undefined) return known;
        if (nodeOf(graph, arg).shape === 1) return splat(arg);
        const place = this.#placeOf(arg);
        const local = func.local('v128');
        const at: Instr[] = place.base === null ? [get(j)] : [get(place.base), get(j), ['i32.add']];
        body.code.push(...at, ['v128.load', place.address], set(local));
        made.set(arg, local);
        return local;
      };
      for (const id of group) {
        const { op, args } = nodeOf(graph, id);
        const operands = args.map(operand);
        const sum = sums.get(id);
        if (sum !== undefined) {
          body.code.push(get(sum), get(operands[0]!));
          if (isTail) body.code.push(maskOf(element, lanes), ['v128.and']);
          body.code.push([`${element.vector}.add`], set(sum));
          continue;
        }
        const target = this.#target(id);
        if (target !== null) {
          const at: Instr[] =
            target.base === null ? [get(j)] : [get(target.base), get(j), ['i32.add']];
          body.code.push(...at, ...at, ['v128.load', target.address], get(operands[0]!));
          body.code.push([`${element.vector}.add`], ['v128.store', target.address]);
          continue;
        }
        let local: Local;
        if (op === 'splat') {
          local = func.local('v128');
          body.code.push(get(operands[0]!), set(local));
        } else {
          local = this.#c.apply(body, id, operands, true);
        }
        made.set(id, local);
        const place = this.#places.get(id);
        if (place === undefined) continue;
        if (!isTail || !parts.has(id)) {
          body.code.push(get(j), get(local), ['v128.store', place.address]);
          continue;
        }
        // The next part of a joined vector begins right behind.
        const { bytes, scalar, vector } = element;
        for (let lane = 0; lane < lanes % element.width; lane++) {
          body.code.push(get(j), get(local), [`${vector}.extract_lane`, lane]);
          body.code.push([`${scalar}.store`, place.address + bytes * lane]);
        }
      }
      for (const local of new Set(made.values())) func.release(local);
      for (const mask of body.masks.values()) func.release(mask);
      body.masks.clear();
    };
    const whole = 16 * Math.floor(lanes / element.width);
    const pieces: Instr[][] = [];
    for (const isTail of [false, true]) {
      const runs = isTail ? lanes % element.width > 0 : whole > 0;
      if (!runs) continue;
      body.code.length = 0;
      round(isTail);
      const begin: Instr[] = [['i32.const', isTail ? whole : 0], set(j)];
      const again: Instr[] = [
        get(j),
        ['i32.const', 16],
        ['i32.add'],
        ['local.tee', j.index],
        ...([['i32.const', whole], ['i32.lt_u'], ['br_if', 0], ['end']] as Instr[]),
      ];
      const loop: Instr = ['loop', whole / 16];
      pieces.push(isTail ? [...begin, ...body.code] : [...begin, loop, ...body.code, ...again]);
    }
    const { code } = this.#body;
    for (const instr of body.prologue) code.push(instr);
    for (const piece of pieces) for (const instr of piece) code.push(instr);
    for (const [id, sum] of sums) {
      const total = addLanes({ func, into: code }, sum);
      this.#body.known.set(id, [total]);
      func.release(sum);
    }
    for (const local of body.hoisted) func.release(local);
    func.release(j);
  }

  /** Is a vector read outside of the loop that computes it? */
  #isNeeded(id: NodeId, inGroup: ReadonlySet<NodeId>): boolean {
    const { graph } = this.#c;
    if (this.#isLate(id) || this.#outputs.has(id) || this.#sources.has(id)) return true;
    return this.#members.some((m) => !inGroup.has(m) && nodeOf(graph, m).args.includes(id));
  }

  get #outputs(): ReadonlySet<NodeId> {
    return new Set(this.#c.graph.outputs.map((o) => o.node));
  }

  get #sources(): ReadonlySet<NodeId> {
    return new Set(this.#c.graph.delays.values());
  }

  // ---- The end of a round --------------------------------------------------------------------

  /** Recordings, and what delays will remember. */
  #store(): void {
    const { graph, channels, bases, recorded, frames, storage, func } = this.#c;
    const { code } = this.#body;
    const { bytes } = this.#element;
    const keep = (id: NodeId, place: Place): void => {
      const { shape } = nodeOf(graph, id);
      if (shape > 1) {
        code.push(...this.#address(place), ...this.#address(this.#placeOf(id)));
        code.push(['i32.const', bytes * shape], ['memory.copy']);
      } else {
        const store = `${this.#typeOf(id)}.store` as const;
        code.push(...this.#pointer(place), get(this.#number(id)), [store, place.address]);
      }
    };
    const own = new Set(this.#members);
    for (const { name, node } of graph.outputs) {
      const [kind, index] = name.split(':');
      if (kind !== 'tape' || !own.has(node) || nodeOf(graph, node).hop <= 1) continue;
      const address = channels.tapes[Number(index)]!;
      keep(node, this.#recording(address, bases.position, nodeOf(graph, node).shape));
    }
    for (const [id, addresses] of this.#c.shown) {
      if (!own.has(id) || nodeOf(graph, id).hop <= 1) continue;
      const last = this.#number(id);
      for (const address of addresses) {
        code.push(['i32.const', 0], get(last));
        if (last.type === 'f32') code.push(['f64.promote_f32']);
        code.push(['f64.store', address]);
      }
    }
    for (const id of this.#members) {
      const { op, shape, hop } = nodeOf(graph, id);
      if (op === 'sum' || hop <= 1 || !this.#isLate(id)) continue;
      const address = this.#c.temps(this.#bytesOf(shape) * Math.ceil(frames / hop));
      // From where it is now: what is recorded would be looked for in its recording.
      keep(id, this.#recording(address, null, shape));
      recorded.set(id, address);
    }
    // All delays move on before the first of them takes what is new.
    const lines = this.#members.flatMap((id) => {
      const line = storage.frameLines.get(id);
      return line === undefined ? [] : [{ id, line }];
    });
    const next = lines.map(({ id, line }) => {
      const { shape } = nodeOf(graph, id);
      // A delay of a delay, or of a part of one: what it had before that one moved on.
      const chained = shape > 1 && storage.frameLines.has(this.#viewed(line.source));
      if (shape === 1) this.#number(line.source);
      if (!chained) return shape > 1 ? this.#placeOf(line.source) : null;
      const place = { address: this.#c.temps(bytes * line.places), base: null };
      code.push(['i32.const', place.address], ...this.#address(this.#placeOf(line.source)));
      code.push(['i32.const', bytes * line.places], ['memory.copy']);
      return place;
    });
    lines.forEach(({ id, line }, k) => {
      const { shape, type } = nodeOf(graph, id);
      const step = bytes * line.places;
      const last = line.base + step * (line.depth - 1);
      if (line.depth > 1) {
        code.push(['i32.const', line.base], ['i32.const', line.base + step]);
        code.push(['i32.const', last - line.base], ['memory.copy']);
      }
      const place = next[k];
      if (place === null || place === undefined) {
        const local = this.#number(line.source);
        code.push(['i32.const', 0]);
        if (type === 'int') code.push(get(local), ['i32.store', last]);
        else code.push(...sound(this.#element, local), [`${this.#element.scalar}.store`, last]);
        return;
      }
      const j = func.local('i32');
      const chunks = chunksOf(this.#element, shape);
      const four = func.local('v128');
      const at: Instr[] = place.base === null ? [get(j)] : [get(place.base), get(j), ['i32.add']];
      code.push(['i32.const', 0], set(j), ['loop', chunks]);
      code.push(...at, ['v128.load', place.address], set(four));
      // What is sound as a real is not asked of ints.
      const kept = type === 'int' ? [get(four)] : soundLanes(this.#element, four);
      code.push(get(j), ...kept, ['v128.store', last]);
      code.push(get(j), ['i32.const', 16], ['i32.add'], ['local.tee', j.index]);
      code.push(['i32.const', 16 * chunks], ['i32.lt_u'], ['br_if', 0], ['end']);
      func.release(j);
      func.release(four);
    });
  }
}
