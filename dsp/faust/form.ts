/**
 * Reads libfaust's shared normal form, the text of a signal graph in single assignments:
 *
 *     ID_3 = ID_2';
 *     ID_4 = ID_0*ID_3;
 *     ID_6 = letrec(W3 = (ID_5));
 *     SIG = (ID_7);
 *
 * Invariant: in a Form names, projections and delays by 0 are gone: a node is known by its number,
 * a recursion is a cycle through `@` or `prefix`, and every node is one that an output needs, or a
 * widget. It gives no meaning to operations: `lower.ts` does.
 */

import { diagnostic, fail, ok } from '../diagnostic.ts';
import type { Result } from '../diagnostic.ts';
import { WIDGET_KINDS } from './program.ts';
import type { FaustProgram, Widget, WidgetKind } from './program.ts';

/** A number of a node in its form. */
export type FormId = number;

export interface FormNode {
  /**
   * `whole`, `number`, `input`, `symbol` and `label` have no operands; `@` is a signal and by how many
   * samples it is delayed; binary operators and functions are called as they are written.
   */
  readonly op: string;
  readonly args: readonly FormId[];
  /** Of `whole`, `number` and `input` (from 0). */
  readonly value: number;
  /** Of `symbol` and `label`. */
  readonly text: string;
}

export interface Form {
  readonly nodes: readonly FormNode[];
  readonly outputs: readonly FormId[];
}

const TOKEN =
  /\s*(?:("(?:[^"\\]|\\.)*")|((?:\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+|\.\d+)f?|\d+|inf(?:\.0)?f?(?!\w)|nan(?!\w))|IN\[(\d+)\]|([A-Za-z_]\w*)|(<<|>>|>=|<=|==|!=|[-+*/%<>&|^@'(),=;]))/gy;

const BINARY: ReadonlySet<string> = new Set('+ - * / % < > <= >= == != & | ^ << >> @'.split(' '));

type Token =
  | { readonly kind: 'label' | 'name' | 'sign'; readonly text: string }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'input'; readonly text: string };

class Unreadable extends Error {}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) {
      if (text.slice(at).trim() === '') break;
      throw new Unreadable(`"${text.slice(at, at + 40)}"`);
    }
    const [, label, number, input, name, sign] = match;
    if (label !== undefined) found.push({ kind: 'label', text: label.slice(1, -1) });
    else if (number !== undefined) found.push({ kind: 'number', text: number });
    else if (input !== undefined) found.push({ kind: 'input', text: input });
    else if (name !== undefined) found.push({ kind: 'name', text: name });
    else found.push({ kind: 'sign', text: sign! });
  }
  return found;
}

/** A node as it is read: what it names is found when all lines are known. */
interface RawNode {
  readonly op: string;
  readonly args: readonly number[];
  readonly value: number;
  readonly text: string;
}

const PROJECTION = /^proj(\d+)$/u;
const REFERENCE = /^ID_\d+$/u;

/** Reads line by line into nodes that still name each other. */
class Reader {
  readonly nodes: RawNode[] = [];
  /** Lines by name. */
  readonly lines = new Map<string, number>();
  /** Bodies of recursive groups by name. */
  readonly groups = new Map<string, readonly number[]>();
  readonly #leaves = new Map<string, number>();
  #tokens: readonly Token[] = [];
  #place = 0;

  expression(text: string): number {
    this.#tokens = tokens(text);
    this.#place = 0;
    const node = this.#expression();
    const rest = this.#tokens[this.#place];
    if (rest !== undefined && rest.text !== ';') throw new Unreadable(`"${text}"`);
    return node;
  }

  /** `(a, b)` or `a`. */
  list(text: string): readonly number[] {
    this.#tokens = tokens(text);
    this.#place = 0;
    return this.#isNext('(') ? this.#operands() : [this.#expression()];
  }

