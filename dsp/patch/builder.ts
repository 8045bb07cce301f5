/**
 * Makes patches in TypeScript: the same document that a JSON file holds, with the compiler of the
 * language watching over operations and operands.
 *
 * Invariant: what comes out has passed `parsePatch`, so a built patch and an uploaded one are the
 * same thing. It adds no meaning of its own.
 */

import type { z } from 'zod';
import type { ControlSpec, MeterSpec } from '../control.ts';
import type { Result } from '../diagnostic.ts';
import type { Precision } from '../ir/program.ts';
import type { FunctionName } from './functions.ts';
import type { ParamSpec } from './params.ts';
import { PATCH_FORMAT, parsePatch } from './schema.ts';
import type { trainingSchema } from './schema.ts';
import type { PlainOp } from './names.ts';
import type { Expectation, Operand, Patch, PatchNode } from './schema.ts';
import type { SurrogateOf } from './surrogates.ts';
import { isConstant } from './vectors.ts';
import type { VectorNode, VectorOp } from './vectors.ts';

/** The id of a node or control of the patch under construction. */
export type Signal = string & { readonly __brand: 'Signal' };

type Value = Signal | number;

/** What a node of an operation says besides its operands. */
type FieldsOf<Op extends PatchNode['op']> = Omit<Extract<PatchNode, { op: Op }>, 'op' | 'in'>;

export class PatchBuilder {
  readonly sliders: Record<string, ControlSpec> = {};
  readonly params: Record<string, ParamSpec> = {};
  readonly nodes: Record<string, PatchNode> = {};
  readonly meters: Record<string, MeterSpec & { readonly in: Operand }> = {};
  #count = 0;

  slider(id: string, spec: ControlSpec): Signal {
    this.sliders[id] = spec;
    return id as Signal;
  }

  /** A learnable number, or with `size` a vector of them. */
  param(id: string, spec: ParamSpec): Signal {
    this.params[id] = spec;
    return id as Signal;
  }

  /** Shows a signal to clients under a name of its own: `meter('level', rms, { min: 0, max: 1 })`. */
  meter(id: string, x: Value, spec: MeterSpec): void {
    if (Object.hasOwn(this.meters, id)) throw new Error(`"${id}" is used twice`);
    this.meters[id] = { in: x, ...spec };
  }

  /** Device input, counted from 1. */
  input(channel: number, id?: string): Signal {
    return this.#add({ op: 'input', channel }, id);
  }

  /** Any operation of the IR: `op('mul', [x, gain])`, `op('floor', [x], 'y', { gradient })`. */
  op<Op extends PlainOp>(
    op: Op,
    operands: readonly Value[],
    id?: string,
    surrogate?: SurrogateOf<Op>,
  ): Signal {
    return this.#add({ op, in: [...operands], ...surrogate } as PatchNode, id);
  }

  /** A function made of operations: `fn('sigmoid', [x])`. */
  fn<Name extends FunctionName>(
    name: Name,
    operands: readonly Value[],
    id?: string,
    surrogate?: SurrogateOf<Name>,
  ): Signal {
    return this.#add({ op: name, in: [...operands], ...surrogate } as PatchNode, id);
  }

  /** A node of vectors or frames, or a layer: `vector('dense', [x, weights], { units: 16 })`. */
  vector<Op extends VectorOp>(
    op: Op,
    operands: readonly Value[],
    fields: Omit<Extract<VectorNode, { op: Op }>, 'op' | 'in'>,
    id?: string,
  ): Signal {
    const inputs = isConstant(op) ? {} : { in: [...operands] };
    return this.#add({ op, ...inputs, ...fields } as unknown as PatchNode, id);
  }

  delay(x: Value, frames: number, id?: string): Signal {
    return this.#add({ op: 'delay', in: [x], frames }, id);
  }

