/**
 * Writes other defaults into the sliders of a Faust text, and touches nothing else of it.
 *
 * Which call of a text makes which slider of a program, only its evaluation knows: labels are put
 * together of groups, repeated by `par`, and renamed on the way. So every call gets a name of its own
 * in the metadata of its label, and the evaluation of the named text tells.
 *
 * Invariant: comments, formatting and all arguments but the default stay as they are, character by
 * character. Whether the new text is the same program, `isSameBut` says of its evaluation. Pure:
 * `server/faust/export.ts` evaluates.
 */

import { keyOfWidget, widgetOf, widgetsOf } from './form.ts';
import type { Form, FormId, FormNode } from './form.ts';
import type { Widget } from './program.ts';
import { sourceTokens } from './source.ts';
import type { SourceToken } from './source.ts';

/** Where a text makes a slider, or several. */
export interface SliderCall {
  /** The end of the label, before its quotation mark. */
  readonly label: number;
  /** The default, without what is white around it. */
  readonly from: number;
  readonly to: number;
}

const SLIDERS: ReadonlySet<string> = new Set(['hslider', 'vslider', 'nentry']);

export const isSlider = ({ kind }: Widget): boolean => SLIDERS.has(kind);

/** All calls in the order of the text. Cost: linear. */
export function sliderCalls(code: string): readonly SliderCall[] {
  const tokens = [...sourceTokens(code)].filter(({ kind }) => kind !== 'gap');
  const is = (token: SourceToken | undefined, text: string): boolean =>
    token !== undefined && token.kind === 'sign' && code[token.start] === text;
  return tokens.flatMap(({ kind, start, end }, k): SliderCall[] => {
    if (kind !== 'word' || !SLIDERS.has(code.slice(start, end))) return [];
    const label = tokens[k + 2];
    if (!is(tokens[k + 1], '(') || label?.kind !== 'string' || !is(tokens[k + 3], ',')) return [];
    const first = k + 4;
    let last = first;
    for (let depth = 0; last < tokens.length; last++) {
      const sign = tokens[last]!.kind === 'sign' ? code[tokens[last]!.start]! : '';
      if (depth === 0 && (sign === ',' || sign === ')')) break;
      if ('([{'.includes(sign) && sign !== '') depth++;
      else if (')]}'.includes(sign) && sign !== '') depth--;
    }
    const [from, to] = [tokens[first], tokens[last - 1]];
    if (last === first || last === tokens.length || from === undefined || to === undefined)
      return [];
    return [{ label: label.end - 1, from: from.start, to: to.end }];
  });
}

const TAG = /\[livegrad_call:(\d+)\]/gu;

/** The text with a name for each call: its place in the list. */
export function withTags(code: string, calls: readonly SliderCall[]): string {
  const parts = calls.map(
    ({ label }, k) => `${code.slice(calls[k - 1]?.label ?? 0, label)}[livegrad_call:${k}]`,
  );
  return parts.join('') + code.slice(calls.at(-1)?.label ?? 0);
}

/** The widget as it is without names, and the call that made it; null where none of ours did. */
export function untagged(widget: Widget): { readonly key: string; readonly call: number | null } {
  const [, call] = TAG.exec(widget.path) ?? [];
  TAG.lastIndex = 0;
  const key = keyOfWidget({ ...widget, path: widget.path.replaceAll(TAG, '') });
  return { key, call: call === undefined ? null : Number(call) };
}

/** The text with other defaults, by the places of their calls. */
export function withDefaults(
  code: string,
  calls: readonly SliderCall[],
  defaults: ReadonlyMap<number, string>,
): string {
  let [text, done] = ['', 0];
  calls.forEach(({ from, to }, k) => {
    const value = defaults.get(k);
    if (value === undefined) return;
    text += code.slice(done, from) + value;
    done = to;
  });
  return text + code.slice(done);
}

/** A number as short as it is the same in the precision of the program. */
export function numberText(value: number, double: boolean): string {
  const text = shortest(value, double);
  // A whole number of Faust has 32 bits.
  return /^-?\d+$/u.test(text) && Math.abs(value) >= 2 ** 31 ? `${text}.0` : text;
}

