/**
 * A normal form as nodes of the IR.
 *
 * Conventions where Faust's derivative is a matter of choice:
 * - A value that is rounded by `int` passes its gradient on as if it were not, and what is read at it,
 *   a delay or a table, has the centred slope of its neighbours; but where the program takes the
 *   fraction too, to interpolate by itself, the rounded part has no gradient: the fraction has it all.
 * - The magnitude of a control that is 0 has slope −1, that of a signal 0.
 * - A condition has none; `%` of ints passes it to its first operand.
 *
 * Invariant: what libfaust computes from the same form, this computes, but for what the operations of
 * the IR say of infinities, and indices beyond a table or delay, which are held to it.
 */

import { diagnostic } from '../diagnostic.ts';
import type { Diagnostic } from '../diagnostic.ts';
import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import type { OpKind, ValueType } from '../ir/ops.ts';
import { add, choose } from '../patch/terms.ts';
import { ruleOf } from '../patch/vectors.ts';
import { extensionOf, passedBy } from './extensions.ts';
import type { Extension } from './extensions.ts';
import { keyOfWidget, widgetOf } from './form.ts';
import type { Form, FormId } from './form.ts';
import { call, functionOf, wholePower } from './functions.ts';
import { FUNCTIONS } from '../patch/functions.ts';
import { marksOf } from './marks.ts';
import { stateNames } from './states.ts';
import { arrange, delayedPlace } from './order.ts';
import type { Sound, Waveform } from './program.ts';
import { rangesOf } from './ranges.ts';
import type { Range } from './ranges.ts';
import { slopesOf } from './slopes.ts';
import type { Slopes } from './slopes.ts';
import { shapesOf } from './shapes.ts';
import type { Shapes } from './shapes.ts';
import { delayBy, lookUp, partOf, spanOf, through } from './storage.ts';
import { contentOf } from './tables.ts';
import { typesOf } from './types.ts';

export interface Surroundings {
  /** Hz. */
  readonly sampleRate: number;
  readonly double: boolean;
  /** Device round trip, samples; 0 if not given. */
  readonly latency?: number;
  readonly waveforms: readonly Waveform[];
  /** A slider or parameter, by the key of its widget. */
  readonly control: (b: Builder, key: string) => NodeId;
  /** The parts of a soundfile, by its label. */
  readonly sounds: (label: string) => readonly Sound[];
  /** Where a word stands in the source, if there is one place. */
  readonly lineOf?: (word: string) => number | undefined;
}

export interface Made {
  readonly outputs: readonly NodeId[];
  /** What bargraphs show, by the key of the widget. */
  readonly meters: ReadonlyMap<string, NodeId>;
  /** What a training calls `mark1`, `mark2`, …; real. */
  readonly marks: readonly NodeId[];
  /** Does the program compare what it plays with what it hears, by `lg.align`? */
  readonly throughDevice: boolean;
}

const BINARY: Readonly<Record<string, OpKind>> = {
  '+': 'add',
  '-': 'sub',
  '*': 'mul',
  '<': 'lt',
  '>': 'gt',
  '<=': 'le',
  '>=': 'ge',
  '==': 'eq',
  '!=': 'ne',
  '&': 'and',
  '|': 'or',
  '^': 'xor',
  '<<': 'shl',
  '>>': 'shr',
  min: 'min',
  max: 'max',
};
const BITS: ReadonlySet<string> = new Set(['&', '|', '^', '<<', '>>']);

/** Longest delay, samples. */
const MAX_DELAY = 2 ** 22;
/** Largest table. */
const MAX_TABLE = 2 ** 20;

/** What Faust plays where there is no recording. */
const NOTHING: Sound = { sampleRate: 44_100, channels: [new Array<number>(1024).fill(0)] };

const WAVE = /^lgwave(\d+)$/u;

/** Every node that is given up has a sentence in `problems`. */
export function makeGraph(
  b: Builder,
  form: Form,
  around: Surroundings,
  problems: Diagnostic[],
): Made {
  const maker = new Maker(b, form, around, problems);
  const marked = marksOf(form);
  if (!marked.ok) problems.push(...marked.diagnostics);
  const signals = marked.ok ? marked.value.signals : [];
  const { outputs, marks } = maker.make(form.outputs, signals);
  const throughDevice = form.nodes.some(({ op }) => extensionOf(op)?.does.kind === 'align');
  return { outputs, meters: maker.meters, marks, throughDevice };
}

