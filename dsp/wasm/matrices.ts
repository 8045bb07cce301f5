/**
 * Matrix products, of vectors held in locals and of signals in memory.
 *
 * Invariants: small products are unrolled, large ones are loops over tiles whose sums stay in
 * registers; additions have a fixed order of their own, so products agree with the interpreter up to
 * rounding, at most 1e-6 (double precision: 2e-15) of the sum of magnitudes per 16 terms.
 */

import type { Value } from './body.ts';
import { chunksOf, shuffle } from './element.ts';
import type { Element } from './element.ts';
import { get, set } from './module.ts';
import type { Instr, Local } from './module.ts';
import { addLanes, addProduct, gather, lanesOf, maskOf, masked, spill } from './structures.ts';
import type { Writer } from './structures.ts';

/** A matrix in memory, column after column without gaps. */
export interface Matrix {
  readonly address: number;
  readonly rows: number;
  readonly columns: number;
}

/** More products of vectors than this are made in a loop. */
const UNROLLED = 128;
/** Sums that stay in registers while a loop adds to them. */
const TILE = 8;

const splatLane = (element: Element, value: Value, k: number): Instr[] => {
  const { vector, width } = element;
  const of = value[Math.floor(k / width)]!;
  if (of.type !== 'v128') return [get(of), [`${vector}.splat`]];
  return [get(of), get(of), shuffle(element, ...new Array<number>(width).fill(k % width))];
};

/**
 * y[r] = Σ_k m[k·rows + r] · x[k], a vector of rows at a time.
 *
 * @param scratch  bytes for x, where it is long
 */
export function matvec(w: Writer, m: Matrix, x: Value, scratch: () => number): Value {
  const { rows, columns } = m;
  const { func } = w;
  const { element } = func;
  const { bytes, width } = element;
  const chunks = chunksOf(element, rows);
  if (rows === 1) return dot(w, m.address, x, columns);
  const sums = Array.from({ length: chunks }, () => func.local('v128'));
  if (columns * chunks <= UNROLLED) {
    // Two sums a row, one for even and one for odd columns: half the latency.
    const odd = columns >= 4 && chunks <= 4 ? sums.map(() => func.local('v128')) : sums;
    const xk = func.local('v128');
    const begun = new Set<Local>();
    for (let k = 0; k < columns; k++) {
      w.into.push(...splatLane(element, x, k), set(xk));
      for (let c = 0; c < chunks; c++) {
        const sum = (k & 1) === 0 ? sums[c]! : odd[c]!;
        const from: Instr[] = [
          ['i32.const', 0],
          ['v128.load', m.address + bytes * (k * rows + width * c)],
        ];
        addProduct(w, sum, from, [get(xk)], !begun.has(sum));
        begun.add(sum);
      }
    }
    if (odd !== sums) {
      sums.forEach((sum, c) => {
        w.into.push(get(sum), get(odd[c]!), [`${element.vector}.add`], set(sum));
        func.release(odd[c]!);
      });
    }
    func.release(xk);
    return sums;
  }
  const at = scratch();
  spill(w, x, at);
  const k = func.local('i32');
  const column = func.local('i32');
  const xk = func.local('v128');
  for (let from = 0; from < chunks; from += TILE) {
    const tile = sums.slice(from, from + TILE);
    for (const sum of tile) w.into.push(ZERO, set(sum));
    w.into.push(['i32.const', 0], set(k), ['i32.const', 0], set(column));
    w.into.push(['loop', columns], get(k), [element.loadSplat, at], set(xk));
    tile.forEach((sum, c) => {
      const part: Instr[] = [get(column), ['v128.load', m.address + 16 * (from + c)]];
      addProduct(w, sum, part, [get(xk)], false);
    });
    w.into.push(get(column), ['i32.const', bytes * rows], ['i32.add'], set(column));
    w.into.push(get(k), ['i32.const', bytes], ['i32.add'], ['local.tee', k.index]);
    w.into.push(['i32.const', bytes * columns], ['i32.lt_u'], ['br_if', 0], ['end']);
  }
  for (const local of [k, column, xk]) func.release(local);
  return sums;
}