function shortest(value: number, double: boolean): string {
  if (double) return String(value);
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

export const isSameNumber = (a: number, b: number, double: boolean): boolean =>
  double ? Math.abs(a - b) <= 1e-14 * Math.abs(b) : Math.fround(a) === Math.fround(b);

/** Rounds of `fingerprint`: as many samples of a recursion are told apart. */
const ROUNDS = 6;

/**
 * A number for each output that says what it computes, the same however libfaust has put its sums and
 * products in order, which depends on everything else in a program: arithmetic is done with numbers
 * that stand for inputs, constants and sliders (whatever their defaults), all other operations mix
 * theirs, and what is delayed is what it was one round ago.
 *
 * Cost: linear in the form.
 */
export function fingerprint(form: Form): readonly number[] {
  const { nodes, outputs } = form;
  const isDelayed = ({ op }: FormNode): boolean => op === '@' || op === 'prefix';
  const order = orderOf(form, isDelayed);
  let before = new Float64Array(nodes.length);
  for (let round = 0; round < ROUNDS; round++) {
    const now = new Float64Array(nodes.length);
    const mixed = (op: string, values: readonly number[]): number =>
      Math.sin(
        values.reduce((sum, x, k) => sum + small(x) * WEIGHTS[k % WEIGHTS.length]!, hash(op)),
      );
    nodes.forEach((node, id) => {
      if (isDelayed(node))
        now[id] = mixed(
          node.op,
          node.args.map((arg) => before[arg]!),
        );
    });
    for (const id of order) {
      const { op, args, value, text } = nodes[id]!;
      const widget = widgetOf(form, id);
      const [a = 0, b = 0] = args.map((arg) => now[arg]!);
      if (widget !== undefined) {
        const words = keyOfWidget(isSlider(widget) ? { ...widget, initial: 0 } : widget);
        now[id] = mixed(words, widget.kind.endsWith('bargraph') ? [now[args.at(-1)!]!] : []);
      } else if (op === 'number' || op === 'whole') now[id] = Number.isFinite(value) ? value : 7;
      else if (args.length === 0) now[id] = hash(`${op} ${value} ${text}`);
      else if (op === '+') now[id] = a + b;
      else if (op === '-') now[id] = args.length === 1 ? -a : a - b;
      else if (op === '*') now[id] = a * b;
      else if (op === '/') now[id] = a / b;
      // What libfaust makes of products of one number with itself.
      else if (op === 'pow' && Number.isInteger(b)) now[id] = a ** b;
      else
        now[id] = mixed(
          op,
          args.map((arg) => now[arg]!),
        );
    }
    before = now;
  }
  return outputs.map((id) => before[id]!);
}

/** Every step of a sum or mix keeps differences about as large as they are. */
const WEIGHTS = [1, 0.83, -0.71, 0.59];

/** A large number is known as well as a small one: to so many digits. */
const small = (x: number): number =>
  Number.isFinite(x) ? Math.sign(x) * Math.log1p(Math.abs(x)) : 1;

/** In 0.5..1.5, by FNV-1a. Source: G. Fowler, L. Noll, K. Vo. */
function hash(text: string): number {
  let bits = 0x811c9dc5;
  for (let k = 0; k < text.length; k++) bits = Math.imul(bits ^ text.charCodeAt(k), 0x01000193);
  return 0.5 + (bits >>> 0) / 2 ** 32;
}

/** What is not delayed, operands first. */
function orderOf({ nodes }: Form, isDelayed: (node: FormNode) => boolean): readonly FormId[] {
  const order: FormId[] = [];
  const state = new Uint8Array(nodes.length);
  nodes.forEach((_, start) => {
    const open = [start];
    for (let id = open.at(-1); id !== undefined; id = open.at(-1)) {
      if (state[id] === 2 || isDelayed(nodes[id]!)) {
        open.pop();
      } else if (state[id] === 1) {
        state[id] = 2;
        order.push(id);
        open.pop();
      } else {
        state[id] = 1;
        for (const arg of nodes[id]!.args) if (state[arg] === 0) open.push(arg);
      }
    }
  });
  return order;
}

/** Of fingerprints: constants may be folded in another order, in the precision of the program. */
const TOLERANCE = { single: 1e-3, double: 1e-9 } as const;

/**
 * Whether two forms are the same program but for the defaults of sliders, which are in the second as
 * they are to be.
 *
 * @param valueOf  of a slider of the first form, by its key
 * Cost: linear.
 */
export function isSameBut(
  before: Form,
  after: Form,
  valueOf: (key: string) => number | undefined,
  double: boolean,
): boolean {
  const now = new Map(
    widgetsOf(after).map((widget) => [keyOfWidget({ ...widget, initial: 0 }), widget.initial]),
  );
  const isRight = widgetsOf(before).every((widget) => {
    const initial = now.get(keyOfWidget({ ...widget, initial: 0 }));
    const wanted = valueOf(keyOfWidget(widget)) ?? widget.initial;
    return initial !== undefined && isSameNumber(initial, wanted, double);
  });
  if (!isRight || before.outputs.length !== after.outputs.length) return false;
  const prints = fingerprint(after);
  const tolerance = TOLERANCE[double ? 'double' : 'single'];
  return fingerprint(before).every((a, k) => {
    const b = prints[k]!;
    return Object.is(a, b) || Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(a));
  });
}

