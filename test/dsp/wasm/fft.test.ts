/**
 * The generated transforms against the interpreter's: error in either precision, transposition, and
 * that they write nothing but their result and their scratch.
 */

import { LEAST_TRANSFORM, MOST_TRANSFORM } from '../../../dsp/ir/builder.ts';
import { describe, expect, test } from 'vitest';
import { rfft, rfftTranspose } from '../../../dsp/interpret/fourier.ts';
import {
  fftScratch,
  fftTables,
  rfftFunction,
  rfftTransposeFunction,
} from '../../../dsp/wasm/fft.ts';
import { DOUBLE, SINGLE, elementOf } from '../../../dsp/wasm/element.ts';
import type { Element } from '../../../dsp/wasm/element.ts';
import { Func, call, encode, get, printWat } from '../../../dsp/wasm/module.ts';
import type { Module } from '../../../dsp/wasm/module.ts';
import { random } from '../../support/random-graph.ts';
import { assemble } from '../../support/wabt.ts';

const SIZES: number[] = [];
for (let size = LEAST_TRANSFORM; size <= MOST_TRANSFORM; size *= 2) SIZES.push(size);

/** Relative, in RMS; the worst seen are 1.3e-7 and 7.2e-16, the interpreter's own included. */
const ERROR = { single: 1.5e-7, double: 1e-15 } as const;
const TABLES = 1024;
const MARK = 12345;

const aligned = (address: number): number => Math.ceil(address / 16) * 16;

function moduleOf(
  size: number,
  fused = false,
  element: Element = SINGLE,
): { module: Module; scratch: number; end: number } {
  const tables = fftTables(size, element);
  const scratch = aligned(TABLES + tables.length);
  const end = aligned(scratch + fftScratch(size, element));
  const functions = [
    rfftFunction('rfft', size, TABLES, scratch, fused, element),
    rfftTransposeFunction('rfftTranspose', size, TABLES, scratch, fused, element),
    rfftFunction('rfftOfSquares', size, TABLES, scratch, fused, element, true),
    rfftTransposeFunction('rfftTransposeAdded', size, TABLES, scratch, fused, element, true),
  ];
  functions.push(
    ...functions.map(({ name }, index) => {
      const func = new Func(`call-${name}`, ['i32', 'i32']);
      func.emit(get(func.param(0)), get(func.param(1)));
      // What is read is the window as well.
      if (index > 1) func.emit(get(func.param(0)));
      func.emit(call(index));
      return func;
    }),
  );
  const pages = Math.ceil((end + 32 * size + 4096) / 65536);
  return { module: { functions, pages, data: [{ address: TABLES, bytes: tables }] }, scratch, end };
}

type Numbers = Float32Array | Float64Array;

interface Transforms {
  readonly rfft: (x: Numbers) => Numbers;
  readonly rfftTranspose: (bins: Numbers) => Numbers;
  readonly rfftOfSquares: (x: Numbers) => Numbers;
  readonly rfftTransposeAdded: (bins: Numbers) => Numbers;
}

/**
 * Each call checks that memory around source, result and scratch stays as it was.
 * @param skew     bytes by which source and result miss a multiple of 16
 * @param inPlace  the result goes where the source is
 * @param fused    products are rounded once with their sums
 */
function transforms(
  size: number,
  skew = 0,
  inPlace = false,
  fused = false,
  element: Element = SINGLE,
): Transforms {
  const { bytes } = element;
  const { module, scratch, end } = moduleOf(size, fused, element);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(encode(module)));
  const { buffer } = exports['memory'] as { readonly buffer: ArrayBuffer };
  const run = (name: string, input: Numbers, outputs: number): Numbers => {
    const all = element === SINGLE ? new Float32Array(buffer) : new Float64Array(buffer);
    all.fill(MARK, scratch / bytes);
    const src = end + 64 + skew;
    const dst = inPlace ? src : aligned(src + bytes * input.length) + 64 + skew;
    const expected = all.slice();
    all.set(input, src / bytes);
    if (!inPlace) expected.set(input, src / bytes);
    (exports[`call-${name}`] as (src: number, dst: number) => void)(src, dst);
    const result = all.slice(dst / bytes, dst / bytes + outputs);
    all.fill(MARK, scratch / bytes, (scratch + fftScratch(size, element)) / bytes);
    all.fill(MARK, dst / bytes, dst / bytes + (inPlace ? size + 2 : outputs));
    expect(Buffer.compare(Buffer.from(all.buffer), Buffer.from(expected.buffer))).toBe(0);
    return result;
  };
  return {
    rfft: (x) => run('rfft', x, size + 2),
    rfftTranspose: (bins) => run('rfftTranspose', bins, size),
    rfftOfSquares: (x) => run('rfftOfSquares', x, size + 2),
    rfftTransposeAdded: (bins) => run('rfftTransposeAdded', bins, size),
  };
}