class Maker {
  readonly meters = new Map<string, NodeId>();
  readonly #b: Builder;
  readonly #form: Form;
  readonly #around: Surroundings;
  readonly #problems: Diagnostic[];
  readonly #types: readonly ValueType[];
  readonly #names: readonly string[];
  readonly #slopes: Slopes;
  readonly #made = new Map<FormId, NodeId>();
  /** Contents of tables by the node that makes them. */
  readonly #tables = new Map<FormId, readonly number[]>();
  #ranges: readonly Range[] = [];
  #shapes: Shapes | undefined;

  constructor(b: Builder, form: Form, around: Surroundings, problems: Diagnostic[]) {
    this.#b = b;
    this.#form = form;
    this.#around = around;
    this.#problems = problems;
    this.#types = typesOf(form, (name) => this.#waveform(name)?.isInt === true);
    this.#names = stateNames(form);
    this.#slopes = slopesOf(form, this.#types);
  }

  /** @param marked  values that the roots need too */
  make(
    roots: readonly FormId[],
    marked: readonly FormId[],
  ): { readonly outputs: readonly NodeId[]; readonly marks: readonly NodeId[] } {
    const b = this.#b;
    const { nodes } = this.#form;
    const { sampleRate } = this.#around;
    const walk = arrange(this.#form, roots, () => true).order;
    const known = (id: FormId): Range | undefined => this.#contentRange(id);
    this.#ranges = rangesOf(this.#form, { sampleRate, order: walk, types: this.#types, known });
    const sofar = this.#problems.length;
    const constant = (id: FormId): number | undefined => this.#fixed(id);
    const shapes = shapesOf(this.#form, { order: walk, constant, sampleRate }, this.#problems);
    this.#shapes = shapes;
    if (this.#problems.length > sofar) {
      // Nothing that does not fit is made.
      const none = (list: readonly FormId[]): readonly NodeId[] => list.map(() => b.real(0));
      return { outputs: none(roots), marks: none(marked) };
    }
    const { order, cuts } = arrange(this.#form, roots, (id) => this.#least(id) >= 1);
    const open: { readonly delay: NodeId; readonly source: FormId; readonly type: ValueType }[] =
      [];
    const feedback = new Map<FormId, NodeId>();

    /** The source one sample ago, or as many as are fixed. */
    const cut = (source: FormId, frames: number, init: number): NodeId => {
      const type = this.#types[source]!;
      const hop = shapes.hop(source) || 1;
      const delay = b.feedback(type, frames, init, shapes.lanes(source), hop);
      open.push({ delay, source, type });
      return delay;
    };
    for (const id of order) {
      const made = b.within(this.#names[id]!, () => {
        if (!cuts.has(id)) return this.#node(id);
        const { op, args } = nodes[id]!;
        const source = args[delayedPlace(op)!]!;
        if (op === 'prefix') return this.#prefixed(id, (init) => cut(source, 1, init));
        const frames = this.#constant(args[1]!);
        if (frames !== undefined) return cut(source, this.#length(frames), 0);
        const last = feedback.get(source) ?? cut(source, 1, 0);
        feedback.set(source, last);
        return this.#delayed(id, last, args[1]!, 1);
      });
      this.#made.set(id, made);
    }
    for (const { delay, source, type } of open) {
      b.close(delay, b.asLanes(this.#value(source, type), b.shape(delay)));
    }
    const real = (id: FormId): NodeId => this.#value(id, 'real');
    return { outputs: roots.map(real), marks: marked.map(real) };
  }

  #node(id: FormId): NodeId {
    const b = this.#b;
    const { op, args, value, text } = this.#form.nodes[id]!;
    const type = this.#types[id]!;
    const same = (k: number): NodeId => this.#value(args[k]!, type);
    const real = (k: number): NodeId => this.#value(args[k]!, 'real');
    switch (op) {
      case 'whole':
        return b.int(value);
      case 'number':
        return b.real(value);
      case 'int':
        return this.#rounded(args[0]!);
      case 'float':
        return real(0);
      case 'input':
        return b.node('input', [], [value]);
      case 'label':
        return b.int(0);
      case 'symbol':
        return this.#symbol(id, text);
      case '/':
        return b.node('div', [real(0), real(1)]);
      case '%': {
        if (type === 'int') return b.node('rem', [same(0), same(1)]);
        return FUNCTIONS.fmod.build(b, real(0), real(1));
      }
      case 'abs':
        return this.#magnitude(same(0));
      case '@':
        return this.#delay(id);
      case 'prefix':
        return this.#prefixed(id, (init) => b.delay(this.#value(args[1]!, type), 1, init));
      case 'select2':
        return b.node('select', [this.#value(args[0]!, 'int'), same(2), same(1)]);
      case 'attach':
        return same(0);
      case 'control':
      case 'enable':
        // What it holds while it is off depends on libfaust's code generator.
        return this.#unsupported(
          '"control" and "enable", which hold a value while they are off, are not known',
          'multiply by the condition instead',
          'control',
          'enable',
        );
      case 'sigGen':
      case 'WRTbl2p':
      case 'sigWRTbl4p':
        return b.int(0);
      case 'sigRDTbl':
        return this.#read(id);
      case 'hslider':
      case 'vslider':
      case 'nentry':
      case 'button':
      case 'checkbox':
        return this.#around.control(b, keyOfWidget(widgetOf(this.#form, id)!));
      case 'hbargraph':
      case 'vbargraph': {
        this.meters.set(keyOfWidget(widgetOf(this.#form, id)!), real(3));
        return same(3);
      }
      case 'soundfile':
        return b.int(0);
      case 'length':
      case 'rate':
      case 'buffer':
        return this.#sound(id);
      default:
        return this.#called(id);
    }
  }

  /** A value as an int or a real. */
  #value(id: FormId, type: ValueType): NodeId {
    const made = this.#made.get(id)!;
    const is = this.#b.type(made);
    if (is === type) return made;
    return type === 'real'
      ? this.#b.node('toReal', [made])
      : this.#b.node('toInt', [this.#b.node('detach', [made])]);
  }

  #zero(type: ValueType): NodeId {
    return type === 'int' ? this.#b.int(0) : this.#b.real(0);
  }

  #constant(id: FormId): number | undefined {
    const { op, value } = this.#form.nodes[id]!;
    return op === 'whole' || op === 'number' ? value : undefined;
  }

  /** Of a value that cannot change: what is computed of constants and the sample rate too. */
  #fixed(id: FormId): number | undefined {
    const { low, high } = this.#ranges[id]!;
    return low === high ? low : undefined;
  }

  /** @param words  of the source, one of which says so */
  #unsupported(message: string, hint?: string, ...words: readonly string[]): NodeId {
    if (!this.#problems.some((problem) => problem.message === message)) {
      const lines = words.map((word) => this.#around.lineOf?.(word));
      const line = lines.find((found) => found !== undefined);
      const problem = diagnostic('FAUST_UNSUPPORTED', '', message, hint);
      this.#problems.push(line === undefined ? problem : { ...problem, line });
    }
    return this.#b.real(0);
  }

  #symbol(id: FormId, name: string): NodeId {
    if (name === 'fSamplingFreq') return this.#b.int(this.#around.sampleRate);
    const why = name === 'count' ? ': blocks have no fixed size here' : '';
    this.#unsupported(`the foreign value "${name}" is not known${why}`, undefined, name);
    return this.#zero(this.#types[id]!);
  }

  #called(id: FormId): NodeId {
    const b = this.#b;
    const { op, args } = this.#form.nodes[id]!;
    const type = this.#types[id]!;
    const plain = BINARY[op];
    if (plain !== undefined) {
      const [x, y] = args as [FormId, FormId];
      const common = [x, y].some((arg) => this.#types[arg] === 'real') ? 'real' : 'int';
      const taken = BITS.has(op) ? 'int' : common;
      return b.node(plain, [this.#value(x, taken), this.#value(y, taken)]);
    }
    if (op === 'pow' && type === 'int') {
      const [x, y] = args as [FormId, FormId];
      const whole = [x, y].map((arg) => this.#value(arg, 'int')) as [NodeId, NodeId];
      return wholePower(b, ...whole, this.#slopes.isSteep(y));
    }
    const waveform = this.#waveform(op);
    if (waveform !== undefined) {
      return this.#lookUp(waveform.values, this.#value(args[0]!, 'int'), type, null);
    }
    const extension = extensionOf(op);
    if (extension !== undefined) return this.#extended(id, extension);
    const build = functionOf(op);
    if (build === undefined) {
      this.#unsupported(`the foreign function "${op}" is not known`, undefined, op);
      return this.#zero(type);
    }
    return call(
      b,
      build,
      args.map((arg) => this.#made.get(arg)!),
    );
  }

  /** A call of `livegrad.lib`. */
  #extended(id: FormId, extension: Extension): NodeId {
    const b = this.#b;
    const { args } = this.#form.nodes[id]!;
    const real = (arg: FormId): NodeId => this.#value(arg, 'real');
    const passed = passedBy(extension);
    if (passed !== undefined) return real(args[passed]!);
    const { does } = extension;
    if (does.kind === 'lanewise') return does.build(b, ...args.map(real));
    if (does.kind === 'lanes') {
      const { node, operands } = this.#shapes!.calls.get(id)!;
      return ruleOf(node).build(b, node, operands.map(real), this.#around.sampleRate);
    }
    const { latency = 0 } = this.#around;
    return latency > 0 ? b.delay(real(args[0]!), latency) : real(args[0]!);
  }

  #waveform(name: string): Waveform | undefined {
    const index = WAVE.exec(name)?.[1];
    return index === undefined ? undefined : this.#around.waveforms[Number(index)];
  }

  /**
   * |x|, and of a control at 0 the slope from below: the one that agrees with `x > 0`. An equaliser at
   * 0 dB is written with both, and would not learn with slope 0.
   */
  #magnitude(x: NodeId): NodeId {
    const b = this.#b;
    const size = b.node('abs', [x]);
    if (b.type(x) === 'int' || b.rate(x) !== 'block') return size;
    const slope = choose(b, b.node('gt', [x, b.real(0)]), b.real(1), b.real(-1));
    return b.node('withSlope', [b.node('detach', [size]), x, slope]);
  }

  /** Truncated; the gradient goes on, unless the fraction that is lost has it. */
  #rounded(id: FormId): NodeId {
    const b = this.#b;
    const x = this.#made.get(id)!;
    if (b.type(x) === 'int') return x;
    return b.node('toInt', [this.#slopes.isInterpolated(id) ? b.node('detach', [x]) : x]);
  }

  // --- delays --------------------------------------------------------------------------------------

  #least(id: FormId): number {
    const { op, args } = this.#form.nodes[id]!;
    return op === 'prefix' ? 1 : this.#ranges[args[1]!]!.low;
  }

  #length(frames: number): number {
    if (frames >= 0 && frames <= MAX_DELAY) return Math.trunc(frames);
    const expected = `expected 0 to ${MAX_DELAY} samples, got ${frames}`;
    this.#unsupported(`the length of a delay: ${expected}`, undefined, '@');
    return 1;
  }

  #delay(id: FormId): NodeId {
    const b = this.#b;
    const { args } = this.#form.nodes[id]!;
    const [x, by] = args as [FormId, FormId];
    const source = this.#made.get(x)!;
    const frames = this.#constant(by);
    if (frames === undefined) return this.#delayed(id, source, by, 0);
    const length = this.#length(frames);
    return length === 0 ? source : b.delay(source, length);
  }

  /** A delay of moving length, of which `done` samples are done already. */
  #delayed(id: FormId, source: NodeId, by: FormId, done: number): NodeId {
    const b = this.#b;
    const { high } = this.#ranges[by]!;
    if (!(high < 2 ** 31 - 1)) {
      this.#unsupported(
        'the length of a delay has no limit that can be told',
        'hold it to a range: min(limit, max(0, length))',
        '@',
      );
      return source;
    }
    const max = Math.max(0, this.#length(Math.ceil(high)) - done);
    const frames = this.#value(by, 'int');
    const place = done === 0 ? frames : b.node('sub', [frames, b.int(done)]);
    const isSteep = this.#slopes.isSteep(by);
    return through(b, source, this.#types[id]!, this.#around.double, (x) =>
      delayBy(b, x, place, max, isSteep),
    );
  }

  #prefixed(id: FormId, delay: (init: number) => NodeId): NodeId {
    const b = this.#b;
    const { args } = this.#form.nodes[id]!;
    const type = this.#types[id]!;
    const init = this.#constant(args[0]!);
    if (init !== undefined) return this.#cast(delay(init), type);
    const begun = b.delay(b.int(1), 1, 0, this.#shapes!.hop(args[1]!) || 1);
    return b.node('select', [begun, this.#cast(delay(0), type), this.#value(args[0]!, type)]);
  }

  #cast(id: NodeId, type: ValueType): NodeId {
    return type === 'real' ? this.#b.asReal(id) : id;
  }

  // --- tables --------------------------------------------------------------------------------------

  #read(id: FormId): NodeId {
    const { nodes } = this.#form;
    const [table, index] = nodes[id]!.args as [FormId, FormId];
    const type = this.#types[id]!;
    const { op, args } = nodes[table]!;
    const content = this.#content(table);
    const place = this.#value(index, 'int');
    if (op === 'WRTbl2p') return this.#lookUp(content, place, type, index);
    const b = this.#b;
    const [, , into, written] = args as [FormId, FormId, FormId, FormId];
    const last = b.int(content.length - 1);
    const held = (at: NodeId): NodeId => b.node('min', [b.node('max', [at, b.int(0)]), last]);
    const places = [held(this.#value(into, 'int')), held(place)];
    return through(b, this.#value(written, type), type, this.#around.double, (x, part) => {
      const start = content.map((value) => partOf(value, part));
      return b.node('rwtable', [b.node('const', [], start), x, ...places]);
    });
  }

  /** @param index  what the gradient of the place goes to, if it has one */
  #lookUp(values: readonly number[], place: NodeId, type: ValueType, index: FormId | null): NodeId {
    const isSteep = index !== null && this.#slopes.isSteep(index);
    return lookUp(this.#b, values, place, { type, double: this.#around.double, isSteep });
  }

  /** What a table holds at first. */
  #content(table: FormId): readonly number[] {
    const known = this.#tables.get(table);
    if (known !== undefined) return known;
    const { nodes } = this.#form;
    const [sizeId, generator] = nodes[table]!.args as [FormId, FormId];
    const size = this.#constant(sizeId) ?? 0;
    let values: readonly number[] = [0];
    if (size < 1 || size > MAX_TABLE) {
      this.#unsupported(`a table has too many places: expected 1 to ${MAX_TABLE}, got ${size}`);
    } else {
      values = this.#generated(nodes[generator]!.args[0]!, size);
    }
    this.#tables.set(table, values);
    return values;
  }

  /** `size` samples of a signal that needs no input, in double precision. */
  #generated(signal: FormId, size: number): readonly number[] {
    const constant = this.#constant(signal);
    if (constant !== undefined) return new Array<number>(size).fill(constant);
    const form: Form = { nodes: this.#form.nodes, outputs: [signal] };
    const alone: Surroundings = {
      ...this.#around,
      double: true,
      control: (builder) => {
        this.#unsupported(
          'a table is filled before the first sample: it cannot depend on a control',
        );
        return builder.real(0);
      },
    };
    const text = `${this.#around.sampleRate} ${textOf(form, this.#around.waveforms)}`;
    const make = (b: Builder): NodeId => makeGraph(b, form, alone, this.#problems).outputs[0]!;
    return contentOf(text, make, size);
  }

  /** Of what reads a table or waveform. */
  #contentRange(id: FormId): Range | undefined {
    const { nodes } = this.#form;
    const { op, args } = nodes[id]!;
    const waveform = this.#waveform(op);
    if (waveform !== undefined) return spanOf(waveform.values);
    if (op !== 'sigRDTbl' || nodes[args[0]!]!.op !== 'WRTbl2p') return undefined;
    return spanOf(this.#content(args[0]!));
  }

  // --- recordings ----------------------------------------------------------------------------------

  #sound(id: FormId): NodeId {
    const b = this.#b;
    const { nodes } = this.#form;
    const { op, args } = nodes[id]!;
    const label = nodes[nodes[args[0]!]!.args[0]!]!.text;
    const sounds = this.#around.sounds(label);
    const which = args[op === 'buffer' ? 2 : 1]!;
    // There is nothing in the parts behind the last.
    const parts = this.#ranges[which]!.high < sounds.length ? sounds : [...sounds, NOTHING];
    const lengths = parts.map(({ channels }) => channels[0]?.length ?? 0);
    const part = this.#value(which, 'int');
    const ofPart = (values: readonly number[]): NodeId => this.#lookUp(values, part, 'int', null);
    if (op === 'length') return ofPart(lengths);
    if (op === 'rate') return ofPart(parts.map(({ sampleRate }) => sampleRate));
    const channel = this.#constant(args[1]!) ?? 0;
    const all = parts.flatMap(({ channels }) => channels[channel % channels.length] ?? [0]);
    if (all.length > MAX_TABLE) {
      return this.#unsupported(
        `the recordings of "${label}" are too long: expected at most ${MAX_TABLE} samples a channel, got ${all.length}`,
      );
    }
    const starts = lengths.map((_length, k) => lengths.slice(0, k).reduce((sum, n) => sum + n, 0));
    const index = add(b, ofPart(starts), this.#value(args[3]!, 'int'));
    return this.#lookUp(all, index, 'real', args[3]!);
  }
}

/** What an output is made of, in words that are equal for equal signals. */
function textOf(form: Form, waveforms: readonly Waveform[]): string {
  const { nodes, outputs } = form;
  const places = new Map<FormId, number>();
  const open = [...outputs];
  for (const id of open) {
    if (places.has(id)) continue;
    places.set(id, places.size);
    open.push(...nodes[id]!.args);
  }
  const words = [...places.keys()].map((id) => {
    const { op, args, value, text } = nodes[id]!;
    const wave = waveforms[Number(WAVE.exec(op)?.[1])]?.values.join() ?? '';
    return [op, args.map((arg) => places.get(arg)).join(), value, text, wave].join(' ');
  });
  return words.join(';');
}
