/**
 * Windows and steps one after the other in one call: plays a piece, and at the end of each window
 * takes the gradient, judges it, and steps.
 *
 * What a window is judged by is told in `run/guards.ts`, whose arithmetic this is, to the bit.
 * Invariant: where a guard would trip, or might, nothing of that has happened yet: the function
 * stops, and whoever runs it judges that window by itself. So no fault is made here. Nothing is
 * decided here that a person sets: rates come from a bank, and whether steps are taken from a word.
 *
 * Cost: some 90 instructions a window and 15 for two parameters, besides what it plays and computes.
 */

import type { GuardSettings, Program } from '../ir/program.ts';
import {
  ADMITS,
  COURSE,
  FACTOR,
  KEPT,
  LEARNS,
  LEAST,
  PARDON,
  STOPPED,
  YIELDS,
  riseOf,
} from '../ir/judging.ts';
import { DOUBLE, splatReal } from './element.ts';
import type { Mnemonic } from './instructions.ts';
import type { Span } from './ports.ts';
import { Func, get, set } from './module.ts';
import type { Instr, Local } from './module.ts';
import type { Watch } from './once.ts';
import { move, splatInt } from './snippets.ts';
import { stepping } from './stepping.ts';

/** Byte addresses. */
export interface CourseMemory {
  readonly inputs: readonly number[];
  readonly params: number;
  readonly gradients: number;
  /** Their largest magnitudes, four words; null where nobody has looked. */
  readonly slopes: number | null;
  readonly frozen: number;
  /** Factors of the rate. */
  readonly factors: number;
  readonly loss: number;
  readonly learningRate: number;
  /** Four words. */
  readonly peak: number;
  readonly kept: number;
  readonly good: number;
  readonly before: number;
  readonly sums: number;
  /** Where words go in and out, at COURSE. */
  readonly words: number;
  /** The rate of each step; the loss of each comes in its place. */
  readonly rates: number;
}

/** What is called, or written into the course itself. */
export interface CourseCode {
  /** A piece. The locals are free to be changed. */
  stream(func: Func, span: Span): void;
  backward(func: Func): void;
  /**
   * A step.
   *
   * @param watch   sees every parameter as it is made
   * @param isFree  not 0: no parameter is frozen or has a rate of its own
   */
  update(func: Func, watch: Watch, isFree: Local): void;
  /** peak(from, bytes) */
  peak(func: Func): void;
}

/** The word of infinity. */
const NOT_FINITE = 0x7f800000;
const MAGNITUDE = 0x7fffffff;
/** Pairs of parameters that are written one after the other; more of them go through a loop. */
const UNROLLED = 8;

/** An instruction that a table of literals would widen. */
const op = (name: Mnemonic): Instr => [name];
const real = (value: number): Instr => ['f64.const', value];
const int = (value: number): Instr => ['i32.const', value];
const ZERO = splatReal(DOUBLE, 0);

/** Two parameters side by side in a bank, or the last one alone with a 0. */
type Lanes = 2 | 1;
const loadLanes = (lanes: Lanes, by: Instr, address: number): Instr[] => [
  by,
  [lanes === 2 ? 'v128.load' : 'v128.load64_zero', address],
];
const storeLanes = (lanes: Lanes, by: Instr, value: Local, address: number): Instr[] =>
  lanes === 2
    ? [by, get(value), ['v128.store', address]]
    : [by, get(value), ['f64x2.extract_lane', 0], ['f64.store', address]];

/** Code for all parameters, `count` of them: `one` of those at a byte of a bank, and `by` more. */
function forAll(
  func: Func,
  count: number,
  one: (lanes: Lanes, by: Instr, byte: number) => readonly Instr[],
): void {
  const pairs = Math.floor(count / 2);
  const isLong = pairs > UNROLLED;
  // Two pairs a round of a loop: an odd one goes first.
  const first = isLong ? pairs % 2 : pairs;
  for (let k = 0; k < first; k++) func.append(one(2, int(0), 16 * k));
  if (isLong) {
    const by = func.local('i32');
    func.emit(int(0), set(by), ['loop', (pairs - first) / 2]);
    func.append(one(2, get(by), 16 * first));
    func.append(one(2, get(by), 16 * first + 16));
    func.emit(get(by), int(32), op('i32.add'), ['local.tee', by.index]);
    func.emit(int(16 * (pairs - first)), op('i32.lt_u'), ['br_if', 0], op('end'));
    func.release(by);
  }
  if (count % 2 === 1) func.append(one(1, int(0), 16 * pairs));
}

/**
 * course(offset, position, length) in bytes of single precision.
 *
 * @param maxBlock   most frames of a run
 * @param listens    inputs that matter
 * @param guards     settings of the program
 * @param constants  puts numbers of double precision into memory
 * @param fused      as `generate`
 */
