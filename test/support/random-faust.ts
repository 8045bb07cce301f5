/**
 * Random Faust programs, as text, that libfaust can compile too.
 *
 * Whatever the seed, a program stays finite and bounded whatever comes in: divisors are away from 0,
 * real recursions contract, tables are read where they are, and a delay has a length that can be
 * told. Ints may overflow, and what compares or rounds reals may hang on their last bit. Same seed,
 * same text.
 */

import { random } from './random-graph.ts';

export const FAUST_INPUTS = 2;

type Kind = 'int' | 'real';

interface Scope {
  readonly int: string[];
  readonly real: string[];
}

const INTS = [
  '0',
  '1',
  '2',
  '3',
  '7',
  '13',
  '100',
  '65537',
  '2147483647',
  '(0-5)',
  '(0-2147483647)',
];
const REALS = ['0.5', '1.0', '0.25', '2.0', '0.1', '(0-0.3)', '1.7', '3.0', '0.01'];
const DIVISORS = ['3', '7', '(0-5)', '10', '64', '1'];

/** A real that stays within ±1, whatever it is made of. */
const tame = (x: string): string => `sin(${x})`;

class Writer {
  readonly lines: string[] = [];
  readonly #next: () => number;
  #names = 0;
  #controls = 0;

  constructor(seed: number) {
    this.#next = random(seed);
  }