function noise(length: number, seed: number): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length }, () => 2 * next() - 1);
}

/** Signals, and as bins: what a transform may find hard. */
function inputs(length: number): Float32Array[] {
  const impulse = (at: number): Float32Array => {
    const x = new Float32Array(length);
    x[at] = 1;
    return x;
  };
  const sine = (cycles: number): Float32Array =>
    Float32Array.from({ length }, (_, n) => Math.sin((2 * Math.PI * cycles * n) / length));
  return [
    noise(length, 1),
    noise(length, 2),
    impulse(0),
    impulse(1),
    impulse(length / 2),
    impulse(length - 1),
    sine(5),
    sine(3.7),
    new Float32Array(length).fill(1),
    Float32Array.from({ length }, (_, n) => (n % 2 === 0 ? 1 : -1)),
    new Float32Array(length),
  ];
}

/** RMS of the difference over RMS of what is expected. */
function errorOf(found: Numbers, expected: Float64Array): number {
  let difference = 0;
  let power = 0;
  expected.forEach((v, i) => {
    difference += (found[i]! - v) ** 2;
    power += v * v;
  });
  return difference === 0 ? 0 : Math.sqrt(difference / power);
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

describe.each(SIZES)('of %i samples', (size) => {
  test.each([
    [0, false, 'single'],
    [4, false, 'single'],
    [8, false, 'single'],
    [12, false, 'single'],
    [0, true, 'single'],
    [0, false, 'double'],
    [8, false, 'double'],
    [0, true, 'double'],
  ] as const)(
    'error is in bounds for addresses %i off, fused: %s, %s',
    (skew, fused, precision) => {
      const element = elementOf(precision);
      const error = ERROR[precision];
      const { rfft: spectrum, rfftTranspose: signal } = transforms(
        size,
        skew,
        false,
        fused,
        element,
      );
      for (const x of inputs(size)) {
        const found = spectrum(x);
        expect(errorOf(found, rfft(Float64Array.from(x)))).toBeLessThan(error);
        expect([found[size / 2 + 1], found[size + 1]]).toEqual([0, 0]);
      }
      for (const bins of inputs(size + 2)) {
        const off = errorOf(signal(bins), rfftTranspose(Float64Array.from(bins)));
        expect(off).toBeLessThan(error);
      }
    },
  );

  test('the transpose does not see imaginary parts of the first and the last bin', () => {
    const { rfftTranspose: signal } = transforms(size);
    const bins = noise(size + 2, 5);
    const edges = (value: number): Numbers => {
      bins[size / 2 + 1] = value;
      bins[size + 1] = value;
      return signal(bins);
    };
    expect(edges(NaN)).toEqual(edges(0));
  });

  test('the result may take the place of the source', () => {
    const [apart, inPlace] = [transforms(size), transforms(size, 0, true)];
    const x = noise(size, 6);
    const bins = apart.rfft(x);
    expect(inPlace.rfft(x)).toEqual(bins);
    expect(inPlace.rfftTranspose(bins)).toEqual(apart.rfftTranspose(bins));
  });

  test.each(['single', 'double'] as const)(
    'a window is as a product of its own, %s',
    (precision) => {
      const element = elementOf(precision);
      const both = transforms(size, 8, false, false, element);
      const x = precision === 'single' ? noise(size, 8) : Float64Array.from(noise(size, 8));
      expect(both.rfftOfSquares(x)).toEqual(both.rfft(x.map((value) => value * value)));
      const bins =
        precision === 'single' ? noise(size + 2, 9) : Float64Array.from(noise(size + 2, 9));
      const round = precision === 'single' ? Math.fround : (value: number) => value;
      const added = both.rfftTranspose(bins).map((value, n) => MARK + round(value * bins[n]!));
      expect(both.rfftTransposeAdded(bins)).toEqual(added);
    },
  );

  test('one is the transpose of the other', () => {
    const { rfft: spectrum, rfftTranspose: signal } = transforms(size);
    const x = noise(size, 3);
    const y = noise(size + 2, 4);
    const scale = Math.sqrt(dot(x, x) * dot(y, y) * size);
    expect(Math.abs(dot(spectrum(x), y) - dot(x, signal(y))) / scale).toBeLessThan(ERROR.single);
  });

  test('the code assembles from its printed text and is short', () => {
    for (const element of [SINGLE, DOUBLE]) {
      const { module } = moduleOf(size, false, element);
      const bytes = encode(module);
      expect(Buffer.compare(bytes, assemble(printWat(module)))).toBe(0);
      expect(bytes.length - fftTables(size, element).length).toBeLessThan(25_000);
    }
  });
});

test('what is not a power of two in range is refused', () => {
  for (const size of [0, 32, 96, 100.5, 16384]) {
    expect(() => rfftFunction('rfft', size, 0, 0)).toThrow('there is no transform');
  }
});
