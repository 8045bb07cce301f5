/**
 * How many lanes each value of a normal form has, and how often it comes: only `livegrad.lib` makes
 * anything but a number at every sample, and Faust's own operators then work lane by lane.
 *
 * Invariant: a form without a problem here is made without a misfit: rates do not mix but in `frames`,
 * `overlapAdd` and `hold`, and no recursion leads through these. A recursion has the lanes and the
 * rate of what is added to it. Cost: linear, and nothing for forms without frames.
 */

import { z } from 'zod';
import { diagnostic } from '../diagnostic.ts';
import type { Diagnostic, DspCode } from '../diagnostic.ts';
import { components } from '../ir/components.ts';
import { FRAME_LANES, MAX_TOTAL } from '../patch/lanes.ts';
import { MAX_FRAME, MAX_LANES } from '../patch/rule.ts';
import { VECTOR_SCHEMAS, ruleOf } from '../patch/vectors.ts';
import type { VectorNode } from '../patch/vectors.ts';
import { extensionOf, passedBy } from './extensions.ts';
import type { Extension } from './extensions.ts';
import type { Form, FormId } from './form.ts';
import { delayedPlace, operandsOf } from './order.ts';

/** A node of a patch that a call stands for. */
export interface LaneCall {
  readonly node: VectorNode;
  readonly operands: readonly FormId[];
}

export interface Shapes {
  readonly lanes: (id: FormId) => number;
  /** Samples from one value to the next; 0 for what is no signal. */
  readonly hop: (id: FormId) => number;
  readonly calls: ReadonlyMap<FormId, LaneCall>;
}

export interface ShapeOptions {
  /** Values that are needed, and no others. */
  readonly order: readonly FormId[];
  /** Of a value that is the same always. */
  readonly constant: (id: FormId) => number | undefined;
  /** Hz. */
  readonly sampleRate: number;
}

const NUMBERS: Shapes = { lanes: () => 1, hop: () => 1, calls: new Map() };

const nodeSchema = z.discriminatedUnion('op', VECTOR_SCHEMAS);

/** What takes numbers at every sample and nothing else, in words. */
const SAMPLES_ONLY: Readonly<Record<string, string>> = {
  sigRDTbl: 'a table',
  sigWRTbl4p: 'a table',
  length: 'a soundfile',
  rate: 'a soundfile',
  buffer: 'a soundfile',
};

/** What sums up over all lanes: a frame that Faust took for a number would have one. */
const ALL_LANES: ReadonlySet<string> = new Set(
  'sumLanes cumulativeSum softmax dot outer'.split(' '),
);

/** No signals: what never changes of itself, or is filled beforehand. */
const STILL: ReadonlySet<string> = new Set(
  'whole number label symbol soundfile hslider vslider nentry button checkbox sigGen WRTbl2p'.split(
    ' ',
  ),
);

export function shapesOf(form: Form, options: ShapeOptions, problems: Diagnostic[]): Shapes {
  const { nodes } = form;
  const hasLanes = options.order.some((id) => extensionOf(nodes[id]!.op)?.does.kind === 'lanes');
  if (!hasLanes) return NUMBERS;
  const before = problems.length;
  const finder = new Finder(form, options, problems);
  finder.settle();
  if (problems.length === before) finder.check();
  return finder.shapes;
}

class Finder {
  readonly #form: Form;
  readonly #options: ShapeOptions;
  readonly #problems: Diagnostic[];
  readonly #calls = new Map<FormId, LaneCall>();
  readonly #lanes = new Map<FormId, number>();
  readonly #hops = new Map<FormId, number>();

  constructor(form: Form, options: ShapeOptions, problems: Diagnostic[]) {
    this.#form = form;
    this.#options = options;
    this.#problems = problems;
    for (const id of options.order) {
      const extension = this.#extension(id);
      if (extension?.does.kind === 'lanes') this.#read(id, extension);
    }
  }