/** Σ_k m[k] · x[k]. */
function dot(w: Writer, address: number, x: Value, lanes: number): Value {
  const { scalar, vector: f } = w.func.element;
  if (lanes === 1) {
    const total = w.func.local(scalar);
    w.into.push(get(x[0]!), ['i32.const', 0], [`${scalar}.load`, address], [`${scalar}.mul`]);
    w.into.push(set(total));
    return [total];
  }
  const known = masked(w, x, lanes);
  // Long ones have several sums, so that additions do not wait for each other.
  const count = known.length >= 8 ? 4 : known.length >= 4 ? 2 : 1;
  const sums = Array.from({ length: count }, () => w.func.local('v128'));
  known.forEach((part, c) => {
    const row: Instr[] = [
      ['i32.const', 0],
      ['v128.load', address + 16 * c],
    ];
    addProduct(w, sums[c % count]!, [get(part)], row, c < count);
  });
  for (let n = count / 2; n >= 1; n /= 2) {
    for (let c = 0; c < n; c++) {
      w.into.push(get(sums[c]!), get(sums[c + n]!), [`${f}.add`], set(sums[c]!));
    }
  }
  const total = addLanes(w, sums[0]!);
  for (const sum of sums) w.func.release(sum);
  if (known.at(-1) !== x.at(-1)) w.func.release(known.at(-1)!);
  return [total];
}

/** More chunks than this are filtered in a loop. */
const UNROLLED_CHUNKS = 32;

/**
 * y[n] = Σ_k m[k] · x[n − lanes + 1 + k] for a vector of samples n side by side: a row of weights
 * times the last samples, as they lie in memory.
 *
 * @param here     code: byte offset of the first of the samples
 * @param samples  address of the first sample that counts to it
 */
export function filter(
  w: Writer,
  weights: number,
  here: readonly Instr[],
  samples: number,
  lanes: number,
): Value {
  const { func } = w;
  const { element } = func;
  const { bytes, width } = element;
  const chunks = chunksOf(element, lanes);
  const whole = Math.floor(lanes / width);
  /** Two sums for each, so that additions do not wait for each other: by sample, and every other chunk. */
  const sums = Array.from({ length: Math.min(chunks, 2) }, () =>
    Array.from({ length: width }, () => func.local('v128')),
  );
  const [x, at, weight] = [func.local('i32'), func.local('i32'), func.local('v128')];
  const add = (c: number, base: Instr, isFirst: boolean): void => {
    // What is behind the last lane may be anything: it has to be 0 in both.
    const kept: Instr[] = c >= whole ? [maskOf(element, lanes), ['v128.and']] : [];
    w.into.push(base, ['v128.load', weights + 16 * c], ...kept, set(weight));
    sums[c % sums.length]!.forEach((sum, j) => {
      const part: Instr[] = [get(x), ['v128.load', samples + bytes * j + 16 * c], ...kept];
      addProduct(w, sum, part, [get(weight)], isFirst);
    });
  };
  w.into.push(...here, set(x));
  if (chunks <= UNROLLED_CHUNKS) {
    for (let c = 0; c < chunks; c++) add(c, ['i32.const', 0], c < sums.length);
  } else {
    const pairs = whole - (whole % 2);
    for (const sum of sums.flat()) w.into.push(ZERO, set(sum));
    w.into.push(['i32.const', 0], set(at), ['loop', pairs / 2]);
    for (const c of [0, 1]) add(c, get(at), false);
    w.into.push(get(x), ['i32.const', 32], ['i32.add'], set(x));
    w.into.push(get(at), ['i32.const', 32], ['i32.add'], ['local.tee', at.index]);
    w.into.push(['i32.const', 16 * pairs], ['i32.lt_u'], ['br_if', 0], ['end']);
    w.into.push(...here, set(x));
    for (let c = pairs; c < chunks; c++) add(c, ['i32.const', 0], false);
  }
  const [even, odd] = sums as [Local[], Local[]?];
  const add2: Instr = [`${element.vector}.add`];
  odd?.forEach((sum, j) => w.into.push(get(even[j]!), get(sum), add2, set(even[j]!)));
  const total = func.local('v128');
  addAcross(w, even, total);
  for (const local of [...sums.flat(), x, at, weight]) func.release(local);
  return [total];
}

const ZERO: Instr = ['v128.const', ...new Array<number>(16).fill(0)];