  #expression(): number {
    const first = this.#primary();
    const sign = this.#tokens[this.#place];
    if (sign?.kind !== 'sign' || !BINARY.has(sign.text)) return first;
    this.#place++;
    return this.#add(sign.text, [first, this.#primary()]);
  }

  #primary(): number {
    let node = this.#atom();
    while (this.#isNext("'")) {
      this.#place++;
      node = this.#add('@', [node, this.#leaf('whole', 1)]);
    }
    return node;
  }

  #atom(): number {
    const token = this.#tokens[this.#place++];
    switch (token?.kind) {
      case undefined:
        throw new Unreadable('the end of a line');
      case 'label':
        return this.#leaf('label', 0, token.text);
      case 'number':
        return this.#number(token.text, 1);
      case 'input':
        return this.#leaf('input', Number(token.text));
      case 'name':
        return this.#named(token.text);
      case 'sign': {
        if (token.text === '(') {
          this.#place--;
          const inside = this.#operands();
          return inside.length === 1 ? inside[0]! : this.#add('list', inside);
        }
        const number = this.#tokens[this.#place];
        if (token.text === '-' && number?.kind === 'number') {
          this.#place++;
          return this.#number(number.text, -1);
        }
        throw new Unreadable(`"${token.text}"`);
      }
    }
  }

  #named(name: string): number {
    if (!this.#isNext('(')) return this.#leaf(REFERENCE.test(name) ? 'line' : 'symbol', 0, name);
    if (name !== 'letrec') return this.#add(name, this.#operands());
    this.#place++;
    const group = this.#tokens[this.#place++]!.text;
    this.#expect('=');
    this.groups.set(group, this.#operands());
    this.#expect(')');
    return this.#leaf('symbol', 0, group);
  }

  #operands(): number[] {
    this.#expect('(');
    const found: number[] = [];
    if (this.#isNext(')')) {
      this.#place++;
      return found;
    }
    for (;;) {
      found.push(this.#expression());
      if (!this.#isNext(',')) break;
      this.#place++;
    }
    this.#expect(')');
    return found;
  }

  #number(text: string, sign: 1 | -1): number {
    const isReal = /[.einf]/u.test(text);
    const size = text.startsWith('inf')
      ? Infinity
      : text === 'nan'
        ? Number.NaN
        : Number(text.replace(/f$/u, ''));
    return this.#leaf(isReal ? 'number' : 'whole', isReal ? sign * size : (sign * size) | 0);
  }

  #isNext(sign: string): boolean {
    const token = this.#tokens[this.#place];
    return token?.kind === 'sign' && token.text === sign;
  }

  #expect(sign: string): void {
    if (!this.#isNext(sign)) {
      const got = this.#tokens[this.#place]?.text ?? 'the end of a line';
      throw new Unreadable(`"${got}" where "${sign}" belongs`);
    }
    this.#place++;
  }

  #leaf(op: string, value: number, text = ''): number {
    const key = `${op}|${Object.is(value, -0) ? '-0' : value}|${text}`;
    const known = this.#leaves.get(key);
    if (known !== undefined) return known;
    const id = this.#add(op, [], value, text);
    this.#leaves.set(key, id);
    return id;
  }

  #add(op: string, args: readonly number[], value = 0, text = ''): number {
    return this.nodes.push({ op, args, value, text }) - 1;
  }
}

const LINE = /^(ID_\d+|SIG) = (.*)$/u;

const forms = new WeakMap<FaustProgram, Result<Form>>();

/** The form of a program, read once. */
export function formOf(program: FaustProgram): Result<Form> {
  const known = forms.get(program);
  if (known !== undefined) return known;
  const form = readForm(program.form);
  forms.set(program, form);
  return form;
}

/**
 * The form of a text.
 *
 * @returns FAUST_UNSUPPORTED where the text is not a normal form. Cost: linear.
 */
export function readForm(text: string): Result<Form> {
  const reader = new Reader();
  try {
    let outputs: readonly number[] | undefined;
    for (const line of text.split('\n')) {
      const [, name, body] = LINE.exec(line) ?? [];
      if (name === undefined || body === undefined) continue;
      if (name === 'SIG') outputs = reader.list(body);
      else reader.lines.set(name, reader.expression(body));
    }
    if (outputs === undefined) throw new Unreadable('no line of outputs');
    return ok(resolve(reader, outputs));
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const message = `the normal form of the program cannot be read: ${error.message}`;
    return fail(diagnostic('FAUST_UNSUPPORTED', '', message));
  }
}

