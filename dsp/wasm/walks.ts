/**
 * Walks over lanes, from the first to the last, as functions of a module: sums so far, and the best
 * way to move the mass of one vector to that of another.
 *
 * Each lane waits for the one before it, so there is nothing to do in vectors; what is added up
 * is kept in double precision, in the interpreter's order, so that both give the same bits.
 * Invariants: `src` addresses are only read, each lane before `dst` has its own; nothing behind the
 * last lane is read or written. Addresses are multiples of 4.
 * Tested: test/dsp/wasm/walks.test.ts.
 */

import { SILENCE } from '../ir/ops.ts';
import type { OpKind } from '../ir/ops.ts';
import { SINGLE, fromDouble, toDouble } from './element.ts';
import type { Element } from './element.ts';
import { Func, get, set } from './module.ts';
import type { Instr, Local } from './module.ts';
import type { Room } from './operands.ts';

/** Operations that are walks. */
export type WalkOp = 'cumulate' | 'cumulateT' | 'transport' | 'transportSlope';

const WALKS: ReadonlySet<string> = new Set<WalkOp>([
  'cumulate',
  'cumulateT',
  'transport',
  'transportSlope',
]);

export const isWalk = (op: OpKind): op is WalkOp => WALKS.has(op);

/**
 * Sums of all lanes up to each one, or from each one on.
 *
 * y_k = Σ_{j ≤ k} x_j, or Σ_{j ≥ k} x_j: one is the transpose of the other.
 *
 * Wasm parameters: src, dst, which may be the same. Cost: about 4 cycles a lane.
 */
export function cumulateFunction(
  name: string,
  lanes: number,
  isForward: boolean,
  element: Element = SINGLE,
): Func {
  const { bytes, scalar } = element;
  const func = new Func(name, ['i32', 'i32'], { internal: true, element });
  const [src, dst] = [func.param(0), func.param(1)];
  const [at, sum] = [func.local('i32'), func.local('f64')];
  const top = bytes * (lanes - 1);
  const [first, last] = isForward ? [0, top] : [top, 0];
  const step = isForward ? bytes : -bytes;
  func.emit(['i32.const', first], set(at), ['loop', lanes]);
  func.emit(get(src), get(at), ['i32.add'], [`${scalar}.load`, 0], ...toDouble(element));
  func.emit(get(sum), ['f64.add'], set(sum));
  func.emit(get(dst), get(at), ['i32.add'], get(sum), ...fromDouble(element));
  func.emit([`${scalar}.store`, 0]);
  func.emit(get(at), ['i32.const', step], ['i32.add'], ['local.tee', at.index]);
  func.emit(['i32.const', last + step], ['i32.ne'], ['br_if', 0], ['end']);
  return func;
}

/**
 * The cost of moving one vector's mass to another's, or its slope with respect to the second one, as
 * `interpret/transport` has them.
 *
 * Wasm parameters: addresses of a, b and the places, [lanes] each, and dst: of the number, or of the
 * slope, [lanes], which may be one of them.
 *
 * @param scratch  where 8·lanes bytes are free, for a slope. Cost: about 8 ns a lane.
 */