/** As many sums over lanes as there are lanes, as the lanes of one local. */
function addAcross(w: Writer, sums: readonly Local[], into: Local): void {
  const { element } = w.func;
  const add: Instr = [`${element.vector}.add`];
  const pick = (...lanes: readonly number[]): Instr => shuffle(element, ...lanes);
  const [a, b, c, d] = sums as [Local, Local, Local?, Local?];
  if (c === undefined || d === undefined) {
    w.into.push(get(a), get(b), pick(0, 2), get(a), get(b), pick(1, 3), add, set(into));
    return;
  }
  const pair = (x: Local, y: Local): Instr[] => [
    get(x),
    get(y),
    pick(0, 1, 4, 5),
    get(x),
    get(y),
    pick(2, 3, 6, 7),
    add,
  ];
  const p = w.func.local('v128');
  const q = w.func.local('v128');
  w.into.push(...pair(a, b), set(p), ...pair(c, d), set(q));
  w.into.push(get(p), get(q), pick(0, 2, 4, 6), get(p), get(q), pick(1, 3, 5, 7));
  w.into.push(add, set(into));
  w.func.release(p);
  w.func.release(q);
}

/** x[k] = Σ_r m[k·rows + r] · y[r], a vector of columns at a time. */
export function matvecT(w: Writer, m: Matrix, y: Value, scratch: () => number): Value {
  const { rows, columns } = m;
  const { func } = w;
  const { element } = func;
  const { bytes, width } = element;
  const chunks = chunksOf(element, rows);
  if (columns === 1) return dot(w, m.address, y, rows);
  const groups = chunksOf(element, columns);
  if (rows === 1) {
    // One row: a column is a number, y times the row.
    const yk = func.local('v128');
    w.into.push(...splatLane(element, y, 0), set(yk));
    const row = Array.from({ length: groups }, (_, c) => {
      const target = func.local('v128');
      w.into.push(['i32.const', 0], ['v128.load', m.address + 16 * c], get(yk), [
        `${element.vector}.mul`,
      ]);
      w.into.push(set(target));
      return target;
    });
    func.release(yk);
    return row;
  }
  const known = masked(w, y, rows);
  /** One vector of columns at a time, or two, so that additions do not wait for each other. */
  const pair = groups > 1 && chunks > 2 ? 2 : 1;
  const dots = Array.from({ length: width * pair }, () => func.local('v128'));
  const dotsAt = (base: Instr, address: number, count: number): void => {
    known.forEach((part, c) => {
      dots.slice(0, count).forEach((dot, j) => {
        const from: Instr[] = [base, ['v128.load', address + bytes * rows * j + 16 * c]];
        addProduct(w, dot, from, [get(part)], c === 0);
      });
    });
  };
  const sumsOf = (k: number): readonly Local[] => dots.slice(width * k, width * (k + 1));
  const result = Array.from({ length: groups }, () => func.local('v128'));
  if (columns * chunks <= UNROLLED) {
    for (let g = 0; g < groups; g += pair) {
      const some = result.slice(g, g + pair);
      dotsAt(['i32.const', 0], m.address + 16 * rows * g, width * some.length);
      some.forEach((target, k) => addAcross(w, sumsOf(k), target));
    }
  } else {
    const at = scratch();
    const column = func.local('i32');
    const into = func.local('i32');
    const part = func.local('v128');
    const round = (count: number): void => {
      dotsAt(get(column), m.address, width * count);
      for (let k = 0; k < count; k++) {
        addAcross(w, sumsOf(k), part);
        w.into.push(get(into), get(part), ['v128.store', at + 16 * k]);
      }
    };
    const whole = groups - (groups % pair);
    w.into.push(['i32.const', 0], set(column), ['i32.const', 0], set(into));
    w.into.push(['loop', whole / pair]);
    round(pair);
    w.into.push(get(column), ['i32.const', 16 * pair * rows], ['i32.add'], set(column));
    w.into.push(get(into), ['i32.const', 16 * pair], ['i32.add'], ['local.tee', into.index]);
    w.into.push(['i32.const', 16 * whole], ['i32.lt_u'], ['br_if', 0], ['end']);
    if (whole < groups) round(1);
    result.forEach((target, g) => {
      w.into.push(['i32.const', 0], ['v128.load', at + 16 * g], set(target));
    });
    for (const local of [column, into, part]) func.release(local);
  }
  for (const dot of dots) func.release(dot);
  if (known.at(-1) !== y.at(-1)) func.release(known.at(-1)!);
  return result;
}

