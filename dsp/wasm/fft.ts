/**
 * The Fourier transform of real signals and its transpose, as functions of a module.
 *
 * A pass makes spectra of 4·L samples from those of L: of its samples r, r + 4, r + 8, … for each
 * remainder r. Real signals have symmetric spectra, so only rows (bins) 0 to L/2 are kept, and one
 * butterfly on row k of four spectra gives rows k, L − k, L + k and 2·L − k of their union. Rows 0
 * and L/2 are real and have butterflies of their own. Lanes run over neighbouring spectra, in the
 * last pass over neighbouring bins; nothing is bit-reversed (Stockham's order). Sizes that are not
 * powers of four take a pass of 8 first. The transpose is the same passes, each transposed, from
 * the last to the first.
 *
 * Between passes, spectra of length L are N numbers: [L/2 + 1, N/L] real parts, then the imaginary
 * parts of rows 1 to L/2 − 1, so that a row's imaginary parts are equally far from its real parts
 * for every L: half the signal and a gap.
 *
 * Invariants: `src` is only read, and read before `dst` is written, so that the two may overlap;
 * besides `dst` only the scratch is written; addresses of tables and scratch are multiples of 16,
 * those of `src` and `dst` of 4.
 * Sources: C. Van Loan, Computational Frameworks for the Fast Fourier Transform, 1992, 1.7 and 4.3;
 * G. D. Bergland, A fast Fourier transform algorithm for real-valued series, CACM 11, 1968.
 */

import { isTransformSize } from '../ir/builder.ts';
import { SINGLE } from './element.ts';
import type { Element } from './element.ts';
import { Func, get, set } from './module.ts';
import type { Instr, Local } from './module.ts';
import { Writer } from './writer.ts';
import type { Complex, Place } from './writer.ts';

const VECTOR = 16;
/** Of the tables: three complex factors for each of a vector of rows. */
const FACTORS = 6 * VECTOR;
/** Arrays do not start at equal places of the cache, where loads would wait for unrelated stores. */
const APART = 64;

/**
 * Constants that both functions of a size read: e^(−2πirk/size) for k = 0 … size/8 − 1 and
 * r = 1, 2, 3; [size/8/width, r, real and imaginary, width].
 */
export function fftTables(size: number, element: Element = SINGLE): Uint8Array {
  const { width } = element;
  const table = new Array<number>((6 * size) / 8).fill(0);
  for (let k = 0; k < size / 8; k++) {
    for (let r = 1; r <= 3; r++) {
      const angle = (-2 * Math.PI * r * k) / size;
      const at = Math.floor(k / width) * 6 * width + (r - 1) * 2 * width + (k % width);
      table[at] = Math.cos(angle);
      table[at + width] = Math.sin(angle);
    }
  }
  return element.pack(table);
}

/** Bytes that a function of this size may write besides its result. */
export const fftScratch = (size: number, element: Element = SINGLE): number =>
  2 * bufferBytes(size, element);

const bufferBytes = (size: number, { bytes }: Element): number => bytes * size + 2 * APART;
const tableBytes = (size: number, { bytes }: Element): number => ((6 * size) / 8) * bytes;

/**
 * Spectrum of a real signal.
 *
 * X(k) = Σₙ x(n)·e^(−2πikn/size)
 *
 * Wasm parameters: src, address of x, [size]; dst, address of the bins 0 to size/2,
 * [2, size/2 + 1]: all real parts, then all imaginary parts. Both of the element; the imaginary
 * parts of the first and the last bin are 0.
 *
 * @param size            samples, a power of two from 64 to 8192
 * @param tablesAddress   where `fftTables(size)` lies, a multiple of 16
 * @param scratchAddress  where `fftScratch(size)` bytes are free, a multiple of 16
 * @param fused           may it multiply and add with one rounding, where the machine can?
 * @param isWindowed      of x times a window, rounded in between: a third Wasm parameter is its
 *                        address, [size], of the element. Cost: a loop less than one after the other
 * Error: at most 1.5e-7 (double precision: 1e-15) of the result's RMS, in RMS.
 * Cost: 0.42·size·log₂(size) vector operations; 0.63 µs for 1024 samples, transposed
 * 0.66 µs (Node 24.21, Emerald Rapids).
 * Tested: test/dsp/wasm/fft.test.ts.
 */
export function rfftFunction(
  name: string,
  size: number,
  tablesAddress: number,
  scratchAddress: number,
  fused = false,
  element: Element = SINGLE,
  isWindowed = false,
): Func {
  const func = new Func(name, paramsOf(isWindowed), { internal: true, fused, element });
  return fftFunction(func, size, [tablesAddress, scratchAddress], true, isWindowed);
}

