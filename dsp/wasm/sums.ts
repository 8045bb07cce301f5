/**
 * Sums of a signal over the training window, in a loop's own locals.
 *
 * Invariant: no sum of more than `LANE_TERMS` terms is kept in single precision, so at most 1.5e-5 of
 * the sum of magnitudes is lost to rounding; longer ones are added up in double precision. What is in
 * double precision stays so.
 */

import type { Value } from './body.ts';
import { DOUBLE, SINGLE, chunksOf, fromDouble, splatReal } from './element.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import { addPairs } from './snippets.ts';

const LANE_TERMS = 256;
const ZERO = splatReal(SINGLE, 0);

export interface WindowSum {
  /** Before the loop. */
  readonly begin: readonly Instr[];
  /** One sample, or a vector of them, more. */
  add(value: Value): readonly Instr[];
  /** The product of two vectors more, rounded together with the sum; null where there is none. */
  readonly addProduct: ((x: Value, y: Value) => readonly Instr[]) | null;
  /** After the loop: a number. */
  total(): Local;
  /** After the loop: a vector, into memory. */
  store(address: number): void;
}

export function windowSum(func: Func, lanes: number, frames: number): WindowSum {
  if (lanes > 1) return sumOfVectors(func, lanes, frames);
  return frames === 1 ? sumOfOne(func) : sumOfNumbers(func, frames);
}

/** Of one number: itself, as a sum that begins at 0 would have it, never −0. */
function sumOfOne(func: Func): WindowSum {
  const { scalar } = func.element;
  const total = func.local(scalar);
  return {
    begin: [],
    add: ([value]) => [get(value!), [`${scalar}.const`, 0], [`${scalar}.add`], set(total)],
    addProduct: null,
    total: () => total,
    store: () => {
      throw new Error('a sum of numbers is a number');
    },
  };
}

/** A vector of samples at a time in a loop's vector form, one in its rest; joined at the end. */
function sumOfNumbers(func: Func, frames: number): WindowSum {
  const four = func.local('v128');
  const one = func.local('f64');
  const isDouble = func.element === DOUBLE;
  const isLong = frames > 4 * LANE_TERMS;
  // Without a whole vector its lanes are empty, without a rest the single sum is.
  const hasVectors = frames >= func.element.width;
  return {
    begin: [ZERO, set(four), ['f64.const', 0], set(one)],
    add: ([value]) => {
      if (value!.type === 'f64') return [get(one), get(value!), ['f64.add'], set(one)];
      if (isDouble && value!.type === 'v128') {
        return [get(four), get(value!), ['f64x2.add'], set(four)];
      }
      if (value!.type !== 'v128') {
        return [get(one), get(value!), ['f64.promote_f32'], ['f64.add'], set(one)];
      }
      if (isLong) return addPairs(four, value!);
      return [get(four), get(value!), ['f32x4.add'], set(four)];
    },
    addProduct:
      isLong || isDouble || !func.fused
        ? null
        : ([x], [y]) => {
            const product: Instr[] = [get(x!), get(y!)];
            if (x!.type === 'v128') {
              return [...product, get(four), ['f32x4.relaxed_madd'], set(four)];
            }
            const added: Instr[] = [['f32.mul'], ['f64.promote_f32'], ['f64.add'], set(one)];
            return [get(one), ...product, ...added];
          },
    total: () => {
      const total = func.local(func.element.scalar);
      func.emit(get(one));
      if (!hasVectors) {
        func.emit(...fromDouble(func.element), set(total));
        func.release(four);
        func.release(one);
        return total;
      }
      if (isLong || isDouble) {
        for (const lane of [0, 1]) {
          func.emit(get(four), ['f64x2.extract_lane', lane], ['f64.add']);
        }
      } else {
        for (const lane of [0, 1, 2, 3]) {
          func.emit(get(four), ['f32x4.extract_lane', lane], ['f64.promote_f32'], ['f64.add']);
        }
      }
      func.emit(...fromDouble(func.element), set(total));
      func.release(four);
      func.release(one);
      return total;
    },
    store: () => {
      throw new Error('a sum of numbers is a number');
    },
  };
}

/** Lane by lane. */
function sumOfVectors(func: Func, lanes: number, frames: number): WindowSum {
  const { element } = func;
  const isLong = element === SINGLE && frames > LANE_TERMS;
  const sums = Array.from({ length: chunksOf(element, lanes) }, () =>
    Array.from({ length: isLong ? 2 : 1 }, () => func.local('v128')),
  );
  const begin = sums.flat().flatMap((sum): Instr[] => [ZERO, set(sum)]);
  return {
    begin,
    add: (value) =>
      sums.flatMap(([low, high], chunk): Instr[] => {
        const terms = get(value[chunk]!);
        if (high === undefined) return [get(low!), terms, [`${element.vector}.add`], set(low!)];
        const upper: Instr = ['i8x16.shuffle', ...UPPER_HALF];
        return [
          ...([get(low!), terms, ['f64x2.promote_low_f32x4'], ['f64x2.add'], set(low!)] as Instr[]),
          ...([get(high), terms, terms, upper, ['f64x2.promote_low_f32x4']] as Instr[]),
          ['f64x2.add'],
          set(high),
        ];
      }),
    addProduct:
      isLong || func.element === DOUBLE || !func.fused
        ? null
        : (x, y) =>
            sums.flatMap(([sum], chunk): Instr[] => [
              get(x[chunk]!),
              get(y[chunk]!),
              get(sum!),
              ['f32x4.relaxed_madd'],
              set(sum!),
            ]),
    total: () => {
      throw new Error('a sum of vectors is a vector');
    },
    store: (address) => {
      sums.forEach(([low, high], chunk) => {
        func.emit(['i32.const', 0], get(low!));
        if (high !== undefined) {
          func.emit(['f32x4.demote_f64x2_zero'], get(high), ['f32x4.demote_f64x2_zero']);
          func.emit(['i8x16.shuffle', 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
        }
        func.emit(['v128.store', address + 16 * chunk]);
      });
      for (const local of sums.flat()) func.release(local);
    },
  };
}

const UPPER_HALF = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15] as const;