/** o[k·rows + r] = a[r] · b[k]. */
export function outer(w: Writer, a: Value, b: Value, rows: number, columns: number): Value {
  const { func } = w;
  const { element } = func;
  const { scalar, vector: f } = element;
  if (rows === 1) {
    if (columns === 1) {
      const target = func.local(scalar);
      w.into.push(get(a[0]!), get(b[0]!), [`${scalar}.mul`], set(target));
      return [target];
    }
    return b.map((part) => {
      const target = func.local('v128');
      w.into.push(get(a[0]!), [`${f}.splat`], get(part), [`${f}.mul`], set(target));
      return target;
    });
  }
  const column = (k: number): Value => {
    const bk = func.local('v128');
    w.into.push(...splatLane(element, b, k), set(bk));
    const made = Array.from({ length: chunksOf(element, rows) }, (_, c) => {
      const target = func.local('v128');
      const of = a[c]!;
      w.into.push(get(of));
      if (of.type !== 'v128') w.into.push([`${f}.splat`]);
      w.into.push(get(bk), [`${f}.mul`], set(target));
      return target;
    });
    func.release(bk);
    return made;
  };
  const all = Array.from({ length: columns }, (_, k) => column(k));
  if (rows % element.width === 0) return all.flat();
  const joined = gather(
    w,
    all.flatMap((c) => lanesOf(element, c, rows)),
  );
  for (const local of all.flat()) func.release(local);
  return joined;
}

/** Signals of a training window in memory: `stride` bytes from frame to frame. */
export interface Recording {
  readonly address: number;
  readonly stride: number;
  readonly lanes: number;
}

/** Columns that are added up together, and sums in registers. */
const TILE_COLUMNS = 4;
const TILE_SUMS = 8;

/** Written one by one up to so many; then there is a loop over their columns. */
const UNROLLED_TILES = 512;

/** Bytes that a tile lies further on, in the second signal and in the matrix. */
interface Moved {
  readonly column: Local;
  readonly place: Local;
}

/** Most frames that are added up in single precision before they go to the sum of all. */
const SUM_FRAMES = 256;
/** What all tiles read of both signals at a time: it stays in the nearest cache. */
const PIECE_BYTES = 24576;

/**
 * into[k·rows + r] = Σ_n a[n][r] · b[n][k] over `frames` frames: a matrix product, a piece of the
 * window at a time, tile by tile, each tile in registers.
 */