  get shapes(): Shapes {
    return {
      lanes: (id) => this.#lanes.get(id) ?? 1,
      hop: (id) => this.#hops.get(id) ?? 1,
      calls: this.#calls,
    };
  }

  #extension(id: FormId): Extension | undefined {
    return extensionOf(this.#form.nodes[id]!.op);
  }

  #problem(code: DspCode, message: string, hint?: string): void {
    if (this.#problems.some((problem) => problem.message === message)) return;
    this.#problems.push(diagnostic(code, 'faust.code', message, hint));
  }

  /** The node that a call stands for, if its constants are such. */
  #read(id: FormId, { name, does }: Extension): void {
    if (does.kind !== 'lanes') return;
    const { args } = this.#form.nodes[id]!;
    const { op, fields, fixed } = does;
    const given = fields.map((field, k) => [field, this.#options.constant(args[k]!)] as const);
    const unknown = given.find(([, value]) => value === undefined);
    if (unknown !== undefined) {
      this.#problem(
        'FAUST_UNSUPPORTED',
        `lg.${name}: "${unknown[0]}": expected a constant, got a signal`,
      );
      return;
    }
    const operands = args.slice(fields.length);
    const inputs = ruleOf({ op }).operands.length === 0 ? {} : { in: operands.map(() => 0) };
    const node = nodeSchema.safeParse({ op, ...inputs, ...Object.fromEntries(given), ...fixed });
    if (node.success) {
      this.#calls.set(id, { node: node.data, operands });
      return;
    }
    for (const { path, message } of node.error.issues) {
      this.#problem('FAUST_UNSUPPORTED', `lg.${name}: "${path.join('.')}": ${message}`);
    }
  }