export function transportFunction(
  name: string,
  lanes: number,
  order: number,
  result: 'cost' | 'slope',
  scratch = 0,
  element: Element = SINGLE,
): Func {
  const { bytes, scalar } = element;
  const func = new Func(name, ['i32', 'i32', 'i32', 'i32'], { internal: true, element });
  const [a, b, places, dst] = [0, 1, 2, 3].map((k) => func.param(k)) as [
    Local,
    Local,
    Local,
    Local,
  ];
  const real = (): Local => func.local('f64');
  const offset = (): Local => func.local('i32');
  const [at, i, j] = [offset(), offset(), offset()];
  const end = bytes * (lanes - 1);
  const isSlope = result === 'slope';

  /** Where a lane's number of double precision is, from what moves a lane. */
  const atDouble = (by: Local): Instr[] =>
    bytes === 8 ? [get(by)] : [get(by), ['i32.const', 1], ['i32.shl']];
  const lane = (base: Local, by: Local): Instr[] => [
    get(base),
    get(by),
    ['i32.add'],
    [`${scalar}.load`, 0],
    ...toDouble(element),
  ];
  const mass = (base: Local, by: Local): Instr[] => [
    ...lane(base, by),
    ['f64.const', 0],
    ['f64.max'],
  ];
  const overLanes = (body: readonly Instr[]): void => {
    func.emit(['i32.const', 0], set(at), ['loop', lanes]);
    func.append(body);
    func.emit(get(at), ['i32.const', bytes], ['i32.add'], ['local.tee', at.index]);
    func.emit(['i32.const', end], ['i32.le_u'], ['br_if', 0], ['end']);
  };

  const [totalA, totalB] = [real(), real()];
  const plus: Instr = ['f64.add'];
  overLanes([
    get(totalA),
    ...mass(a, at),
    plus,
    set(totalA),
    get(totalB),
    ...mass(b, at),
    plus,
    set(totalB),
  ]);

  // Silence has nothing to move: 0, and no slope.
  func.emit(get(totalA), ['f64.const', SILENCE], ['f64.le']);
  func.emit(get(totalB), ['f64.const', SILENCE], ['f64.le'], ['i32.or'], ['if']);
  func.emit(
    get(dst),
    ['i32.const', 0],
    ['i32.const', isSlope ? bytes * lanes : bytes],
    ['memory.fill'],
  );
  func.emit(['return'], ['end']);

  const [scaleA, scaleB] = [real(), real()];
  func.emit(['f64.const', 1], get(totalA), ['f64.div'], set(scaleA));
  func.emit(['f64.const', 1], get(totalB), ['f64.div'], set(scaleB));
  /** Of all lanes up to i, and up to j. */
  const [soFarA, soFarB] = [real(), real()];
  const share = (base: Local, by: Local, scale: Local): Instr[] => [
    ...mass(base, by),
    get(scale),
    ['f64.mul'],
  ];
  const [x, y, c, distance] = [real(), real(), real(), real()];
  const power: Instr[] =
    order === 1 ? [['f64.abs']] : [set(distance), get(distance), get(distance), ['f64.mul']];
  const price: Instr[] = [get(x), get(y), ['f64.sub'], ...power, set(c)];
  func.emit(['i32.const', 0], set(i), ['i32.const', 0], set(j));
  func.emit(...share(a, i, scaleA), set(soFarA), ...share(b, j, scaleB), set(soFarB));
  func.emit(...lane(places, i), set(x), ...lane(places, j), set(y), ...price);
  /** Prices of mass at i and at j, and the mean of those at j; or what has been moved, and its cost. */
  const [phi, psi, mean, moved, total] = [real(), real(), real(), real(), real()];
  if (isSlope) {
    func.emit(get(c), set(phi), ['f64.const', 0], set(psi));
    func.emit(['i32.const', 0], ['f64.const', 0], ['f64.store', scratch]);
  }

  const [level, gained] = [real(), real()];
  func.emit(['loop', 2 * lanes - 1]);
  if (!isSlope) {
    func.emit(get(soFarA), get(soFarB), ['f64.min'], set(level));
    func.emit(get(total), get(level), get(moved), ['f64.sub'], get(c), ['f64.mul'], ['f64.add']);
    func.emit(set(total), get(level), set(moved));
  }
  func.emit(get(j), ['i32.const', end], ['i32.eq']);
  func.emit(get(i), ['i32.const', end], ['i32.ne']);
  func.emit(get(soFarA), get(soFarB), ['f64.le'], ['i32.and'], ['i32.or'], ['if']);
  func.emit(get(i), ['i32.const', bytes], ['i32.add'], ['local.tee', i.index]);
  // Both are at their ends.
  func.emit(['i32.const', end], ['i32.le_u'], ['if']);
  func.emit(get(soFarA), ...share(a, i, scaleA), ['f64.add'], set(soFarA));
  func.emit(...lane(places, i), set(x), ...price);
  if (isSlope) func.emit(get(c), get(psi), ['f64.sub'], set(phi));
  func.emit(['end'], ['else']);
  func.emit(get(j), ['i32.const', bytes], ['i32.add'], set(j));
  func.emit(...share(b, j, scaleB), set(gained), get(soFarB), get(gained), ['f64.add']);
  func.emit(set(soFarB));
  func.emit(...lane(places, j), set(y), ...price);
  if (isSlope) {
    func.emit(get(c), get(phi), ['f64.sub'], set(psi));
    func.emit(get(mean), get(psi), get(gained), ['f64.mul'], ['f64.add'], set(mean));
    func.emit(...atDouble(j), get(psi), ['f64.store', scratch]);
  }
  func.emit(['end']);
  func.emit(get(i), ['i32.const', end], ['i32.le_u'], ['br_if', 0], ['end']);

  if (!isSlope) {
    func.emit(get(dst), get(total), ...fromDouble(element), [`${scalar}.store`, 0]);
    return func;
  }
  const centred: Instr[] = [...atDouble(at), ['f64.load', scratch], get(mean), ['f64.sub']];
  overLanes([
    get(dst),
    get(at),
    ['i32.add'],
    ...centred,
    get(scaleB),
    ['f64.mul'],
    ...fromDouble(element),
    [`${scalar}.store`, 0],
  ]);
  return func;
}

/** The function that computes one of these operations over so many lanes, made once. */
export function walkOf(
  op: WalkOp,
  attrs: readonly number[],
  lanes: number,
  room: Pick<Room, 'routine' | 'temps'>,
  element: Element,
): number {
  const [order = 1] = attrs;
  switch (op) {
    case 'cumulate':
    case 'cumulateT':
      return room.routine(`${op}${lanes}`, (name) =>
        cumulateFunction(name, lanes, op === 'cumulate', element),
      );
    case 'transport':
      return room.routine(`transport${order}x${lanes}`, (name) =>
        transportFunction(name, lanes, order, 'cost', 0, element),
      );
    case 'transportSlope':
      return room.routine(`transportSlope${order}x${lanes}`, (name) =>
        transportFunction(name, lanes, order, 'slope', room.temps(8 * lanes), element),
      );
  }
}
