/**
 * Between what limits each value of a normal form stays: how long a delay line must be, and whether a
 * loop is safe to close through it.
 *
 * Interval arithmetic in one walk; what comes out of a recursion may be anything. Inputs count as
 * [−1, 1], as in libfaust: a delay or table that is read beyond its limits is held to them when it
 * runs, so a louder input does no harm. Cost: linear.
 */

import type { ValueType } from '../ir/ops.ts';
import { extensionOf, passedBy } from './extensions.ts';
import type { Form, FormId } from './form.ts';

export interface Range {
  readonly low: number;
  readonly high: number;
}

const ANY: Range = { low: -Infinity, high: Infinity };
const ANY_INT: Range = { low: -(2 ** 31), high: 2 ** 31 - 1 };
const TRUTH: Range = { low: 0, high: 1 };
const WAVE: Range = { low: -1, high: 1 };
const ANGLE: Range = { low: -Math.PI, high: Math.PI };

const exactly = (value: number): Range => ({ low: value, high: value });
const hull = (...all: readonly Range[]): Range => ({
  low: Math.min(...all.map(({ low }) => low)),
  high: Math.max(...all.map(({ high }) => high)),
});
const rising = (f: (x: number) => number, { low, high }: Range): Range => ({
  low: f(low),
  high: f(high),
});
const isNumber = ({ low, high }: Range): boolean => !Number.isNaN(low) && !Number.isNaN(high);

/** From what becomes of all ends of two ranges. */
function corners(f: (x: number, y: number) => number, a: Range, b: Range): Range {
  const all = [a.low, a.high].flatMap((x) => [f(x, b.low), f(x, b.high)]);
  return { low: Math.min(...all), high: Math.max(...all) };
}

/** 0 · ∞ is 0 here: no factor is infinite, it only may be large. */
const product = (x: number, y: number): number => (x === 0 || y === 0 ? 0 : x * y);

type Rule = (a: Range, b: Range, c: Range) => Range;

/** What is left of a division by up to this size. */
function rest(a: Range, b: Range): Range {
  const size = Math.max(Math.abs(b.low), Math.abs(b.high));
  const low = a.low >= 0 ? 0 : Math.max(a.low, -size);
  return { low, high: a.high <= 0 ? 0 : Math.min(a.high, size) };
}

const RULES: Readonly<Record<string, Rule>> = {
  '+': (a, b) => ({ low: a.low + b.low, high: a.high + b.high }),
  '-': (a, b) => ({ low: a.low - b.high, high: a.high - b.low }),
  '*': (a, b) => corners(product, a, b),
  '/': (a, b) => (b.low > 0 || b.high < 0 ? corners((x, y) => x / y, a, b) : ANY),
  '%': rest,
  fmod: rest,
  '<': () => TRUTH,
  '>': () => TRUTH,
  '<=': () => TRUTH,
  '>=': () => TRUTH,
  '==': () => TRUTH,
  '!=': () => TRUTH,
  '&': (a, b) => {
    const masks = [a, b].filter(({ low }) => low >= 0).map(({ high }) => high);
    return masks.length > 0 ? { low: 0, high: Math.min(...masks) } : ANY_INT;
  },
  '|': bits,
  '^': bits,
  '<<': (a, b) => corners((x, y) => x * 2 ** y, a, b),
  '>>': (a, b) => corners((x, y) => Math.floor(x / 2 ** y), a, b),
  int: (a) => rising(Math.trunc, a),
  float: (a) => a,
  floor: (a) => rising(Math.floor, a),
  ceil: (a) => rising(Math.ceil, a),
  rint: (a) => rising(Math.round, a),
  round: (a) => rising(Math.round, a),
  abs: (a) => ({
    low: a.low <= 0 && a.high >= 0 ? 0 : Math.min(Math.abs(a.low), Math.abs(a.high)),
    high: Math.max(Math.abs(a.low), Math.abs(a.high)),
  }),
  min: (a, b) => ({ low: Math.min(a.low, b.low), high: Math.min(a.high, b.high) }),
  max: (a, b) => ({ low: Math.max(a.low, b.low), high: Math.max(a.high, b.high) }),
  sqrt: (a) => rising((x) => Math.sqrt(Math.max(0, x)), a),
  exp: (a) => rising(Math.exp, a),
  log: (a) => rising((x) => Math.log(Math.max(0, x)), a),
  log10: (a) => rising((x) => Math.log10(Math.max(0, x)), a),
  pow: (a, b) => (a.low >= 0 ? corners(Math.pow, a, b) : ANY),
  sin: () => WAVE,
  cos: () => WAVE,
  tanh: () => WAVE,
  asin: () => ANGLE,
  acos: () => ANGLE,
  atan: () => ANGLE,
  atan2: () => ANGLE,
  '@': (a) => hull(a, exactly(0)),
  prefix: (a, b) => hull(a, b),
  select2: (_c, a, b) => hull(a, b),
  attach: (a) => a,
  button: () => TRUTH,
  checkbox: () => TRUTH,
};

function bits(a: Range, b: Range): Range {
  if (a.low < 0 || b.low < 0) return ANY_INT;
  const bound = 2 ** Math.ceil(Math.log2(Math.max(a.high, b.high) + 1)) - 1;
  return { low: 0, high: bound };
}

export interface RangeOptions {
  /** Hz. */
  readonly sampleRate: number;
  /** Values in an order in which operands come first, what a recursion begins with excepted. */
  readonly order: readonly FormId[];
  readonly types: readonly ValueType[];
  /** Of what is no operation: tables and waveforms by the node that reads them. */
  readonly known?: (id: FormId) => Range | undefined;
}

/** By number of the node; ANY for what is not in `order`. */
export function rangesOf({ nodes }: Form, options: RangeOptions): readonly Range[] {
  const { sampleRate, order, types, known } = options;
  const found: (Range | undefined)[] = nodes.map(() => undefined);
  const widest = (id: FormId): Range => (types[id] === 'int' ? ANY_INT : ANY);
  const of = (id: FormId | undefined): Range =>
    id === undefined ? ANY : (found[id] ?? widest(id));
  const rangeOf = (id: FormId): Range => {
    const { op, args, value, text } = nodes[id]!;
    const numbers = args.map((arg) => nodes[arg]!.value);
    switch (op) {
      case 'whole':
      case 'number':
        return exactly(value);
      case 'input':
        return WAVE;
      case 'symbol':
        return text === 'fSamplingFreq' ? exactly(sampleRate) : widest(id);
      case 'hslider':
      case 'vslider':
      case 'nentry':
        return { low: numbers[2]!, high: numbers[3]! };
      case 'hbargraph':
      case 'vbargraph':
        return of(args[3]);
      case '-': {
        // x − ⌊x⌋, however x was made.
        const [x, floor] = args.map((arg) => nodes[arg]!);
        if (floor?.op === 'floor' && nodes[floor.args[0]!] === x) return TRUTH;
        return RULES['-']!(of(args[0]), of(args[1]), ANY);
      }
      default: {
        const rule = RULES[op];
        const extension = rule === undefined ? extensionOf(op) : undefined;
        const passed = extension === undefined ? undefined : passedBy(extension);
        if (passed !== undefined) return of(args[passed]);
        if (rule !== undefined) return rule(of(args[0]), of(args[1]), of(args[2]));
        return known?.(id) ?? widest(id);
      }
    }
  };
  for (const id of order) {
    const range = rangeOf(id);
    const { low, high } = widest(id);
    const fits = isNumber(range) && range.low >= low && range.high <= high;
    found[id] = fits ? range : widest(id);
  }
  return nodes.map((_node, id) => of(id));
}
