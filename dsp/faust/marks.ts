/**
 * What a program says by `livegrad.lib` of its training: which signals are estimate and target, which
 * losses there are between which signals, and which sliders learn.
 *
 * Invariant: a training calls the signals `mark1`, `mark2`, …, in the order of `signals`, so that none
 * of them need be an output. What is said so wins over the convention of outputs; `declare livegrad`
 * and the document win over it. Pure: it needs neither sample rate nor device.
 */

import { z } from 'zod';
import type { LearnScale } from '../control.ts';
import { diagnostic, fail, ok } from '../diagnostic.ts';
import type { Diagnostic, Result } from '../diagnostic.ts';
import { nodeOf } from '../ir/graph.ts';
import type { Node, NodeId } from '../ir/graph.ts';
import { kindOf, lossSchema, takenBy } from '../learn/losses/table.ts';
import type { LossChoice } from '../learn/losses/table.ts';
import { fromIssue } from '../patch/explain.ts';
import type { PatchTerm } from '../patch/objective.ts';
import { number } from '../patch/operand.ts';
import { extensionOf, passedBy } from './extensions.ts';
import type { Extension } from './extensions.ts';
import { keyOfWidget, widgetOf } from './form.ts';
import type { Form, FormId } from './form.ts';
import { operandsOf } from './order.ts';

export interface Marks {
  /** What a training calls `mark1`, `mark2`, … */
  readonly signals: readonly FormId[];
  /** What they are in it; empty where the program says nothing. */
  readonly training: {
    readonly estimate?: string | undefined;
    readonly target?: string | undefined;
    readonly loss?: LossChoice;
    readonly terms?: readonly PatchTerm[];
  };
  /** Learnable sliders by `keyOfWidget`; `true`: on the scale that they are shown in. */
  readonly learn: ReadonlyMap<string, true | LearnScale>;
}

const wrong = (message: string, hint?: string): Diagnostic =>
  diagnostic('FAUST_METADATA', 'faust.code', message, hint);

/** A loss that is asked for, while its options are read. */
interface Asked {
  readonly call: FormId;
  readonly weight: number;
  readonly options: Readonly<Record<string, unknown>>;
}

/** @returns FAUST_METADATA where marks say what cannot be. Cost: linear. */
export function marksOf(form: Form): Result<Marks> {
  const { nodes } = form;
  const reader = new Reader(form);
  const needed = new Set(form.outputs);
  for (const id of needed) for (const operand of operandsOf(form, id)) needed.add(operand);
  // As they stand in the program, whatever asks for them.
  const calls = [...needed]
    .toSorted((a, b) => a - b)
    .flatMap((id) => {
      const extension = extensionOf(nodes[id]!.op);
      return extension === undefined ? [] : [{ id, extension }];
    });
  const wrapped = new Set<FormId>();
  for (const { id, extension } of calls) {
    const at = isWrapper(extension) ? nodes[id]!.args[passedBy(extension)!] : undefined;
    if (at !== undefined) wrapped.add(at);
  }
  const terms: PatchTerm[] = [];
  for (const { id, extension } of calls) {
    const { kind } = extension.does;
    if (kind === 'mark') reader.mark(extension.does.as, nodes[id]!.args[0]!);
    if (kind === 'learn') reader.learns(id, extension.does.scale);
    if ((kind === 'loss' || isWrapper(extension)) && !wrapped.has(id)) {
      const term = reader.term(id);
      if (term !== null) terms.push(term);
    }
  }
  const { estimate, target, found, signals, learn } = reader;
  if (terms.length > 0 && (estimate ?? target) !== undefined) {
    found.push(
      wrong(
        'what is learnt is said twice: expected losses, or marks of estimate and target, got both',
        'the loss between what is marked is that of declare livegrad "[loss:…]"',
      ),
    );
  }
  if (found.length > 0) return fail(...found);
  const [first] = terms;
  if (first === undefined) {
    const pair = { ...(estimate && { estimate }), ...(target && { target }) };
    return ok({ signals, training: pair, learn });
  }
  const isPlain = terms.length === 1 && first.weight === undefined;
  return ok({ signals, training: isPlain ? first : { terms }, learn });
}

/** Does it say more of a loss? */
const isWrapper = ({ does }: Extension): boolean =>
  does.kind === 'weight' || does.kind === 'option' || does.kind === 'word';

class Reader {
  readonly found: Diagnostic[] = [];
  readonly signals: FormId[] = [];
  readonly learn = new Map<string, true | LearnScale>();
  estimate: string | undefined;
  target: string | undefined;
  readonly #form: Form;
  readonly #marked = new Map<string, FormId>();

  constructor(form: Form) {
    this.#form = form;
  }