/** Longest text that definitions are written out into, characters. */
const LONGEST = 1 << 20;

/**
 * An expanded text (one definition `ID_n = …;` for everything) in which the calls stand as often as
 * they are used, each use by itself; undefined where that is too long.
 *
 * @param apart  places of the calls
 */
export function writtenOut(
  code: string,
  calls: readonly SliderCall[],
  apart: ReadonlySet<number>,
): string | undefined {
  const statements = statementsIn(code);
  const byName = new Map(statements.flatMap((one) => (one.name === '' ? [] : [[one.name, one]])));
  const holds = new Map<string, boolean>();
  const isApart = ({ start, end }: Statement): boolean =>
    calls.some(({ from }, k) => apart.has(k) && from >= start && from < end);
  // Definitions come before they are used.
  for (const one of statements) {
    const uses = one.references.some(({ name }) => holds.get(name) === true);
    holds.set(one.name, uses || isApart(one));
  }
  let length = 0;
  /** Written out so far: each is made of those before it. */
  const texts = new Map<string, string>();
  const textOf = ({ start, end, references }: Statement): string | undefined => {
    let [text, done] = ['', start];
    for (const { name, at } of references) {
      const inside = texts.get(name);
      if (inside === undefined) continue;
      text += `${code.slice(done, at)}(${inside})`;
      done = at + name.length;
      if (text.length > LONGEST) return undefined;
    }
    return text + code.slice(done, end);
  };
  const kept: string[] = [];
  for (const one of statements) {
    const text = textOf(one);
    if (text === undefined) return undefined;
    if (one.name !== '' && one.name !== 'process' && holds.get(one.name) === true) {
      texts.set(one.name, text);
    } else {
      kept.push(one.name === '' ? text : `${one.name} = ${text}`);
      length += text.length;
    }
    if (length > LONGEST) return undefined;
  }
  return byName.has('process') ? `${kept.join(';\n')};\n` : undefined;
}

interface Statement {
  /** Empty for what defines nothing. */
  readonly name: string;
  /** Of what it stands for, without the semicolon. */
  readonly start: number;
  readonly end: number;
  readonly references: readonly { readonly name: string; readonly at: number }[];
}

function statementsIn(code: string): readonly Statement[] {
  const found: Statement[] = [];
  let words: SourceToken[] = [];
  let depth = 0;
  for (const token of sourceTokens(code)) {
    if (token.kind === 'gap') continue;
    const sign = token.kind === 'sign' ? code[token.start]! : '';
    if (sign !== '' && '([{'.includes(sign)) depth++;
    if (sign !== '' && ')]}'.includes(sign)) depth--;
    if (depth > 0 || sign !== ';') {
      words.push(token);
      continue;
    }
    const [first, equals, body] = words;
    const isDefinition = equals?.kind === 'sign' && code[equals.start] === '=';
    const inside = isDefinition ? words.slice(2) : [];
    if (first !== undefined) {
      found.push({
        name: isDefinition ? code.slice(first.start, first.end) : '',
        start: (isDefinition ? body! : first).start,
        end: words.at(-1)!.end,
        references: inside.flatMap(({ kind, start, end }) => {
          const name = code.slice(start, end);
          return kind === 'word' && /^ID_\d+$/u.test(name) ? [{ name, at: start }] : [];
        }),
      });
    }
    words = [];
  }
  return found;
}