  below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)]!;
  }

  chance(share: number): boolean {
    return this.#next() < share;
  }

  name(): string {
    return `v${this.#names++}`;
  }

  /** A name for an expression. */
  define(scope: Scope, kind: Kind, text: string, lines = this.lines): string {
    const name = this.name();
    lines.push(`${name} = ${text};`);
    scope[kind].push(name);
    return name;
  }

  int(scope: Scope): string {
    return this.chance(0.15) || scope.int.length === 0 ? this.pick(INTS) : this.known(scope.int);
  }

  real(scope: Scope): string {
    return this.chance(0.1) || scope.real.length === 0 ? this.pick(REALS) : this.known(scope.real);
  }

  /** One of the last few, or any. */
  known(names: readonly string[]): string {
    return this.pick(this.chance(0.6) ? names.slice(-4) : names);
  }

  /** An int within 0 and a limit, which is one less than a power of 2. */
  place(scope: Scope, last: number): string {
    const index = this.int(scope);
    return this.chance(0.5) ? `(${index} & ${last})` : `min(${last}, max(0, ${index}))`;
  }

  slider(): { readonly kind: Kind; readonly text: string } {
    const label = `c${this.#controls++}`;
    const widget = this.pick(['hslider', 'vslider', 'nentry']);
    const kinds: readonly (() => { kind: Kind; text: string })[] = [
      () => ({ kind: 'real', text: `${widget}("${label}", 0.3, -1, 1, 0.01)` }),
      () => ({ kind: 'real', text: `${widget}("${label}", 3, 0, 10, 1)` }),
      () => ({ kind: 'real', text: `checkbox("${label}")` }),
      () => ({ kind: 'int', text: `int(${widget}("${label}", 3, 0, 10, 1))` }),
      () => ({ kind: 'real', text: `hgroup("g", button("${label}"))` }),
    ];
    return this.pick(kinds)();
  }

  intExpression(scope: Scope): string {
    const a = this.int(scope);
    const b = this.int(scope);
    const kinds: readonly (() => string)[] = [
      () => `${a} ${this.pick(['+', '-', '*'])} ${b}`,
      () => `${a} ${this.pick(['+', '-', '*'])} ${b}`,
      () => `${a} ${this.pick(['&', '|', 'xor'])} ${b}`,
      () => `${a} ${this.pick(['<<', '>>'])} ${this.chance(0.5) ? this.below(32) : `(${b} & 31)`}`,
      () => `${a} % ${this.chance(0.5) ? this.pick(DIVISORS) : `((${b} & 15) + 1)`}`,
      () => `${a} ${this.pick(['<', '>', '<=', '>=', '==', '!='])} ${b}`,
      () => `${this.real(scope)} ${this.pick(['<', '>', '<=', '>='])} ${this.real(scope)}`,
      () => `int(${tame(this.real(scope))} * ${this.pick(['10', '1000', '3', '1e6'])})`,
      () => `${this.pick(['min', 'max'])}(${a}, ${b})`,
      () => `abs(${a})`,
      () => `select2(${this.int(scope)}, ${a}, ${b})`,
      () => `select2(${this.int(scope)} > ${this.int(scope)}, ${a}, ${b})`,
      () => `select3(${this.int(scope)} & 1, ${a}, ${b}, ${this.int(scope)})`,
      () => `pow(${a} % 10, ${this.below(6)})`,
      () => `pow((${a} & 7) + 1, (${b} & 15) - ${this.below(10)})`,
      () => this.past(a, scope),
      () => `prefix(${this.below(9)}, ${a})`,
      () =>
        `rdtable(16, ${this.pick(['(+(3)~_)', '(+(1)~*(5))', '7', '((+(1)~_) : %(5))'])}, ${this.place(scope, 15)})`,
      () => `rwtable(8, ${this.below(3)}, ${this.place(scope, 7)}, ${a}, ${this.place(scope, 7)})`,
      () => `(waveform{${this.numbers(() => `${this.below(100)}`)}} : !, _)`,
      () =>
        `(waveform{${this.numbers(() => `${this.below(100)}`, 8)}}, ${this.place(scope, 7)} : rdtable)`,
      () => `sum(i, ${1 + this.below(4)}, ${a} * (i + 1))`,
      () => `(${a}, ${b} : route(2, 1, ${1 + this.below(2)}, 1))`,
      () => `int(${this.real(scope)} > 0.1)`,
      () => `attach(${a}, ${tame(this.real(scope))} : hbargraph("b${this.#controls++}", -1, 1))`,
    ];
    return this.pick(kinds)();
  }

  realExpression(scope: Scope): string {
    const a = this.real(scope);
    const b = this.real(scope);
    const kinds: readonly (() => string)[] = [
      () => tame(`${a} + ${b}`),
      () => `0.5 * (${a} - ${b})`,
      () => `${tame(a)} * ${b}`,
      () => `${a} / (1.5 + abs(${b}))`,
      () => `${a} / (0.5 + ${b} * ${b})`,
      () => `float(${this.int(scope)}) * 4e-10`,
      () => `float(${this.int(scope)} & 1023) * 0.001`,
      () => `(${this.int(scope)} & 255) / 100`,
      () => `(${this.int(scope)} & 15) * ${tame(a)}`,
      () => `${this.pick(['min', 'max'])}(${a}, ${b})`,
      () => `${this.pick(['min', 'max'])}(${a}, ${this.int(scope)} & 3)`,
      () => `abs(${a})`,
      () => `${this.pick(['cos', 'sin', 'atan'])}(${a})`,
      () => `exp(${tame(a)})`,
      () => `tan(0.7 * ${tame(a)})`,
      () => `${this.pick(['log', 'log10'])}(1.1 + abs(${a}))`,
      () => `sqrt(abs(${a}) + 0.01)`,
      () => `${this.pick(['asin', 'acos'])}(0.9 * ${tame(a)})`,
      () => `atan2(${a}, 0.2 + abs(${b}))`,
      () => `pow(0.2 + abs(${tame(a)}), ${tame(b)} * 2)`,
      () => `pow(${tame(a)}, ${this.below(4)})`,
      () => `${this.pick(['floor', 'ceil', 'rint'])}(${a} * 3) * 0.3`,
      () => `fmod(${a}, ${this.pick(['0.7', '1.0', '2.5'])})`,
      () => `(${a} * 4) % ${this.pick(['1.5', '3', '2.0'])}`,
      () => `select2(${this.int(scope)}, ${a}, ${b})`,
      () => `select2(${a} < ${b}, ${a}, ${b})`,
      () => this.past(a, scope),
      () => `prefix(${this.pick(['1', '0.5', '0-0.25'])}, ${a})`,
      () =>
        `rdtable(64, ${this.pick(['(+(1)~_) * 0.01', 'sin(float(+(1)~_) * 0.1)', '0.5'])}, ${this.place(scope, 63)})`,
      () => `rwtable(16, 0.25, ${this.place(scope, 15)}, ${a}, ${this.place(scope, 15)})`,
      () =>
        `(waveform{${this.numbers(() => `${this.pick(['', '-'])}${this.below(40)}.${this.below(99)}`)}} : !, _) * 0.02`,
      () =>
        `(waveform{${this.numbers(() => `0.${this.below(99)}`, 16)}}, ${this.place(scope, 15)} : rdtable)`,
      () => `sum(i, ${1 + this.below(4)}, ${tame(`${a} * (i + 0.5)`)} * 0.4)`,
      () => `prod(i, ${1 + this.below(3)}, ${tame(`${a} + i`)})`,
      () => `(${a} : seq(i, ${1 + this.below(4)}, *(0.8) : +(0.1 * i)))`,
      () => `(${a}, ${b} <: route(4, 2, 1, 2, 2, 1, 3, 1) :> - : *(0.3))`,
      () => `attach(${a}, ${tame(b)} : vbargraph("b${this.#controls++}", -1, 1))`,
    ];
    return this.pick(kinds)();
  }

  past(x: string, scope: Scope): string {
    const kinds: readonly (() => string)[] = [
      () => `${x}'`,
      () => `${x}''`,
      () => `${x}@${this.below(40)}`,
      () => `(${x}) @ (${this.place(scope, 31)})`,
      () => `${x} @ (1 + (${this.place(scope, 15)}))`,
      () => `(${x} : mem)`,
    ];
    return this.pick(kinds)();
  }

  numbers(one: () => string, count = 1 + this.below(6)): string {
    return Array.from({ length: count }, one).join(', ');
  }

  /** Some definitions in a scope of their own, and the names in it. */
  body(outer: Scope, own: Scope, count: number, depth: number): { lines: string[]; scope: Scope } {
    const scope: Scope = { int: [...outer.int, ...own.int], real: [...outer.real, ...own.real] };
    // What is own shall be used.
    for (let k = 0; k < 3; k++) {
      scope.int.push(...own.int);
      scope.real.push(...own.real);
    }
    const lines: string[] = [];
    for (let k = 0; k < count; k++) this.statement(scope, lines, depth);
    return { lines, scope };
  }

  statement(scope: Scope, lines: string[], depth: number): void {
    const kind = this.#next();
    if (kind < 0.08) {
      const { kind: type, text } = this.slider();
      this.define(scope, type, text, lines);
    } else if (kind < 0.25 && depth < 2) this.recursion(scope, lines, depth);
    else if (kind < 0.6) this.define(scope, 'real', this.realExpression(scope), lines);
    else this.define(scope, 'int', this.intExpression(scope), lines);
  }

  /** One to three values that depend on each other's past. */
  recursion(scope: Scope, lines: string[], depth: number): void {
    const types = Array.from({ length: 1 + this.below(3) }, () => this.pick<Kind>(['int', 'real']));
    const names = types.map(() => this.name());
    const own: Scope = { int: [], real: [] };
    names.forEach((name, k) => own[types[k]!].push(name));
    const inside = this.body(scope, own, 1 + this.below(4), depth + 1);
    const results = types.map((type) =>
      type === 'int'
        ? this.int(inside.scope)
        : `0.2 * ${tame(this.real(inside.scope))} + 0.3 * ${this.real(own)} + 0.2 * ${tame(this.real(scope))}`,
    );
    const local = inside.lines.length === 0 ? '' : ` with { ${inside.lines.join(' ')} }`;
    const function_ = this.name();
    const wires = names.map(() => '_').join(', ');
    lines.push(`${function_} = (${function_}f ~ (${wires})) with {`);
    lines.push(`  ${function_}f(${names.join(', ')}) = (${results.join(', ')})${local};`, '};');
    types.forEach((type, k) => {
      const cuts = types.map((_type, at) => (at === k ? '_' : '!')).join(', ');
      this.define(scope, type, `(${function_} : ${cuts})`, lines);
    });
  }
}

/** The text of a program with two inputs and up to five outputs. */
export function randomFaust(seed: number): string {
  const writer = new Writer(seed);
  const inputs = Array.from({ length: FAUST_INPUTS }, (_, k) => `x${k}`);
  const scope: Scope = { int: [], real: inputs };
  const { lines, scope: all } = writer.body({ int: [], real: [] }, scope, 4 + writer.below(12), 0);
  const outputs = [...all.real.slice(-3), ...all.int.slice(-2)];
  return [
    `process(${inputs.join(', ')}) = ${outputs.join(', ')}`,
    'with {',
    ...lines.map((line) => `  ${line}`),
    '};',
  ].join('\n');
}