  /** Of what a value is made, as far as its lanes and its rate go. */
  #like(id: FormId): readonly FormId[] {
    const { op, args } = this.#form.nodes[id]!;
    if (op === 'hbargraph' || op === 'vbargraph') return [args[3]!];
    if (op === 'attach' || op === '@') return [args[0]!];
    if (op === 'prefix') return [args[1]!];
    const extension = this.#extension(id);
    const passed = extension === undefined ? undefined : passedBy(extension);
    return passed === undefined ? args : [args[passed]!];
  }

  #lanesOf(id: FormId): number | undefined {
    const { op } = this.#form.nodes[id]!;
    const call = this.#calls.get(id);
    if (call !== undefined) {
      return ruleOf(call.node).lanes(
        call.node,
        call.operands.map((arg) => this.#lanes.get(arg)),
      );
    }
    if (STILL.has(op) || op === 'input' || op in SAMPLES_ONLY) return 1;
    const x = this.#like(id).map((arg) => this.#lanes.get(arg));
    return x.find((n) => n !== undefined && n > 1) ?? (x.includes(undefined) ? undefined : 1);
  }

  #hopOf(id: FormId): number | undefined {
    const { op } = this.#form.nodes[id]!;
    const call = this.#calls.get(id);
    const own = call?.node.op;
    if (call?.node.op === 'frames') return call.node.hop;
    if (own === 'overlapAdd' || own === 'hold') return 1;
    if (STILL.has(op)) return 0;
    const isAligned = this.#extension(id)?.does.kind === 'align';
    if (op === 'input' || op === 'sigWRTbl4p' || isAligned) return 1;
    const x = (call?.operands ?? this.#like(id)).map((arg) => this.#hops.get(arg));
    const signal = x.find((hop) => hop !== undefined && hop > 0);
    if (signal !== undefined) return signal;
    if (x.includes(undefined)) return undefined;
    return op === '@' || op === 'prefix' ? 1 : 0;
  }

  /** Decides every value as soon as its operands tell; a loop that nothing tells of is samples. */
  settle(): void {
    const { order } = this.#options;
    const users = new Map<FormId, FormId[]>();
    for (const id of order) {
      for (const arg of operandsOf(this.#form, id)) {
        const list = users.get(arg);
        if (list === undefined) users.set(arg, [id]);
        else list.push(id);
      }
    }
    const spread = (
      known: Map<FormId, number>,
      decide: (id: FormId) => number | undefined,
      open: FormId[],
    ): void => {
      for (let id = open.pop(); id !== undefined; id = open.pop()) {
        if (known.has(id)) continue;
        const value = decide(id);
        if (value === undefined) continue;
        known.set(id, value);
        open.push(...(users.get(id) ?? []));
      }
    };
    const kinds = [
      [this.#lanes, (id: FormId) => this.#lanesOf(id)],
      [this.#hops, (id: FormId) => this.#hopOf(id)],
    ] as const;
    for (const [known, decide] of kinds) {
      spread(known, decide, [...order]);
      for (const id of order) {
        const { op } = this.#form.nodes[id]!;
        if (known.has(id) || (op !== '@' && op !== 'prefix')) continue;
        known.set(id, 1);
        spread(known, decide, [...(users.get(id) ?? [])]);
      }
    }
  }

  check(): void {
    const { lanes, hop } = this.shapes;
    const before = this.#problems.length;
    let total = 0;
    for (const id of this.#options.order) {
      const isFrame = hop(id) > 1;
      total += hop(id) === 0 ? 0 : isFrame ? lanes(id) / FRAME_LANES : lanes(id);
      const most = isFrame ? MAX_FRAME + 2 : MAX_LANES;
      if (lanes(id) > most && hop(id) > 0) {
        this.#problem(
          'PATCH_TOO_LARGE',
          `a vector of too many lanes: expected at most ${most}, got ${lanes(id)}`,
        );
      }
      const call = this.#calls.get(id);
      if (call === undefined) this.#checkPlain(id);
      else this.#checkCall(this.#extension(id)!.name, call);
    }
    if (total > MAX_TOTAL) {
      this.#problem(
        'PATCH_TOO_LARGE',
        `all vectors together: expected at most ${MAX_TOTAL} lanes, got ${Math.ceil(total)}`,
      );
    }
    if (this.#problems.length > before) return;
    for (const id of this.#form.outputs) this.#wantsSamples('an output of the program', id);
    if (this.#problems.length === before) this.#checkRecursions();
  }

  #wantsSamples(what: string, id: FormId): void {
    const { lanes, hop } = this.shapes;
    if (lanes(id) === 1 && hop(id) <= 1) return;
    this.#problem(
      'PATCH_RATE',
      `${what}: expected a number at every sample, got ${named(lanes(id), hop(id))}`,
      BORDERS,
    );
  }

  #checkPlain(id: FormId): void {
    const { lanes, hop } = this.shapes;
    const { op, args } = this.#form.nodes[id]!;
    const only = SAMPLES_ONLY[op] ?? (op.startsWith('lgwave') ? 'a waveform' : undefined);
    if (only !== undefined) {
      for (const arg of args) this.#wantsSamples(only, arg);
      return;
    }
    const delayed = delayedPlace(op);
    if (delayed !== undefined) this.#checkLoop(id, args[delayed]!);
    if (op === '@') {
      if (this.#options.constant(args[1]!) !== undefined) return;
      for (const arg of args) this.#wantsSamples('a delay of moving length', arg);
      return;
    }
    const extension = this.#extension(id);
    if (extension?.does.kind === 'align') this.#wantsSamples('lg.align', args[0]!);
    if (op.endsWith('bargraph') && lanes(args[3]!) > 1) {
      this.#problem(
        'PATCH_SHAPE',
        `a bargraph: expected a number, got ${named(lanes(args[3]!), hop(args[3]!))}`,
      );
    }
    const name = extension === undefined ? `"${op}"` : `lg.${extension.name}`;
    const alike = op === 'prefix' ? args : this.#like(id);
    this.#checkRates(name, alike);
    const own = lanes(id);
    const other = alike.find((arg) => lanes(arg) !== own && lanes(arg) !== 1);
    if (other === undefined) return;
    this.#problem(
      'PATCH_SHAPE',
      `lanes of ${name}: expected ${own} everywhere, or numbers, got ${lanes(other)}`,
    );
  }

  /** A delay is as what it delays: in a loop that nothing else tells of it was taken for a number. */
  #checkLoop(id: FormId, source: FormId): void {
    const { lanes, hop } = this.shapes;
    const [own, other] = [id, source].map((one) => named(lanes(one), hop(one))) as [string, string];
    if (lanes(id) === lanes(source) && (hop(id) === hop(source) || hop(source) === 0)) return;
    this.#problem('PATCH_SHAPE', `a recursion through a delay: expected ${own}, got ${other}`);
  }

  #checkRates(name: string, operands: readonly FormId[]): void {
    const { hop } = this.shapes;
    const [first, second] = new Set(operands.map(hop).filter((one) => one > 0));
    if (second === undefined) return;
    this.#problem(
      'PATCH_RATE',
      `rates of ${name}: expected one, got ${named(1, first!)} and ${named(1, second)}`,
      BORDERS,
    );
  }

  #checkCall(name: string, { node, operands }: LaneCall): void {
    const { lanes, hop } = this.shapes;
    const rule = ruleOf(node);
    const x = operands.map(lanes);
    const [first] = operands;
    if (node.op === 'frames') {
      if (hop(first!) === 1 && x[0] === 1) return;
      const got = hop(first!) === 0 ? 'what is no signal' : named(x[0]!, hop(first!));
      this.#problem('PATCH_RATE', `lg.${name}: expected a number at every sample, got ${got}`);
      return;
    }
    if (node.op === 'overlapAdd' && hop(first!) === 0) {
      this.#problem('PATCH_RATE', `lg.${name}: expected frames, got what is no signal`);
      return;
    }
    this.#checkRates(`lg.${name}`, operands);
    const misfit = rule.misfit(node, x);
    if (misfit !== null) {
      const { operand, expected } = misfit;
      const what = rule.operands[operand] ?? rule.operands[0];
      this.#problem(
        'PATCH_SHAPE',
        `lg.${name}: lanes of "${what}": expected ${expected}, got ${x[operand]}`,
      );
      return;
    }
    const lost = ALL_LANES.has(node.op)
      ? operands.find((arg) => lanes(arg) === 1 && this.#options.constant(arg) !== undefined)
      : undefined;
    if (lost !== undefined) {
      const message = `lg.${name}: expected frames, got the number ${this.#options.constant(lost)}`;
      this.#problem('PATCH_SHAPE', message, 'Faust takes x - x for 0 and x / x for 1, frames too');
      return;
    }
    const wrong = rule.wrong?.(node, x, this.#options.sampleRate) ?? null;
    if (wrong !== null) this.#problem('PATCH_SIGNAL_RANGE', `lg.${name}: ${wrong.message}`);
  }

  /** A recursion from samples to frames and back, for which there is no order. */
  #checkRecursions(): void {
    const { order } = this.#options;
    const places = new Map(order.map((id, k) => [id, k]));
    const needs = order.map((id) => operandsOf(this.#form, id).map((arg) => places.get(arg)!));
    for (const component of components(order.length, (k: number) => needs[k]!)) {
      if (component.length === 1) continue;
      const border = component.find((k) => isBorder(this.#calls.get(order[k]!)));
      if (border === undefined) continue;
      const { name } = this.#extension(order[border]!)!;
      this.#problem(
        'PATCH_RATE',
        `a recursion through lg.${name}: expected samples to depend on samples and frames on frames`,
        'frames may be fed back to frames: their delays count in frames',
      );
    }
  }
}

const isBorder = (call: LaneCall | undefined): boolean =>
  call !== undefined && ['frames', 'overlapAdd', 'hold'].includes(call.node.op);

const named = (lanes: number, hop: number): string => {
  if (hop > 1) return `frames every ${hop} samples`;
  return lanes > 1 ? `${lanes} lanes` : hop === 1 ? 'samples' : 'what is no signal';
};

const BORDERS = 'lg.frames collects samples, lg.overlapAdd and lg.hold come back to them';
