/**
 * What code does with the parameters that a step makes: keeps the old ones, puts the new ones in
 * their place, and looks how far they went.
 *
 * Part of the loop that makes them, where that can be (`isWatchable` of `once.ts`). Of parameters
 * with one range the longest way is found by the upper words of the ways, which is one short
 * operation for two and needs no order among them; words that are no number are larger than all
 * others. All else is compared one by one. Invariant: the comparisons are those of
 * `ParameterGuard.afterStep`, to the bit.
 */

import { MOVE, levelOf, reachOf } from '../ir/judging.ts';
import type { GuardSettings, Program } from '../ir/program.ts';
import { splatReal } from './element.ts';
import { DOUBLE } from './element.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import type { Watch } from './once.ts';

/** The upper word of infinity. */
const ENDLESS = 0x7ff00000;
/** Everything but the sign of two numbers. */
const MAGNITUDES: Instr = [
  'v128.const',
  ...[0, 1].flatMap(() => [255, 255, 255, 255, 255, 255, 255, 127]),
];

export interface Stepping {
  /** Before the step. */
  begin(): void;
  readonly watch: Watch;
  /** After it: leaves on the stack whether it may be a leap or is not finite, and whether it is long. */
  isFar(): void;
  isLong(): void;
}

/**
 * @param params     address of the bank
 * @param past       address of where the parameters go as they were, and what is added to it
 * @param constants  puts numbers of double precision into memory
 */
export function stepping(
  func: Func,
  { params, past, further }: { params: number; past: number; further: Local },
  controls: Program['params'],
  { rising, leap: mayLeap }: GuardSettings,
  constants: (values: readonly number[]) => number,
): Stepping {
  const reach = reachOf(controls);
  const [long, leap] = [reach.over(rising === null ? MOVE : rising.move), reach.over(mayLeap)];
  const [way, mask, apart, far] = ['v128', 'v128', 'v128', 'v128'].map(() =>
    func.fresh('v128'),
  ) as [Local, Local, Local, Local];
  /** The longest ways, by how long they may be. */
  const longest = new Map<string, { readonly of: Local; readonly k: number }>();
  controls.forEach((_, k) => {
    const key = `${long[k]} ${leap[k]}`;
    if (reach.isLog[k] === 0 && !longest.has(key)) longest.set(key, { of: func.fresh('v128'), k });
  });
  const bank = (values: ArrayLike<number>): (() => number) => {
    let address: number | null = null;
    return () => (address ??= constants([...Array.from(values), 0]));
  };
  const [longs, leaps] = [bank(long), bank(leap)];
  const logs = bank(reach.isLog);
  const zero = splatReal(DOUBLE, 0);

  return {
    begin: () => {
      func.emit(MAGNITUDES, set(mask), zero, set(apart), zero, set(far));
      for (const { of } of longest.values()) func.emit(zero, set(of));
    },
    watch: ({ into, value, past: before, at, byte, count }) => {
      const from = byte / 8;
      const some = Array.from({ length: count }, (_, k) => from + k);
      const isPair = value.type === 'v128';
      const both = (local: Local): Instr[] =>
        isPair ? [get(local)] : [get(local), ['f64x2.splat']];
      const put = (local: Local, address: number): Instr[] => [
        get(local),
        [isPair ? 'v128.store' : 'f64.store', address],
      ];
      const place: Instr[] = at.length === 0 ? [['i32.const', 0]] : [...at];
      const behind: Instr[] = at.length === 0 ? [get(further)] : [...at, get(further), ['i32.add']];
      into.push(...behind, ...put(before, past + byte), ...place, ...put(value, params + byte));
      const size: Instr[] = [
        ...both(value),
        ...both(before),
        ['f64x2.sub'],
        get(mask),
        ['v128.and'],
        ['local.tee', way.index],
      ];
      const hasLog = some.some((k) => reach.isLog[k] === 1);
      const isUniform = some.every((k) => long[k] === long[from] && leap[k] === leap[from]);
      if (!hasLog && isUniform) {
        const { of } = longest.get(`${long[from]} ${leap[from]}`)!;
        into.push(...size, get(of), ['i32x4.max_s'], set(of));
        return;
      }
      const load = (address: number): Instr[] => [
        ...place,
        [isPair ? 'v128.load' : 'v128.load64_splat', address + byte],
      ];
      const isAll = some.every((k) => reach.isLog[k] === 1);
      const isBeyond = (bounds: number): Instr[] => {
        const ways: Instr[] = [get(way), ...load(bounds), ['f64x2.lt'], ['v128.not']];
        const ratios: Instr[] = [
          ...([...both(value), ...both(before), ...load(bounds), ['f64x2.mul']] as Instr[]),
          ...([['f64x2.ge'], ...both(value), ...load(bounds), ['f64x2.mul']] as Instr[]),
          ...([...both(before), ['f64x2.le'], ['v128.or']] as Instr[]),
        ];
        if (!hasLog) return ways;
        return isAll
          ? ratios
          : [...ratios, ...ways, ...load(logs()), zero, ['f64x2.ne'], ['v128.bitselect']];
      };
      into.push(...size, splatReal(DOUBLE, Infinity), ['f64x2.lt'], ['v128.not']);
      into.push(...isBeyond(leaps()), ['v128.or'], get(far), ['v128.or'], set(far));
      into.push(...isBeyond(longs()), get(apart), ['v128.or'], set(apart));
    },
    isFar: () => {
      func.emit(get(far), ['v128.any_true']);
      for (const { of, k } of longest.values()) {
        func.append(atLeast(of, Math.min(levelOf(leap[k]!), ENDLESS)));
        func.emit(['i32.or']);
      }
    },
    isLong: () => {
      func.emit(get(apart), ['v128.any_true']);
      for (const { of, k } of longest.values()) {
        func.append(atLeast(of, levelOf(long[k]!)));
        func.emit(['i32.or']);
      }
    },
  };
}

/** Is one of two upper words at least so large? */
const atLeast = (of: Local, level: number): Instr[] => [
  ...[1, 3].flatMap((lane): Instr[] => [
    get(of),
    ['i32x4.extract_lane', lane],
    ['i32.const', level],
    ['i32.ge_s'],
  ]),
  ['i32.or'],
];