/**
 * Transpose of `rfftFunction`'s map, from bins to samples.
 *
 * x(n) = Σₖ re(k)·cos(2πkn/size) − im(k)·sin(2πkn/size), k = 0 … size/2
 *
 * It is the inverse transform of bins that were weighted by 1/size (the first and the last) or
 * 2/size (all others). Wasm parameters: src, address of bins as `rfftFunction` writes them (the
 * imaginary parts of the first and the last do not count); dst, address of x. All else as there, but
 * that what a window was multiplied with is added to what is at dst.
 */
export function rfftTransposeFunction(
  name: string,
  size: number,
  tablesAddress: number,
  scratchAddress: number,
  fused = false,
  element: Element = SINGLE,
  isWindowed = false,
): Func {
  const func = new Func(name, paramsOf(isWindowed), { internal: true, fused, element });
  return fftFunction(func, size, [tablesAddress, scratchAddress], false, isWindowed);
}

/** What all passes of a function share. */
interface Transform {
  readonly func: Func;
  readonly size: number;
  readonly tables: number;
  readonly isForward: boolean;
  /** Where what the samples are multiplied by lies. */
  readonly window: Local | null;
}

/** Spectra of one length: where row 0 of the first is. */
interface Plane {
  /** Null for addresses that are known when the code is written. */
  readonly base: Local | null;
  /** Offsets from the base. */
  readonly re: number;
  readonly im: number;
}

const start = (plane: Plane): Instr => (plane.base === null ? ['i32.const', 0] : get(plane.base));

/** Addresses of source and destination, and of a window. */
const paramsOf = (isWindowed: boolean) =>
  isWindowed ? (['i32', 'i32', 'i32'] as const) : (['i32', 'i32'] as const);

function fftFunction(
  func: Func,
  size: number,
  [tables, scratch]: readonly [number, number],
  isForward: boolean,
  isWindowed: boolean,
): Func {
  if (!isTransformSize(size)) throw new Error(`there is no transform of ${size} samples`);
  const { element } = func;
  const { bytes } = element;
  const [src, dst] = [func.param(0), func.param(1)];
  const window = isWindowed ? func.param(2) : null;
  const transform = { func, size, tables, isForward, window };
  const samples = { base: isForward ? src : dst, re: 0, im: 0 };
  const bins = { base: isForward ? dst : src, re: 0, im: bytes * (size / 2 + 1) };
  const buffers = [scratch, scratch + bufferBytes(size, element)].map((address): Plane => ({
    base: null,
    re: address,
    im: address + (bytes / 2) * size + APART,
  }));
  const first = Math.log2(size) % 2 === 0 ? 4 : 8;
  const lengths: number[] = [];
  for (let length = first; length < size; length *= 4) lengths.push(length);
  /** What lies between the passes, from samples to bins. */
  const planes = [...lengths.map((_, k) => buffers[k % 2]!), bins];
  const passes = [
    (): void => {
      firstPass(transform, first, samples, planes[0]!);
    },
    ...lengths.map((length, k) => (): void => {
      const write = k === lengths.length - 1 ? lastPass : middlePass;
      write(transform, length, planes[k]!, planes[k + 1]!);
    }),
  ];
  for (const write of isForward ? passes : passes.toReversed()) write();
  return func;
}

// ---- Butterflies ---------------------------------------------------------------------------------

type Four = readonly [Local, Local, Local, Local];
const four = (make: (r: number) => Local): Four => [make(0), make(1), make(2), make(3)];

/** Rows 0, real: x → y(0), y(L), y(2·L), of which only y(L) is not real. */
function evenRow(w: Writer, [a, b, c, d]: Four): { first: Local; middle: Complex; last: Local } {
  const e = w.add(a, c);
  const g = w.add(b, d);
  return {
    first: w.add(e, g),
    middle: { re: w.sub(a, c), im: w.sub(d, b) },
    last: w.sub(e, g),
  };
}

function evenRowTransposed(w: Writer, first: Local, middle: Complex, last: Local): Four {
  const e = w.add(first, last);
  const g = w.sub(first, last);
  return [w.add(e, middle.re), w.sub(g, middle.im), w.sub(e, middle.re), w.add(g, middle.im)];
}

/** √½ and −√½. */
type Roots = readonly [Local, Local];
const roots = (w: Writer): Roots => [w.constant(Math.SQRT1_2), w.constant(-Math.SQRT1_2)];