export function courseFunction(
  at: CourseMemory,
  code: CourseCode,
  program: Pick<Program, 'window' | 'params' | 'every'>,
  maxBlock: number,
  listens: readonly number[],
  guards: GuardSettings,
  constants: (values: readonly number[]) => number,
  fused: boolean,
): Func {
  const func = new Func('course', ['i32', 'i32', 'i32'], { element: DOUBLE, fused });
  const { params: controls, every = 1, window } = program;
  const { maxLoss, maxGradient, rising } = guards;
  const P = controls.length;
  const [offset, position, length] = [func.param(0), func.param(1), func.param(2)];
  const emit = (...some: readonly Instr[]): void => func.append(some);
  const flag = (): Local => func.fresh('i32');
  const number = (): Local => func.fresh('f64');
  const lanes = (): Local => func.fresh('v128');
  /** What is known of the losses: `KEPT`. */
  const [usual, last, strikes, seen] = [number(), number(), number(), number()];
  const [isLong, isSigned] = [flag(), flag()];
  /** What goes in and out: `COURSE`. */
  const [active, heard, stopped, gathered] = [flag(), flag(), flag(), flag()];
  const [windows, steps] = [flag(), flag()];
  /** Of all windows of the run. */
  const [begin, isFree] = [flag(), flag()];
  /** Of a window: is a step wanted, and is there to be one now? Its loss, or that of the step. */
  const [isHushed, isActive, isUsual, isStep] = [flag(), flag(), flag(), flag()];
  const [value, lossOfStep] = [number(), number()];
  /** Not 0 where a gradient is not. */
  const slopes = lanes();
  const g = lanes();
  const further = flag();
  const stepped = stepping(
    func,
    { params: at.params, past: at.good, further },
    controls,
    guards,
    constants,
  );

  const word = (of: keyof typeof COURSE): number => at.words + 4 * COURSE[of];
  /** Leaves the loop over windows, from so many blocks inside of it. */
  const stop = (why: keyof typeof STOPPED, depth: number): void => {
    emit(int(STOPPED[why]), set(stopped), ['br', depth + 1]);
  };
  const stopIf = (why: keyof typeof STOPPED): void => {
    emit(op('if'));
    stop(why, 1);
    emit(op('end'));
  };
  const numbersKept = [
    [usual, KEPT.usual],
    [last, KEPT.last],
    [strikes, KEPT.strikes],
    [seen, KEPT.seen],
  ] as const;
  const flagsKept = [
    [isLong, KEPT.moved],
    [isSigned, KEPT.signed],
  ] as const;

  const begins = (): void => {
    for (const [local, place] of numbersKept) {
      emit(int(0), ['f64.load', at.kept + 8 * place], set(local));
    }
    for (const [local, place] of flagsKept) {
      emit(int(0), ['f64.load', at.kept + 8 * place], real(0), op('f64.ne'), set(local));
    }
    emit(int(0), ['i32.load', word('active')], set(active));
    emit(int(0), ['i32.load', word('heard')], set(heard));
    emit(int(0), ['i32.load', word('gathered')], set(gathered));
    emit(int(0), set(stopped), int(0), set(windows), int(0), set(steps), get(offset), set(begin));
    emit(ZERO, set(g));
    const differs = (address: number, from: number): Instr[] => [
      ...([['v128.load64_splat', address], splatReal(DOUBLE, from), ['f64x2.ne']] as Instr[]),
      ...([get(g), ['v128.or'], set(g)] as Instr[]),
    ];
    forAll(func, P, (count, by, k) =>
      Array.from({ length: count }, (_, n) => [
        by,
        ...differs(at.frozen + k + 8 * n, 0),
        by,
        ...differs(at.factors + k + 8 * n, 1),
      ]).flat(),
    );
    emit(get(g), op('v128.any_true'), op('i32.eqz'), set(isFree));
  };

  const ends = (): void => {
    for (const [local, place] of numbersKept) {
      emit(int(0), get(local), ['f64.store', at.kept + 8 * place]);
    }
    for (const [local, place] of flagsKept) {
      emit(int(0), get(local), op('f64.convert_i32_s'), ['f64.store', at.kept + 8 * place]);
    }
    emit(get(offset), get(begin), op('i32.sub'), int(2), op('i32.shr_u'), set(begin));
    const results = { heard, gathered, stopped, frames: begin, windows, steps } as const;
    for (const [name, local] of Object.entries(results)) {
      emit(int(0), get(local), ['i32.store', word(name as keyof typeof results)]);
    }
  };

  /** Up to the end of the window, or of the run. */
  const play = (): void => {
    const span: Span = { offset, position: func.local('i32'), length: func.local('i32') };
    const [piece, loudest, other] = [span.length, func.local('i32'), func.local('i32')];
    if (window === 1) {
      // The optimising compiler sees that a piece is one sample.
      emit(int(4), set(piece), int(0), set(position));
    } else {
      emit(int(4 * window), get(position), op('i32.sub'), ['local.tee', piece.index]);
      emit(get(length), get(piece), get(length), op('i32.lt_u'), op('select'), set(piece));
    }
    for (const input of listens) {
      const channel = at.inputs[input]!;
      if (window === 1) {
        emit(get(offset), ['i32.load', channel], int(MAGNITUDE), op('i32.and'), set(loudest));
      } else {
        emit(get(offset), int(channel), op('i32.add'), get(piece));
        code.peak(func);
        emit(int(0), ['i32.load', at.peak], set(loudest));
        for (const lane of [1, 2, 3]) {
          emit(int(0), ['i32.load', at.peak + 4 * lane], ['local.tee', other.index], get(loudest));
          emit(get(other), get(loudest), op('i32.gt_s'), op('select'), set(loudest));
        }
      }
      emit(get(loudest), int(NOT_FINITE), op('i32.ge_s'));
      stopIf('listening');
      emit(get(loudest), get(heard), get(loudest), get(heard), op('i32.gt_s'));
      emit(op('select'), set(heard));
    }
    const before = func.local('i32');
    emit(
      get(offset),
      set(before),
      get(position),
      set(span.position),
      get(length),
      get(piece),
      op('i32.sub'),
      set(length),
    );
    emit(get(position), get(piece), op('i32.add'), set(position));
    emit(get(offset), get(piece), op('i32.add'), set(offset));
    code.stream(func, { ...span, offset: before });
    for (const local of [before, span.position, piece, loudest, other]) func.release(local);
    if (window > 1) emit(get(position), int(4 * window), op('i32.ne'), ['br_if', 1]);
    emit(int(0), set(position));
  };

  /** Is all of it finite, and within bounds? */
  const check = (): void => {
    if (listens.length > 0) {
      const silence = new Int32Array(Float32Array.of(guards.silence).buffer)[0]!;
      emit(get(heard), int(silence), op('i32.lt_s'), set(isHushed));
    }
    emit(get(active), get(isHushed), op('i32.eqz'), op('i32.and'), set(isActive));
    emit(int(0), ['f64.load', at.loss], ['local.tee', value.index]);
    emit(get(value), op('f64.sub'), real(0), op('f64.ne'));
    stopIf('judging');
    const isBounded = maxGradient < Infinity;
    const squares = func.local('v128');
    if (at.slopes !== null && !isBounded) {
      emit(int(0), ['v128.load', at.slopes], ['local.tee', slopes.index], splatInt(NOT_FINITE));
      emit(op('i32x4.ge_s'), op('v128.any_true'));
    } else {
      const bad = func.local('v128');
      emit(ZERO, set(bad), ZERO, set(slopes), ZERO, set(squares));
      forAll(func, P, (count, by, k) => [
        ...loadLanes(count, by, at.gradients + k),
        // What is not finite leaves something of itself.
        ...([['local.tee', g.index], get(g), ['f64x2.sub'], get(bad), ['v128.or']] as Instr[]),
        ...([set(bad), get(g), get(slopes), ['v128.or'], set(slopes)] as Instr[]),
        ...([get(squares), get(g), get(g), ['f64x2.mul'], ['f64x2.add'], set(squares)] as Instr[]),
      ]);
      emit(get(bad), op('v128.any_true'));
      func.release(bad);
    }
    stopIf('judging');
    if (maxLoss < Infinity) {
      emit(get(value), real(maxLoss), op('f64.gt'), get(isActive), op('i32.and'));
      stopIf('judging');
    }
    if (isBounded) {
      for (const lane of [0, 1]) emit(get(squares), ['f64x2.extract_lane', lane]);
      emit(op('f64.add'), real(maxGradient * maxGradient), op('f64.gt'));
      emit(get(isActive), op('i32.and'));
      stopIf('judging');
    }
    func.release(squares);
  };

  /** Is the loss usual? Then it joins what is known. */
  const judge = (): void => {
    const [level, struck] = [func.local('f64'), func.local('f64')];
    const isKnown = func.local('i32');
    const isSome: Instr[] = [get(value), real(LEAST), op('f64.gt')];
    emit(get(isSigned), get(value), real(0), op('f64.lt'), op('i32.or'), set(isSigned));
    emit(get(value), real(LEAST), ...isSome, op('select'), op('i64.reinterpret_f64'));
    emit(['i64.const', 32], op('i64.shr_s'), op('f64.convert_i64_s'), set(level));
    emit(get(seen), real(0), op('f64.gt'), get(isSigned), op('i32.eqz'), op('i32.and'));
    emit(set(isKnown));
    emit(get(level), get(usual), real(riseOf(rising === null ? FACTOR : rising.factor)));
    emit(op('f64.add'), op('f64.le'), get(isKnown), op('i32.eqz'), op('i32.or'), set(isUsual));
    if (rising !== null) {
      emit(get(strikes), real(1), op('f64.add'));
      emit(get(strikes), real(PARDON), op('f64.sub'), real(0));
      emit(get(strikes), real(PARDON), op('f64.gt'), op('select'));
      emit(get(isActive), get(isUsual), op('i32.eqz'), op('i32.and'), get(isLong), op('i32.and'));
      emit(get(value), get(last), op('f64.ge'), op('i32.and'), op('select'));
      emit(['local.tee', struck.index], real(rising.times - 0.5), op('f64.gt'));
      emit(get(isKnown), op('i32.and'));
      stopIf('judging');
      emit(get(struck), set(strikes));
    }
    emit(get(level), get(usual), op('f64.sub'));
    emit(real(LEARNS), real(ADMITS), real(YIELDS), get(isLong), op('select'));
    emit(get(isUsual), op('select'), real(1), get(seen), real(0), op('f64.gt'), op('select'));
    emit(op('f64.mul'), get(usual), op('f64.add'), set(usual));
    emit(get(value), set(last), int(0), set(isLong));
    emit(get(seen), real(1), op('f64.add'), get(seen), ...isSome, op('select'), set(seen));
    emit(get(windows), int(1), op('i32.add'), set(windows), int(0), set(heard));
    // The rate of the next step lies as many places further on as steps have been taken.
    emit(int(0), get(steps), int(3), op('i32.shl'), ['f64.load', at.rates]);
    emit(['f64.store', at.learningRate]);
    for (const local of [level, struck, isKnown]) func.release(local);
  };

  /** Gradients of several windows, of which the last makes a step with their mean. */
  const gather = (): void => {
    const lossSum = at.sums + 8 * P;
    emit(get(isActive), op('if'), get(gathered), op('i32.eqz'), op('if'));
    emit(int(at.sums), int(0), int(8 * (P + 1)), op('memory.fill'), op('end'));
    forAll(func, P, (count, by, k) => [
      ...loadLanes(count, by, at.sums + k),
      ...loadLanes(count, by, at.gradients + k),
      ...([['f64x2.add'], set(g)] as Instr[]),
      ...storeLanes(count, by, g, at.sums + k),
    ]);
    emit(int(0), int(0), ['f64.load', lossSum], get(value), op('f64.add'), ['f64.store', lossSum]);
    emit(get(gathered), int(1), op('i32.add'), ['local.tee', gathered.index]);
    emit(int(every), op('i32.lt_u'), op('if'), int(0), set(isStep), op('else'), ZERO, set(slopes));
    forAll(func, P, (count, by, k) => [
      ...loadLanes(count, by, at.sums + k),
      ...([splatReal(DOUBLE, every), ['f64x2.div'], ['local.tee', g.index]] as Instr[]),
      ...([get(slopes), ['v128.or'], set(slopes)] as Instr[]),
      ...storeLanes(count, by, g, at.gradients + k),
    ]);
    emit(int(0), ['f64.load', lossSum], real(every), op('f64.div'), set(lossOfStep));
    emit(int(0), get(lossOfStep), ['f64.store', lossSum], int(0), set(gathered), op('end'));
    // What is not heard is passed over; after a pause of learning all begins anew.
    emit(op('else'), get(gathered), int(0), get(isHushed), op('select'), set(gathered), op('end'));
  };

  const step = (): void => {
    // What is not confirmed goes where nobody asks for it, but after a leap.
    emit(int(0), int(at.before - at.good), get(isUsual), op('select'), set(further));
    emit(get(isStep), get(slopes), op('f64x2.abs'), op('v128.any_true'), op('i32.and'), op('if'));
    stepped.begin();
    code.update(func, stepped.watch, isFree);
    stepped.isFar();
    emit(op('if'), get(isUsual), op('if'), ...move(at.before, at.good, 8 * P), op('end'));
    stop('stepping', 2);
    emit(op('end'));
    stepped.isLong();
    emit(set(isLong), op('else'));
    emit(get(isUsual), op('if'), ...move(at.good, at.params, 8 * P), op('end'), op('end'));
    emit(get(isStep), op('if'));
    emit(get(steps), int(3), op('i32.shl'), get(lossOfStep), ['f64.store', at.rates]);
    emit(get(steps), int(1), op('i32.add'), set(steps), op('end'));
  };

  func.begin('value');
  begins();
  func.begin('serial');
  emit(op('block'), ['loop', Math.max(1, maxBlock / window)]);
  play();
  code.backward(func);
  check();
  judge();
  emit(get(isActive), set(isStep), get(value), set(lossOfStep));
  if (every > 1) gather();
  step();
  emit(get(length), ['br_if', 0], op('end'), op('end'));
  func.begin('upkeep');
  ends();
  return func;
}