/** Follows names to the nodes that they stand for, and keeps what is needed. */
function resolve({ nodes, lines, groups }: Reader, outputs: readonly number[]): Form {
  const groupOf = (id: number): string => {
    let node = nodes[id]!;
    while (node.op === 'line') node = nodes[lines.get(node.text) ?? -1] ?? lost(node.text);
    return node.text;
  };
  const meant = (id: number): number => {
    let at = id;
    for (let hops = 0; hops <= nodes.length; hops++) {
      const { op, args, text } = nodes[at]!;
      const projection = PROJECTION.exec(op)?.[1];
      if (op === 'line') at = lines.get(text) ?? lost(text);
      else if (projection !== undefined) {
        const group = groupOf(args[0]!);
        at = groups.get(group)?.[Number(projection)] ?? lost(group);
      } else if (op === '@' && isZero(args[1]!)) at = args[0]!;
      else return at;
    }
    return lost('a recursion without a delay');
  };
  const isZero = (id: number): boolean => {
    const { op, value, text } = nodes[id]!;
    return op === 'line' ? isZero(lines.get(text) ?? lost(text)) : op === 'whole' && value === 0;
  };

  const needed = new Set(outputs.map(meant));
  for (const id of needed) for (const arg of nodes[id]!.args) needed.add(meant(arg));
  const order = [...needed].toSorted((a, b) => a - b);
  const numbers = new Map(order.map((id, number) => [id, number]));
  const numberOf = (id: number): FormId => numbers.get(meant(id))!;
  return {
    nodes: order.map((id) => {
      const { op, args, value, text } = nodes[id]!;
      return { op, args: args.map(numberOf), value, text };
    }),
    outputs: outputs.map(numberOf),
  };
}

function lost(name: string): never {
  throw new Unreadable(`"${name}" is not defined`);
}

const isWidgetKind = (op: string): op is WidgetKind =>
  (WIDGET_KINDS as readonly string[]).includes(op);

/** What a widget is known by: two that differ in anything are two. */
export const keyOfWidget = ({ kind, path, initial, min, max, step }: Widget): string =>
  [kind, path, initial, min, max, step].join('|');

/** The widget that a node is, if it is one. */
export function widgetOf({ nodes }: Form, id: FormId): Widget | undefined {
  const { op, args } = nodes[id]!;
  if (!isWidgetKind(op)) return undefined;
  const [label, ...numbers] = args.map((arg) => nodes[arg]!);
  const at = (k: number): number => numbers[k]?.value ?? 0;
  const path = label?.text ?? '';
  switch (op) {
    case 'hslider':
    case 'vslider':
    case 'nentry':
      return { kind: op, path, initial: at(0), min: at(1), max: at(2), step: at(3) };
    case 'hbargraph':
    case 'vbargraph':
      return { kind: op, path, initial: 0, min: at(0), max: at(1), step: 0 };
    case 'button':
    case 'checkbox':
      return { kind: op, path, initial: 0, min: 0, max: 1, step: 1 };
    case 'soundfile':
      return { kind: op, path, initial: 0, min: 0, max: 0, step: 0 };
  }
}

/** Every widget once, in the order of the text. */
export function widgetsOf(form: Form): readonly Widget[] {
  const found = new Map<string, Widget>();
  form.nodes.forEach((_node, id) => {
    const widget = widgetOf(form, id);
    if (widget !== undefined && !found.has(keyOfWidget(widget))) {
      found.set(keyOfWidget(widget), widget);
    }
  });
  return [...found.values()];
}

/** How many device inputs a program looks at: the highest, counted from 1. */
export const inputsOf = ({ nodes }: Form): number =>
  nodes.reduce((most, { op, value }) => (op === 'input' ? Math.max(most, value + 1) : most), 0);