export function sumOuter(
  w: Writer,
  a: Recording,
  b: Recording,
  frames: number,
  into: number,
): void {
  if (a.lanes === 1 && b.lanes > 1) {
    sumOuter(w, b, a, frames, into);
    return;
  }
  const { func } = w;
  const { element } = func;
  const { width } = element;
  const chunks = chunksOf(element, a.lanes);
  const [ia, ib] = [func.local('i32'), func.local('i32')];
  /** Where this piece begins and ends in `a`, and where it begins in `b`. */
  const [begin, end, beginB] = [func.local('i32'), func.local('i32'), func.local('i32')];
  const bk = func.local('v128');
  const bytes = element.bytes * a.lanes * b.lanes;
  const fitting = Math.floor(PIECE_BYTES / (a.stride + b.stride));
  const piece = Math.max(16, Math.min(SUM_FRAMES, fitting));
  const pieces = Math.ceil(frames / piece);
  // What is made in one go is put where it goes, not added to what is there.
  const isWhole = pieces === 1;
  if (!isWhole) {
    w.into.push(['i32.const', into], ['i32.const', 0], ['i32.const', bytes], ['memory.fill']);
  }
  w.into.push(['i32.const', 0], set(begin), ['i32.const', 0], set(beginB));
  if (!isWhole) w.into.push(['loop', pieces]);
  w.into.push(get(begin), ['i32.const', a.stride * piece], ['i32.add'], set(end));
  w.into.push(get(end), ['i32.const', a.stride * frames], get(end));
  w.into.push(['i32.const', a.stride * frames], ['i32.lt_u'], ['select'], set(end));
  const most = Math.floor(TILE_SUMS / Math.min(TILE_COLUMNS, b.lanes));
  /** All rows of some columns, in a loop over columns `moved` further on. */
  const tiles = (k: number, columns: number, moved: Moved | null): void => {
    const further: Instr[] = moved === null ? [] : [get(moved.column), ['i32.add']];
    for (let c = 0; c < chunks; c += most) {
      const rows = Math.min(most, chunks - c);
      const sums = Array.from({ length: rows * columns }, () => func.local('v128'));
      // With one column a part is needed once: no register waits with it.
      const isOne = columns === 1;
      const parts = Array.from({ length: isOne ? 0 : rows }, () => func.local('v128'));
      const mnemonic = a.lanes === 1 ? element.loadSplat : 'v128.load';
      const part = (row: number): Instr[] => [get(ia), [mnemonic, a.address + 16 * (c + row)]];
      w.into.push(get(begin), set(ia), get(beginB), ...further, set(ib));
      for (const sum of sums) w.into.push(ZERO, set(sum));
      if (frames > 1) w.into.push(['loop', frames / pieces]);
      parts.forEach((local, row) => w.into.push(...part(row), set(local)));
      for (let j = 0; j < columns; j++) {
        w.into.push(get(ib), [element.loadSplat, b.address + element.bytes * (k + j)], set(bk));
        for (let row = 0; row < rows; row++) {
          const one = isOne ? part(row) : [get(parts[row]!)];
          addProduct(w, sums[j * rows + row]!, one, [get(bk)], false);
        }
      }
      w.into.push(get(ib), ['i32.const', b.stride], ['i32.add'], set(ib));
      w.into.push(get(ia), ['i32.const', a.stride], ['i32.add'], ['local.tee', ia.index]);
      w.into.push(get(end), ['i32.lt_u'], ...(frames > 1 ? AGAIN : DROP));
      for (let j = 0; j < columns; j++) {
        for (let i = 0; i < rows; i++) {
          const address = into + element.bytes * ((k + j) * a.lanes + width * (c + i));
          const lanes = Math.min(width, a.lanes - width * (c + i));
          const put = isWhole ? storeTo : addTo;
          put(w, moved?.place ?? null, address, sums[j * rows + i]!, lanes);
        }
      }
      for (const local of [...sums, ...parts]) func.release(local);
    }
    if (moved !== null) w.into.push(get(ib), get(moved.column), ['i32.sub'], set(ib));
  };
  const wholes = Math.floor(b.lanes / TILE_COLUMNS);
  let next = 0;
  if (wholes * Math.ceil(chunks / most) > UNROLLED_TILES) {
    const moved = { column: func.local('i32'), place: func.local('i32') };
    const size = element.bytes * TILE_COLUMNS * a.lanes;
    w.into.push(['i32.const', 0], set(moved.column), ['i32.const', 0], set(moved.place));
    w.into.push(['loop', wholes]);
    tiles(0, TILE_COLUMNS, moved);
    w.into.push(get(moved.column), ['i32.const', element.bytes * TILE_COLUMNS], ['i32.add']);
    w.into.push(set(moved.column), get(moved.place), ['i32.const', size], ['i32.add']);
    w.into.push(['local.tee', moved.place.index], ['i32.const', size * wholes], ['i32.lt_u']);
    w.into.push(['br_if', 0], ['end']);
    func.release(moved.column);
    func.release(moved.place);
    next = wholes * TILE_COLUMNS;
  }
  for (; next < b.lanes; next += TILE_COLUMNS) {
    tiles(next, Math.min(TILE_COLUMNS, b.lanes - next), null);
  }
  if (!isWhole) {
    w.into.push(get(ib), set(beginB), get(end), ['local.tee', begin.index]);
    w.into.push(['i32.const', a.stride * frames], ['i32.lt_u'], ...AGAIN);
  }
  for (const local of [ia, ib, begin, end, beginB, bk]) func.release(local);
}

/** The end of a loop that runs again while what is on the stack says so, and what needs no loop. */
const AGAIN: readonly Instr[] = [['br_if', 0], ['end']];
const DROP: readonly Instr[] = [['drop']];

/** Adds the first `lanes` lanes to what is in memory, `place` bytes further on. */
function addTo(w: Writer, place: Local | null, address: number, sum: Local, lanes: number): void {
  const { bytes, scalar, vector: f, width } = w.func.element;
  const at: Instr = place === null ? ['i32.const', 0] : get(place);
  if (lanes === width) {
    w.into.push(at, at, ['v128.load', address]);
    w.into.push(get(sum), [`${f}.add`], ['v128.store', address]);
    return;
  }
  for (let lane = 0; lane < lanes; lane++) {
    const here = address + bytes * lane;
    w.into.push(at, at, [`${scalar}.load`, here]);
    w.into.push(get(sum), [`${f}.extract_lane`, lane], [`${scalar}.add`]);
    w.into.push([`${scalar}.store`, here]);
  }
}

/** Stores the first `lanes` lanes, `place` bytes further on. */
function storeTo(w: Writer, place: Local | null, address: number, sum: Local, lanes: number): void {
  const { bytes, scalar, vector: f, width } = w.func.element;
  const at: Instr = place === null ? ['i32.const', 0] : get(place);
  if (lanes === width) {
    w.into.push(at, get(sum), ['v128.store', address]);
    return;
  }
  for (let lane = 0; lane < lanes; lane++) {
    w.into.push(at, get(sum), [`${f}.extract_lane`, lane]);
    w.into.push([`${scalar}.store`, address + bytes * lane]);
  }
}