  /** Recursion: `loop` gets what it returned `frames` samples ago, and returns what comes next. */
  feedback(frames: number, loop: (past: Signal) => Signal, id?: string): Signal {
    const past = this.#add({ op: 'delay', in: [0], frames }, id);
    const next = loop(past);
    this.nodes[past] = { op: 'delay', in: [next], frames };
    return next;
  }

  /** Delayed by a signal, in frames, held to 0 … `max`. */
  delayBy(x: Value, frames: Value, fields: FieldsOf<'delayBy'>, id?: string): Signal {
    return this.#add({ op: 'delayBy', in: [x, frames], ...fields }, id);
  }

  /** A table read at an index: `table(i, { waveform: 'sine', size: 2048 })`. */
  table(index: Value, fields: FieldsOf<'table'>, id?: string): Signal {
    return this.#add({ op: 'table', in: [index], ...fields }, id);
  }

  /** A table that is learnt, or made of what is: `tableOf(i, curve, { wrap: false })`. */
  tableOf(index: Value, values: Value, fields: FieldsOf<'table'>, id?: string): Signal {
    return this.#add({ op: 'table', in: [index, values], ...fields }, id);
  }

  /** A table that is written at one index, then read at another, in every sample. */
  rwTable(
    written: Value,
    writeIndex: Value,
    readIndex: Value,
    fields: FieldsOf<'rwTable'>,
    id?: string,
  ): Signal {
    return this.#add({ op: 'rwTable', in: [written, writeIndex, readIndex], ...fields }, id);
  }

  noise(seed = 0, id?: string, lanes?: number): Signal {
    return this.#add({ op: 'noise', seed, ...(lanes === undefined ? {} : { lanes }) }, id);
  }

  /** Hz. */
  sampleRate(id?: string): Signal {
    return this.#add({ op: 'sampleRate' }, id);
  }

  /** @param frequency  Hz */
  sine(frequency: Value, id?: string): Signal {
    return this.fn('sine', [frequency], id);
  }

  /** One frame ago. */
  mem(x: Value, id?: string): Signal {
    return this.#add({ op: 'mem', in: [x] }, id);
  }

  runningSum(x: Value, frames: number, id?: string): Signal {
    return this.#add({ op: 'runningSum', in: [x], frames }, id);
  }

  runningMean(x: Value, frames: number, id?: string): Signal {
    return this.#add({ op: 'runningMean', in: [x], frames }, id);
  }

  /** Delayed by the device's round trip. */
  align(x: Value, id?: string): Signal {
    return this.#add({ op: 'align', in: [x] }, id);
  }

  #add(node: PatchNode, id: string | undefined): Signal {
    if (id !== undefined && this.#isTaken(id)) throw new Error(`"${id}" is used twice`);
    const name = id ?? this.#freeName();
    this.nodes[name] = node;
    return name as Signal;
  }

  #isTaken(id: string): boolean {
    return [this.nodes, this.sliders, this.params].some((group) => Object.hasOwn(group, id));
  }

  #freeName(): string {
    do this.#count++;
    while (this.#isTaken(`n${this.#count}`));
    return `n${this.#count}`;
  }
}

export interface PatchEnd {
  readonly title?: string;
  readonly doc?: string;
  readonly precision?: Precision;
  readonly outputs?: readonly Operand[];
  readonly training?: z.input<typeof trainingSchema>;
  readonly expect?: readonly Expectation[];
  readonly vary?: Patch['vary'];
}

/**
 * A patch written as a function.
 *
 * @example
 * buildPatch('gain', (p) => {
 *   const x = p.input(1);
 *   const gain = p.param('gain', { initial: 1, min: -2, max: 2 });
 *   return { outputs: [p.op('mul', [x, gain])] };
 * });
 */
export function buildPatch(name: string, write: (p: PatchBuilder) => PatchEnd): Result<Patch> {
  const builder = new PatchBuilder();
  const end = write(builder);
  const { sliders, params, nodes, meters } = builder;
  return parsePatch({ format: PATCH_FORMAT, name, sliders, params, nodes, meters, ...end });
}