/** Rows L/2, real: x → y(L/2), y(3·L/2). */
function oddRow(w: Writer, [root, minusRoot]: Roots, [a, b, c, d]: Four): [Complex, Complex] {
  const h = w.mul(root, w.sub(b, d));
  const m = w.mul(minusRoot, w.add(b, d));
  return [
    { re: w.add(a, h), im: w.sub(m, c) },
    { re: w.sub(a, h), im: w.add(m, c) },
  ];
}

function oddRowTransposed(w: Writer, [root, minusRoot]: Roots, y: Complex, z: Complex): Four {
  const h = w.mul(root, w.sub(y.re, z.re));
  const m = w.mul(minusRoot, w.add(y.im, z.im));
  return [w.add(y.re, z.re), w.add(m, h), w.sub(z.im, y.im), w.sub(m, h)];
}

type Read = (index: number) => Complex;
type Write = (index: number, value: Complex) => void;

/**
 * Rows k, turned by the factors → y(k), y(L + k), conj y(2·L + k) = y(2·L − k) and
 * conj y(3·L + k) = y(L − k). Stores as early as it can, for there are 16 registers.
 */
function butterfly(w: Writer, read: Read, factor: Read, write: Write): void {
  const x0 = read(0);
  const x2 = w.times(read(2), factor(2));
  const e = { re: w.add(x0.re, x2.re), im: w.add(x0.im, x2.im) };
  const f = { re: w.sub(x0.re, x2.re), im: w.sub(x0.im, x2.im) };
  const x1 = w.times(read(1), factor(1));
  const x3 = w.times(read(3), factor(3));
  const g = { re: w.add(x1.re, x3.re), im: w.add(x1.im, x3.im) };
  const h = { re: w.sub(x3.re, x1.re), im: w.sub(x1.im, x3.im) };
  write(0, { re: w.add(e.re, g.re), im: w.add(e.im, g.im) });
  write(2, { re: w.sub(e.re, g.re), im: w.sub(g.im, e.im) });
  write(1, { re: w.add(f.re, h.im), im: w.add(f.im, h.re) });
  write(3, { re: w.sub(f.re, h.im), im: w.sub(h.re, f.im) });
}

function butterflyTransposed(w: Writer, read: Read, factor: Read, write: Write): void {
  const [y0, y2] = [read(0), read(2)];
  const e = { re: w.add(y0.re, y2.re), im: w.sub(y0.im, y2.im) };
  const f = { re: w.sub(y0.re, y2.re), im: w.add(y0.im, y2.im) };
  const [y1, y3] = [read(1), read(3)];
  const g = { re: w.add(y1.re, y3.re), im: w.sub(y1.im, y3.im) };
  const h = { re: w.sub(y1.re, y3.re), im: w.add(y1.im, y3.im) };
  const turned = (r: number, x: Complex): void => {
    write(r, w.timesConjugate(x, factor(r)));
  };
  write(0, { re: w.add(e.re, g.re), im: w.add(e.im, g.im) });
  turned(2, { re: w.sub(e.re, g.re), im: w.sub(e.im, g.im) });
  turned(1, { re: w.sub(f.re, h.im), im: w.add(f.im, h.re) });
  turned(3, { re: w.add(f.re, h.im), im: w.sub(f.im, h.re) });
}

// ---- Passes --------------------------------------------------------------------------------------