  #name(id: FormId): string {
    const known = this.signals.indexOf(id);
    return `mark${known < 0 ? this.signals.push(id) : known + 1}`;
  }

  mark(as: 'estimate' | 'target', id: FormId): void {
    const before = this.#marked.get(as);
    this.#marked.set(as, id);
    this[as] = this.#name(id);
    if (before === undefined || before === id) return;
    const hint = 'several pairs have losses of their own: lg.mse(estimate, target) and the like';
    this.found.push(wrong(`lg.${as} marks more than one signal: expected one`, hint));
  }

  learns(id: FormId, scale: true | LearnScale): void {
    const widget = widgetOf(this.#form, this.#form.nodes[id]!.args[0]!);
    if (widget !== undefined && /slider|nentry/u.test(widget.kind)) {
      this.learn.set(keyOfWidget(widget), scale);
      return;
    }
    const got = widget === undefined ? 'another signal' : `a ${widget.kind}`;
    const message = `lg.${scale === true ? 'learn' : `learn_${scale}`}: expected a slider or a nentry itself, got ${got}`;
    this.found.push(wrong(message, 'lg.learn(hslider(…)) comes before what is done with it'));
  }

  /** The loss that a call asks for, with all that is said of it. */
  term(id: FormId): PatchTerm | null {
    const asked = this.#asked(id);
    if (asked === null) return null;
    const { args, op } = this.#form.nodes[asked.call]!;
    const { name, does } = extensionOf(op)!;
    if (does.kind !== 'loss') throw new Error(`${op} is no loss`);
    const { options, weight } = asked;
    const loss = Object.keys(options).length === 0 ? does.loss : { kind: does.loss, ...options };
    const parsed = z
      .object({ loss: lossSchema, weight: number })
      .safeParse({ loss, weight }, { reportInput: true });
    if (!parsed.success) {
      for (const { message, path, hint } of parsed.error.issues.flatMap(fromIssue)) {
        this.found.push(wrong(`lg.${name}: ${path.replace(/^loss\.?/u, '')}: ${message}`, hint));
      }
      return null;
    }
    const [estimate, target] = args.map((arg) => this.#name(arg));
    return {
      estimate: estimate!,
      ...(target === undefined ? {} : { target }),
      loss: parsed.data.loss,
      ...(weight === 1 ? {} : { weight }),
    };
  }

  #asked(id: FormId): Asked | null {
    const { nodes } = this.#form;
    const { op, args } = nodes[id]!;
    const extension = extensionOf(op);
    if (extension?.does.kind === 'loss') return { call: id, weight: 1, options: {} };
    if (extension === undefined || !isWrapper(extension)) return null;
    const { does, name } = extension;
    const of = this.#asked(args[passedBy(extension)!]!);
    if (of === null) {
      this.found.push(
        wrong(
          `lg.${name}: expected a loss of livegrad.lib, got another signal`,
          `lg.mse(e, t) : lg.${name}`,
        ),
      );
      return null;
    }
    if (does.kind === 'word') return { ...of, options: { ...of.options, [does.field]: does.word } };
    const { op: is, value } = nodes[args[0]!]!;
    if (is !== 'number' && is !== 'whole') {
      this.found.push(wrong(`lg.${name}: expected a constant number, got a signal`));
      return null;
    }
    if (does.kind === 'weight') return { ...of, weight: of.weight * value };
    if (does.kind !== 'option') throw new Error(`${name} says nothing of a loss`);
    const { field, type } = does;
    const before = of.options[field];
    const said = {
      number: value,
      flag: value !== 0,
      list: [...(Array.isArray(before) ? (before as readonly number[]) : []), value],
    }[type];
    return { ...of, options: { ...of.options, [field]: said } };
  }
}

/**
 * Why a loss cannot compare two signals, or null.
 *
 * @param graph   that they are nodes of
 * @param target  null for a loss of the estimate alone
 */
export function misfitOf(
  graph: { readonly nodes: readonly Node[] },
  {
    estimate,
    target,
    loss,
  }: { readonly estimate: NodeId; readonly target: NodeId | null; readonly loss: LossChoice },
): Diagnostic | null {
  const all = target === null ? { estimate } : { estimate, target };
  const sides = Object.entries(all).map(([name, id]) => ({ name, ...nodeOf(graph, id) }));
  if (takenBy(loss) === 'sound') {
    const bad = sides.find(({ shape, hop }) => shape > 1 || hop > 1);
    if (bad === undefined) return null;
    const got = bad.hop > 1 ? `frames every ${bad.hop} samples` : `${bad.shape} lanes`;
    return diagnostic(
      'PATCH_RATE',
      'faust.code',
      `"${kindOf(loss)}" compares sounds: expected samples, got ${got} (${bad.name})`,
    );
  }
  const [e, t] = sides;
  if (e === undefined || t === undefined) return null;
  if (e.hop !== t.hop && e.hop > 0 && t.hop > 0) {
    return diagnostic(
      'PATCH_RATE',
      'faust.code',
      `rates of estimate and target: expected the same, got a hop of ${e.hop} and of ${t.hop} samples`,
    );
  }
  // A number that stands still may be beside a vector.
  const isFixed = sides.some(({ shape, hop }) => shape === 1 && hop === 0);
  if (e.shape === t.shape || isFixed) return null;
  return diagnostic(
    'PATCH_SHAPE',
    'faust.code',
    `lanes of estimate and target: expected the same, got ${e.shape} and ${t.shape}`,
  );
}
