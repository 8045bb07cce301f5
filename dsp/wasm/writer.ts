/**
 * Code in three-address form: every operation puts its result into a local of its own.
 *
 * For kernels whose loops are written by hand, not made from a graph. Invariant: a value made
 * inside of a loop's body is not read after it, so its local serves again after the loop;
 * constants are made outside of loops.
 */

import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import { isVector, realType, shuffle, splatReal } from './element.ts';
import type { Form } from './element.ts';

/** A complex number, or a vector of them. */
export interface Complex {
  readonly re: Local;
  readonly im: Local;
}

/** Where a complex number lies: a pointer, and the offsets of its parts. */
export interface Place {
  readonly pointer: Local;
  readonly re: number;
  readonly im: number;
}

export class Writer {
  readonly #func: Func;
  readonly #form: Form;
  #made: Local[] = [];

  constructor(func: Func, form: Form) {
    this.#func = func;
    this.#form = form;
  }

  emit(...code: readonly Instr[]): void {
    this.#func.append(code);
  }

  /** A pointer or a counter with this value. */
  pointer(...start: readonly Instr[]): Local {
    const local = this.#func.local('i32');
    this.emit(...start, set(local));
    return local;
  }

  advance(pointer: Local, bytes: number): void {
    this.emit(get(pointer), ['i32.const', bytes], ['i32.add'], set(pointer));
  }

  release(...pointers: readonly Local[]): void {
    for (const pointer of pointers) this.#func.release(pointer);
  }

  /** Runs the body once, and again while the counter is below the end: `rounds` times. */
  repeat(counter: Local, end: Instr, rounds: number, body: () => void): void {
    this.emit(['loop', rounds]);
    body();
    this.emit(get(counter), end, ['i32.lt_u'], ['br_if', 0], ['end']);
    for (const local of this.#made) this.#func.release(local);
    this.#made = [];
  }

  constant(value: number): Local {
    const local = this.#func.fresh(realType(this.#form));
    const { element } = this.#func;
    const form = this.#form;
    this.emit(isVector(form) ? splatReal(element, value) : [`${form}.const`, value], set(local));
    return local;
  }

  #let(...code: readonly Instr[]): Local {
    const local = this.#func.local(realType(this.#form));
    this.#made.push(local);
    this.emit(...code, set(local));
    return local;
  }

  load(pointer: Local, offset: number): Local {
    return this.#let(get(pointer), [`${realType(this.#form)}.load`, offset]);
  }

  store(pointer: Local, offset: number, value: Local): void {
    this.emit(get(pointer), get(value), [`${realType(this.#form)}.store`, offset]);
  }

  /** One number in all lanes. */
  splat(pointer: Local, offset: number): Local {
    return this.#let(get(pointer), [this.#func.element.loadSplat, offset]);
  }

  add(a: Local, b: Local): Local {
    return this.#let(get(a), get(b), [`${this.#form}.add`]);
  }

  sub(a: Local, b: Local): Local {
    return this.#let(get(a), get(b), [`${this.#form}.sub`]);
  }

  mul(a: Local, b: Local): Local {
    return this.#let(get(a), get(b), [`${this.#form}.mul`]);
  }

  /** Lanes count on from those of a to those of b. */
  shuffle(a: Local, b: Local, ...lanes: readonly number[]): Local {
    return this.#let(get(a), get(b), shuffle(this.#func.element, ...lanes));
  }

  reverse(a: Local): Local {
    return this.#func.element.width === 4
      ? this.shuffle(a, a, 3, 2, 1, 0)
      : this.shuffle(a, a, 1, 0);
  }

  /** A matrix of four columns, as it lies in memory row after row → its columns. */
  columns(a: Local, b: Local, c: Local, d: Local): [Local, Local, Local, Local] {
    if (this.#func.element.width === 4) return this.#transpose(a, b, c, d);
    return [
      this.shuffle(a, c, 0, 2),
      this.shuffle(a, c, 1, 3),
      this.shuffle(b, d, 0, 2),
      this.shuffle(b, d, 1, 3),
    ];
  }

  /** The columns of a matrix → the matrix as it lies in memory row after row. */
  rows(a: Local, b: Local, c: Local, d: Local): [Local, Local, Local, Local] {
    if (this.#func.element.width === 4) return this.#transpose(a, b, c, d);
    return [
      this.shuffle(a, b, 0, 2),
      this.shuffle(c, d, 0, 2),
      this.shuffle(a, b, 1, 3),
      this.shuffle(c, d, 1, 3),
    ];
  }

  #transpose(a: Local, b: Local, c: Local, d: Local): [Local, Local, Local, Local] {
    const lowAb = this.shuffle(a, b, 0, 4, 1, 5);
    const lowCd = this.shuffle(c, d, 0, 4, 1, 5);
    const highAb = this.shuffle(a, b, 2, 6, 3, 7);
    const highCd = this.shuffle(c, d, 2, 6, 3, 7);
    return [
      this.shuffle(lowAb, lowCd, 0, 1, 4, 5),
      this.shuffle(lowAb, lowCd, 2, 3, 6, 7),
      this.shuffle(highAb, highCd, 0, 1, 4, 5),
      this.shuffle(highAb, highCd, 2, 3, 6, 7),
    ];
  }

  read({ pointer, re, im }: Place): Complex {
    return { re: this.load(pointer, re), im: this.load(pointer, im) };
  }

  write({ pointer, re, im }: Place, value: Complex): void {
    this.store(pointer, re, value.re);
    this.store(pointer, im, value.im);
  }

  /** sum + a·b, or sum − a·b: rounded once where the function may. */
  #addProduct(sum: Local, a: Local, b: Local, sign: 1 | -1): Local {
    const form = this.#form;
    if (this.#func.fused && isVector(form)) {
      const fused: Instr = [`${form}.${sign > 0 ? 'relaxed_madd' : 'relaxed_nmadd'}`];
      return this.#let(get(a), get(b), get(sum), fused);
    }
    const product = this.mul(a, b);
    return sign > 0 ? this.add(sum, product) : this.sub(sum, product);
  }

  /** a·b */
  times(a: Complex, b: Complex): Complex {
    return {
      re: this.#addProduct(this.mul(a.re, b.re), a.im, b.im, -1),
      im: this.#addProduct(this.mul(a.re, b.im), a.im, b.re, 1),
    };
  }

  /** a·conj b */
  timesConjugate(a: Complex, b: Complex): Complex {
    return {
      re: this.#addProduct(this.mul(a.re, b.re), a.im, b.im, 1),
      im: this.#addProduct(this.mul(a.im, b.re), a.re, b.im, -1),
    };
  }
}