/** Spectra of 4 or 8 samples. */
function firstPass(
  { func, size, isForward, window }: Transform,
  radix: 4 | 8,
  samples: Plane,
  spectra: Plane,
): void {
  const w = new Writer(func, func.element.vector);
  const row = (func.element.bytes * size) / radix;
  const x = w.pointer(start(samples));
  const y = w.pointer(start(spectra));
  const weights = window === null ? null : w.pointer(get(window));
  const at = (k: number): Place => ({
    pointer: y,
    re: spectra.re + k * row,
    im: spectra.im + k * row,
  });
  const even = radix === 4 ? [0, 1, 2] : [0, 2, 4];
  const [first, middle, last] = even.map(at) as [Place, Place, Place];
  const root = radix === 8 ? roots(w) : null;
  const sample = (k: number): Local => {
    const value = w.load(x, k * row);
    return weights === null ? value : w.mul(value, w.load(weights, k * row));
  };
  const loadFour = (from: number): Four => four((r) => sample(from + r));
  const storeFour = (from: number, values: Four): void => {
    values.forEach((value, r) => {
      const at = (from + r) * row;
      const added = (by: Local): Local => w.add(w.load(x, at), w.mul(value, w.load(by, at)));
      w.store(x, at, weights === null ? value : added(weights));
    });
  };
  const both = (op: 'add' | 'sub', a: Four, b: Four): Four => four((r) => w[op](a[r]!, b[r]!));
  const writeEven = (values: Four): void => {
    const result = evenRow(w, values);
    w.store(y, first.re, result.first);
    w.write(middle, result.middle);
    w.store(y, last.re, result.last);
  };
  const readEven = (): Four =>
    evenRowTransposed(w, w.load(y, first.re), w.read(middle), w.load(y, last.re));
  w.repeat(y, ['i32.const', row], row / VECTOR, () => {
    if (root === null) {
      if (isForward) writeEven(loadFour(0));
      else storeFour(0, readEven());
    } else if (isForward) {
      const [low, high] = [loadFour(0), loadFour(4)];
      writeEven(both('add', low, high));
      const [one, three] = oddRow(w, root, both('sub', low, high));
      w.write(at(1), one);
      w.write(at(3), three);
    } else {
      const sums = readEven();
      const differences = oddRowTransposed(w, root, w.read(at(1)), w.read(at(3)));
      storeFour(0, both('add', sums, differences));
      storeFour(4, both('sub', sums, differences));
    }
    w.advance(x, VECTOR);
    w.advance(y, VECTOR);
    if (weights !== null) w.advance(weights, VECTOR);
  });
  w.release(x, y);
  if (weights !== null) w.release(weights);
}

/** Spectra of `length` → spectra four times as long, a vector of them at a time. */
function middlePass(
  { func, size, tables, isForward }: Transform,
  length: number,
  from: Plane,
  to: Plane,
): void {
  const w = new Writer(func, func.element.vector);
  /** Of the result; a row before it is four times as long. */
  const row = ((func.element.bytes / 4) * size) / length;
  const root = roots(w);
  const x = w.pointer(['i32.const', 0]);
  /** Row k of the result, and row L − k. */
  const up = w.pointer(['i32.const', 0]);
  const down = w.pointer(['i32.const', length * row]);
  const end = w.pointer(['i32.const', 0]);
  const sub = (r: number): Place => ({
    pointer: x,
    re: from.re + r * row,
    im: from.im + r * row,
  });
  const above = (pointer: Local, rows: number): Place => ({
    pointer,
    re: to.re + rows * row,
    im: to.im + rows * row,
  });
  const results = [above(up, 0), above(up, length), above(down, length), above(down, 0)];
  const alongRow = (body: () => void): void => {
    const step = (): void => {
      body();
      for (const pointer of [x, up, down]) w.advance(pointer, VECTOR);
    };
    if (row === VECTOR) step();
    else {
      w.emit(get(x), ['i32.const', row], ['i32.add'], set(end));
      w.repeat(x, get(end), row / VECTOR, step);
    }
    w.advance(x, 3 * row);
    w.advance(down, -2 * row);
  };
  const loadFour = (): Four => four((r) => w.load(x, sub(r).re));
  const storeFour = (values: Four): void => {
    values.forEach((value, r) => {
      w.store(x, sub(r).re, value);
    });
  };

  const [first, middle, last] = [results[0]!, results[1]!, results[2]!];
  alongRow(() => {
    if (isForward) {
      const result = evenRow(w, loadFour());
      w.store(up, first.re, result.first);
      w.write(middle, result.middle);
      w.store(down, last.re, result.last);
    } else {
      storeFour(evenRowTransposed(w, w.load(up, first.re), w.read(middle), w.load(down, last.re)));
    }
  });

  const table = w.pointer(['i32.const', (row / VECTOR) * FACTORS]);
  w.repeat(table, ['i32.const', tableBytes(size, func.element)], length / 2 - 1, () => {
    const factors = [0, 1, 2].map((r) => ({
      re: w.splat(table, tables + 2 * VECTOR * r),
      im: w.splat(table, tables + 2 * VECTOR * r + VECTOR),
    }));
    const factor: Read = (r) => factors[r - 1]!;
    const result = (j: number): Place => results[j]!;
    const [source, target] = isForward ? [sub, result] : [result, sub];
    const kernel = isForward ? butterfly : butterflyTransposed;
    alongRow(() => {
      const write: Write = (index, value) => {
        w.write(target(index), value);
      };
      kernel(w, (index) => w.read(source(index)), factor, write);
    });
    w.advance(table, (row / VECTOR) * FACTORS);
  });

  alongRow(() => {
    if (isForward) {
      const [one, three] = oddRow(w, root, loadFour());
      w.write(results[0]!, one);
      w.write(results[1]!, three);
    } else {
      storeFour(oddRowTransposed(w, root, w.read(results[0]!), w.read(results[1]!)));
    }
  });
  w.release(x, up, down, end, table);
}

/** Four spectra, interleaved → their union, a vector of rows at a time. */
function lastPass(transform: Transform, length: number, from: Plane, to: Plane): void {
  const { func, size, tables, isForward } = transform;
  const { bytes, width } = func.element;
  const w = new Writer(func, func.element.vector);
  const x = w.pointer(['i32.const', 0]);
  // Imaginary parts of row 0 would lie in the gap.
  const zero = isForward ? w.constant(0) : null;
  for (let at = 0; zero !== null && at < 4 * bytes; at += VECTOR) w.store(x, from.im + at, zero);
  const up = w.pointer(start(to));
  const down = w.pointer(start(to), ['i32.const', bytes * (length - width + 1)], ['i32.add']);
  const table = w.pointer(['i32.const', 0]);
  const result = (j: number): Place => ({
    pointer: j < 2 ? up : down,
    re: to.re + (j === 1 || j === 2 ? bytes * length : 0),
    im: to.im + (j === 1 || j === 2 ? bytes * length : 0),
  });
  const mirrored = ({ re, im }: Complex): Complex => ({ re: w.reverse(re), im: w.reverse(im) });
  const factor: Read = (r) =>
    w.read({
      pointer: table,
      re: tables + 2 * VECTOR * (r - 1),
      im: tables + 2 * VECTOR * (r - 1) + VECTOR,
    });
  const end = tableBytes(size, func.element);
  w.repeat(table, ['i32.const', end], end / FACTORS, () => {
    if (isForward) {
      const across = (at: number): Four => w.columns(...four((k) => w.load(x, at + k * VECTOR)));
      const [re, im] = [across(from.re), across(from.im)];
      butterfly(
        w,
        (r) => ({ re: re[r]!, im: im[r]! }),
        factor,
        (j, y) => {
          w.write(result(j), j < 2 ? y : mirrored(y));
        },
      );
    } else {
      const spectra: Complex[] = [];
      butterflyTransposed(
        w,
        (j) => (j < 2 ? w.read(result(j)) : mirrored(w.read(result(j)))),
        factor,
        (r, value) => {
          spectra[r] = value;
        },
      );
      for (const part of ['re', 'im'] as const) {
        w.rows(...four((r) => spectra[r]![part])).forEach((row, k) => {
          w.store(x, from[part] + k * VECTOR, row);
        });
      }
    }
    w.advance(x, 4 * VECTOR);
    w.advance(up, VECTOR);
    w.advance(down, -VECTOR);
    w.advance(table, FACTORS);
  });
  w.release(x, up, down, table);
  evenEdge(transform, length, from, to);
  oddEdge(transform, length, from, to);
}

/** Row 0 of the last pass, where lanes run over rows. */
function evenEdge({ func, isForward }: Transform, length: number, from: Plane, to: Plane): void {
  const { bytes } = func.element;
  const w = new Writer(func, func.element.scalar);
  const y = w.pointer(start(to));
  if (isForward) {
    // The loop has done the rest.
    const zero = w.constant(0);
    w.store(y, to.im, zero);
    w.store(y, to.im + 2 * bytes * length, zero);
  } else {
    const x = w.pointer(start(from));
    const middle = { pointer: y, re: to.re + bytes * length, im: to.im + bytes * length };
    const [first, last] = [w.load(y, to.re), w.load(y, to.re + 2 * bytes * length)];
    evenRowTransposed(w, first, w.read(middle), last).forEach((value, r) => {
      w.store(x, from.re + bytes * r, value);
    });
    w.release(x);
  }
  w.release(y);
}

/** Row L/2 of the last pass. */
function oddEdge({ func, isForward }: Transform, length: number, from: Plane, to: Plane): void {
  const { bytes } = func.element;
  const w = new Writer(func, func.element.scalar);
  const root = roots(w);
  const x = w.pointer(start(from));
  const y = w.pointer(start(to));
  const sub = (r: number): number => from.re + bytes * (2 * length + r);
  const at = (k: number): Place => ({ pointer: y, re: to.re + bytes * k, im: to.im + bytes * k });
  const [one, three] = [at(length / 2), at((3 * length) / 2)];
  if (isForward) {
    const [y1, y3] = oddRow(
      w,
      root,
      four((r) => w.load(x, sub(r))),
    );
    w.write(one, y1);
    w.write(three, y3);
  } else {
    oddRowTransposed(w, root, w.read(one), w.read(three)).forEach((value, r) => {
      w.store(x, sub(r), value);
    });
  }
  w.release(x, y);
}
