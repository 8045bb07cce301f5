/**
 * From the widgets and declarations of a Faust program to the parts of a patch: sliders, learnable
 * parameters, meters, the tree that they are laid out in, and the training.
 *
 * Invariant: what libfaust takes is taken: a range or a step that a control cannot have is mended,
 * metadata of others is kept for who knows it, and only what is said to livegrad itself (`learn`,
 * `lr`, `declare livegrad`) can be wrong. The tree is in the order of Faust's own clients, by labels
 * as written, whatever order widgets come in. Pure: nothing is evaluated and nothing read.
 */

import { LEARN_SCALES } from '../control.ts';
import type { ControlSpec, LearnScale } from '../control.ts';
import { diagnostic, fail, nearest, ok, pathOf } from '../diagnostic.ts';
import type { Diagnostic, Result } from '../diagnostic.ts';
import { lossSchema, takenBy } from '../learn/losses/table.ts';
import { nameOf } from '../patch/faust.ts';
import { MAX_FACTOR, lengthOf, scaleOf } from '../patch/learnable.ts';
import { withObjective } from '../patch/objective.ts';
import type { ParamSpec } from '../patch/params.ts';
import { NORMALISED, kindOf, rateOf, withDefaults } from '../patch/training.ts';
import type { Fields } from '../patch/training.ts';
import { CONTROL_STYLES, MAX_DEPTH, MAX_LABEL, METER_STYLES } from '../patch/ui.ts';
import type { UiControl, UiGroup, UiMeter, UiNode } from '../patch/ui.ts';
import { keyOfWidget } from './form.ts';
import type { Marks } from './marks.ts';
import { idsOf } from './ids.ts';
import { readLabel, splitPath } from './labels.ts';
import type { Label } from './labels.ts';
import type { FaustProgram, Widget, WidgetKind } from './program.ts';
import { readDeclares } from './settings.ts';

export type Learn = Readonly<Record<string, boolean | LearnScale>>;

/** What comes from outside of the program. */
export interface Overrides {
  /** By ids: learnable or not, whatever the label says. */
  readonly learn?: Learn | undefined;
  /** Settings that win over declared ones, key by key; not judged here. */
  readonly training?: Fields | undefined;
}

export interface ProgramSignals {
  /** Of `process`. */
  readonly inputs: number;
  readonly outputs: number;
  /** What it says by `livegrad.lib`. */
  readonly marks?: Pick<Marks, 'training' | 'learn'>;
}

export interface FaustMeter {
  /** The id of the meter itself. */
  readonly in: string;
  readonly min: number;
  readonly max: number;
  readonly unit?: string;
  readonly scale?: 'log';
  readonly doc?: string;
}

export interface FaustControls {
  /** As a patch may be called. */
  readonly name?: string;
  readonly title?: string;
  readonly doc?: string;
  readonly precision?: 'single' | 'double';
  readonly sliders: Readonly<Record<string, ControlSpec>>;
  readonly params: Readonly<Record<string, ParamSpec>>;
  readonly ui: readonly UiNode[];
  readonly meters: Readonly<Record<string, FaustMeter>>;
  /** Of a program with something to learn, with the overrides; the schema of patches judges it. */
  readonly training?: Fields;
  /** By `keyOfWidget`. */
  readonly idOf: ReadonlyMap<string, string>;
}

/** What `label` metadata of ours says of a control. */
interface Wish {
  readonly learn: boolean | LearnScale;
  /** A learning rate of its own. */
  readonly rate?: number;
}

interface Placed {
  readonly widget: Widget;
  readonly raw: string;
  readonly label: Label;
  /** From the outermost in, as written. */
  readonly groups: readonly string[];
}

const LARGEST = 3.4e38;
/** As many as a person reads. */
const SUGGESTIONS = 20;
const OWN_KEYS: ReadonlySet<string> = new Set(['learn', 'lr', 'unit', 'tooltip', 'hidden']);

/**
 * Everything of a patch that a program's widgets and declarations decide.
 *
 * @param widgets  in any order; recordings (`soundfile`) are nobody's control and are passed over
 * @returns        FAUST_METADATA where a label or a declaration says what livegrad cannot do,
 *   FAUST_UNSUPPORTED where groups are nested too deeply, PATCH_UNKNOWN_REFERENCE and PATCH_INVALID
 *   at `faust.learn` for overrides. Cost: n log n in the widgets, times the depth of groups.
 */
export function controlsOf(
  widgets: readonly Widget[],
  program: Pick<FaustProgram, 'declares' | 'groups'> & Partial<Pick<FaustProgram, 'code'>>,
  signals: ProgramSignals,
  overrides: Overrides = {},
): Result<FaustControls> {
  const found: Diagnostic[] = [];
  const placed = inOrder(widgets);
  if (placed.some(({ groups }) => groups.length >= MAX_DEPTH)) {
    const message = `groups are nested too deeply: expected at most ${MAX_DEPTH}`;
    return { ok: false, diagnostics: [diagnostic('FAUST_UNSUPPORTED', 'faust.code', message)] };
  }
  const names = namesOf(placed);
  const declared = readDeclares(program);
  if (!declared.ok) found.push(...declared.diagnostics);
  const own = declared.ok ? declared.value : { training: {} };
  const { marks = { training: {}, learn: new Map<string, true | LearnScale>() } } = signals;
  const declaredToo: Fields = withObjective<Fields>(marks.training, own.training);
  const settings = withDefaults(withObjective(declaredToo, overrides.training ?? {}));
  const rates = ratesOf(settings);

  const sliders: Record<string, ControlSpec> = {};
  const params: Record<string, ParamSpec> = {};
  const meters: Record<string, FaustMeter> = {};
  const idOf = new Map<string, string>();
  const learn = overrides.learn ?? {};
  placed.forEach((one, k) => {
    const { widget, label, raw } = one;
    const id = names[k]!;
    idOf.set(keyOfWidget(widget), id);
    const where = (): Line => (found.length < SUGGESTIONS ? lineOf(program.code, raw) : {});
    const wish = wishOf(one, id, where, found);
    if (isMeter(widget.kind)) {
      meters[id] = meterOf(widget, label, id);
      return;
    }
    const spec = controlOf(widget, label);
    const wanted =
      wish.learn === false ? (marks.learn.get(keyOfWidget(widget)) ?? false) : wish.learn;
    const scale = Object.hasOwn(learn, id) ? learn[id]! : wanted;
    if (scale === false) {
      sliders[id] = spec;
      return;
    }
    const why = unlearnable(widget, spec, scale);
    if (why !== null) {
      found.push(
        Object.hasOwn(learn, id)
          ? diagnostic('PATCH_INVALID', pathOf(['faust', 'learn', id]), `"${id}" ${why}`)
          : metadata(`"${id}" ${why} (${said(label, 'learn')})`, where()),
      );
      return;
    }
    params[id] = learnt(spec, scale, wish.rate, rates);
  });
  found.push(...unknownIds(learn, new Set(names.filter((id) => !Object.hasOwn(meters, id)))));

  const isTraining = Object.keys(params).length > 0;
  const objective = isTraining ? objectiveOf(settings, signals) : ok(null);
  if (!objective.ok) found.push(...objective.diagnostics);
  if (!objective.ok || found.length > 0) return { ok: false, diagnostics: found };
  return ok({
    ...titlesOf(program),
    ...(own.precision === undefined ? {} : { precision: own.precision }),
    sliders,
    params,
    ui: treeOf(placed, names, program),
    meters,
    ...(objective.value === null ? {} : { training: { ...objective.value, ...settings } }),
    idOf,
  });
}

// --- widgets ---------------------------------------------------------------------------------

/** Widgets in the order in which Faust's clients show them. */
function inOrder(widgets: readonly Widget[]): readonly Placed[] {
  return widgets
    .filter(({ kind }) => kind !== 'soundfile')
    .map((widget): Placed & { readonly steps: readonly string[]; readonly key: string } => {
      const { label, groups: raw } = splitPath(widget.path);
      return {
        widget,
        raw: label,
        label: readLabel(label),
        groups: raw,
        steps: [...raw, label],
        key: keyOfWidget(widget),
      };
    })
    .toSorted((a, b) => {
      const at = a.steps.findIndex((step, k) => step !== b.steps[k]);
      if (at < 0) return a.steps.length - b.steps.length || compare(a.key, b.key);
      return at < b.steps.length ? compare(a.steps[at]!, b.steps[at]!) : 1;
    });
}

const namesOf = (placed: readonly Placed[]): readonly string[] =>
  idsOf(
    placed.map(({ groups, label, widget }) => ({
      // A bargraph without a label is called after its kind, as in Faust, and not after its group.
      path: [
        ...groups.map((group) => readLabel(group).text),
        label.text || (isMeter(widget.kind) ? widget.kind : ''),
      ],
      otherwise: widget.kind,
    })),
  );

/** The id of each widget, by `keyOfWidget`; a recording has none. */
export function idsOfWidgets(widgets: readonly Widget[]): ReadonlyMap<string, string> {
  const placed = inOrder(widgets);
  const names = namesOf(placed);
  return new Map(placed.map(({ widget }, k) => [keyOfWidget(widget), names[k]!]));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const isMeter = (kind: WidgetKind): boolean => kind === 'hbargraph' || kind === 'vbargraph';
const isSwitch = (kind: WidgetKind): boolean => kind === 'button' || kind === 'checkbox';

const finite = (value: number, otherwise: number): number =>
  Number.isNaN(value) ? otherwise : Math.min(LARGEST, Math.max(-LARGEST, value));

/** A range that is one: an empty one goes on by a step, or by 1. */
function rangeOf({ min, max, step }: Widget): { readonly min: number; readonly max: number } {
  const [low, high] = [finite(min, 0), finite(max, 1)];
  if (low !== high) return { min: Math.min(low, high), max: Math.max(low, high) };
  const wide = finite(low + (step > 0 ? step : 1), low);
  if (wide > low) return { min: low, max: wide };
  // A step that is lost in so large a number.
  const away = Math.abs(low) / 2 ** 20;
  return low > 0 ? { min: low - away, max: low } : { min: low, max: low + away };
}

function wordsOf(label: Label, min: number): Pick<ControlSpec, 'unit' | 'scale' | 'doc'> {
  const unit = label.meta.get('unit')?.slice(0, 20);
  const doc = label.meta.get('tooltip')?.slice(0, 2000);
  return {
    ...(unit ? { unit } : {}),
    ...(label.meta.get('scale') === 'log' && min > 0 ? { scale: 'log' as const } : {}),
    ...(doc ? { doc } : {}),
  };
}

function controlOf(widget: Widget, label: Label): ControlSpec {
  const range = rangeOf(widget);
  const { step } = widget;
  return {
    initial: Math.min(range.max, Math.max(range.min, finite(widget.initial, range.min))),
    ...range,
    ...(step > 0 && step < Infinity ? { step } : {}),
    ...wordsOf(label, range.min),
  };
}

function meterOf(widget: Widget, label: Label, id: string): FaustMeter {
  const range = rangeOf(widget);
  return { in: id, ...range, ...wordsOf(label, range.min) } as FaustMeter;
}

// --- learning --------------------------------------------------------------------------------

const WORDS = `1, 0, ${LEARN_SCALES.join(', ')}`;

/** What the label asks of livegrad; what it cannot mean goes to `found`. */
function wishOf(
  { widget, label }: Placed,
  id: string,
  where: () => Line,
  found: Diagnostic[],
): Wish {
  const { learn, lr } = Object.fromEntries(label.meta);
  let asked: boolean | LearnScale = false;
  if (learn !== undefined) {
    const scale = LEARN_SCALES.find((one) => one === learn);
    if (scale !== undefined || learn === '1' || learn === 'true') asked = scale ?? true;
    else if (learn !== '0' && learn !== 'false') {
      const near = nearest(learn, LEARN_SCALES);
      const hint = near === undefined ? undefined : `did you mean "${near}"?`;
      found.push(metadata(`[learn:${learn}] of "${id}": expected one of ${WORDS}`, where(), hint));
    }
    if (asked !== false && isMeter(widget.kind)) {
      found.push(
        metadata(
          `"${id}" is a bargraph, which nothing can learn (${said(label, 'learn')})`,
          where(),
        ),
      );
    }
  }
  if (lr === undefined) return { learn: asked };
  const rate = Number(lr);
  if (lr !== '' && rate >= 0 && rate < Infinity) return { learn: asked, rate };
  const expected = 'expected a learning rate of 0 or more, in the unit in which it learns';
  found.push(metadata(`[lr:${lr}] of "${id}": ${expected}`, where()));
  return { learn: asked };
}

const said = ({ meta }: Label, key: string): string =>
  meta.has(key) ? `[${key}:${meta.get(key)}]` : `lg.${key}`;

/** Why a control cannot learn as it is to, or null. */
function unlearnable(
  { kind, min, max }: Widget,
  spec: ControlSpec,
  scale: true | LearnScale,
): string | null {
  if (isSwitch(kind)) return `is a ${kind}, which is on or off: expected a slider or a number`;
  if (!(min < max)) return `has nowhere to go: expected min < max, got ${min} and ${max}`;
  if (scale !== 'log' || spec.min > 0) return null;
  return `learns as a logarithm: expected min > 0, got ${spec.min}`;
}

interface Rates {
  /** Of the schedule, at its start. */
  readonly base: number;
  /** Whether a step has the length of the rate. */
  readonly isNormalised: boolean;
}

const ratesOf = ({ optimiser, schedule }: Fields): Rates => ({
  base: rateOf(schedule) ?? 0,
  isNormalised: NORMALISED.has(kindOf(optimiser)),
});

/**
 * A slider that learns: on the scale that suits it, and so fast that one rate suits sliders of any
 * unit, with one of the normalised optimisers, whose steps are as long as the rate.
 */
function learnt(
  spec: ControlSpec,
  wanted: true | LearnScale,
  own: number | undefined,
  { base, isNormalised }: Rates,
): ParamSpec {
  const scale = wanted === true ? scaleOf(spec) : wanted;
  const share = isNormalised ? lengthOf(scale, spec) : 1;
  const rate = Math.min(MAX_FACTOR, own === undefined || base === 0 ? share : own / base);
  return {
    ...spec,
    ...(scale === 'linear' ? {} : { learn: scale }),
    ...(rate === 1 ? {} : { rate }),
  };
}

/** Overrides of what is not there. */
function unknownIds(learn: Learn, known: ReadonlySet<string>): Diagnostic[] {
  return Object.keys(learn)
    .filter((id) => !known.has(id))
    .map((id, k) => {
      const near = k < SUGGESTIONS ? nearest(id, known) : undefined;
      const some = [...known].slice(0, SUGGESTIONS).join(', ') || 'none';
      return diagnostic(
        'PATCH_UNKNOWN_REFERENCE',
        pathOf(['faust', 'learn', id]),
        `the program has no control "${id}": expected one of ${some}`,
        near === undefined ? undefined : `did you mean "${near}"?`,
      );
    });
}

const CONVENTION =
  'say which: declare livegrad "[estimate:out 1][target:in 1]"; mark them by lg.estimate and lg.target of livegrad.lib; or give the program one output, or two: target and estimate';

/**
 * Estimate, target and loss where they are not said, by the number of outputs; null where neither they
 * nor that number say anything, and the program only plays.
 */
function objectiveOf(
  { terms, estimate, target, loss }: Fields,
  { inputs, outputs }: ProgramSignals,
): Result<Fields | null> {
  if (terms !== undefined) return ok({});
  if (outputs > 2 && [estimate, target, loss].every((said) => said === undefined)) return ok(null);
  const choice = lossSchema.safeParse(loss ?? 'mse');
  const needsTarget = !choice.success || takenBy(choice.data) !== 'estimate';
  const made = {
    estimate: outputs === 1 ? 'out1' : outputs === 2 ? 'out2' : undefined,
    target: outputs === 1 ? `in${inputs + 1}` : outputs === 2 ? 'out1' : undefined,
  };
  const missing = [
    ...(estimate === undefined && made.estimate === undefined ? ['estimate'] : []),
    ...(needsTarget && target === undefined && made.target === undefined ? ['target'] : []),
  ];
  if (missing.length > 0) {
    const what = `what is ${missing.join(' and what is ')}`;
    const count = `the program has ${outputs} outputs`;
    return fail(metadata(`${what} of the training? ${count}`, {}, CONVENTION));
  }
  return ok({
    ...(estimate === undefined ? { estimate: made.estimate } : {}),
    ...(needsTarget && target === undefined ? { target: made.target } : {}),
    ...(loss === undefined ? { loss: 'mse' } : {}),
  });
}

// --- what a person sees ------------------------------------------------------------------------

const STYLE_OF: Readonly<Partial<Record<WidgetKind, string>>> = {
  hslider: 'horizontal',
  vslider: 'vertical',
  nentry: 'number',
  button: 'button',
  checkbox: 'checkbox',
  hbargraph: 'horizontal',
  vbargraph: 'vertical',
};

/** The tree, every group of one label on one level once. */
function treeOf(
  placed: readonly Placed[],
  names: readonly string[],
  { groups: kinds }: Pick<FaustProgram, 'groups'>,
): readonly UiNode[] {
  interface Open {
    readonly items: UiNode[];
    readonly inside: Map<string, Open>;
  }
  const root: Open = { items: [], inside: new Map() };
  placed.forEach((one, k) => {
    let at = root;
    for (const raw of one.groups) {
      let next = at.inside.get(raw);
      if (next === undefined) {
        next = { items: [], inside: new Map() };
        at.inside.set(raw, next);
        const { text, meta } = readLabel(raw);
        const group: UiGroup = {
          group: Object.hasOwn(kinds, raw) ? kinds[raw]! : 'vertical',
          label: text.slice(0, MAX_LABEL),
          items: next.items,
          ...shownOf(meta),
        };
        at.items.push(group);
      }
      at = next;
    }
    at.items.push(leafOf(one, names[k]!));
  });
  return root.items;
}

function leafOf({ widget, label }: Placed, id: string): UiControl | UiMeter {
  const { text, meta } = label;
  const wanted = meta.get('style') ?? '';
  const ordinary = STYLE_OF[widget.kind];
  const common = { label: text.slice(0, MAX_LABEL) };
  if (isMeter(widget.kind)) {
    const asked = METER_STYLES.find((one) => one === (wanted === 'numerical' ? 'number' : wanted));
    const style = asked ?? METER_STYLES.find((one) => one === ordinary)!;
    return { meter: id, style, ...common, ...shownOf(meta, asked !== undefined) };
  }
  const list = /^(menu|radio)\s*\{(.*)\}$/su.exec(wanted);
  const choices = list === null ? null : choicesOf(list[2]!);
  const word = choices !== null ? list![1] : wanted === 'numerical' ? 'number' : wanted;
  const isPlain = word === 'knob' || word === 'number';
  const asked =
    choices !== null || isPlain ? CONTROL_STYLES.find((one) => one === word) : undefined;
  const style = asked ?? CONTROL_STYLES.find((one) => one === ordinary)!;
  return {
    control: id,
    style,
    ...(choices === null ? {} : { choices }),
    ...common,
    ...shownOf(meta, asked !== undefined),
  };
}

/** `'low':0;'high':1` → words and values; null where it is anything else. */
function choicesOf(text: string): [string, number][] | null {
  const choices: [string, number][] = [];
  const item = /\s*'([^']*)'\s*:\s*([-+.\w]+)\s*(?:;|$)/uy;
  while (item.lastIndex < text.trimEnd().length) {
    const match = item.exec(text);
    const value = Number(match?.[2]);
    if (match === null || !Number.isFinite(value) || choices.length === 1000) return null;
    choices.push([match[1]!.slice(0, MAX_LABEL), finite(value, 0)]);
  }
  return choices.length === 0 ? null : choices;
}

/** What a tree says besides label and style; metadata that nobody here understood is passed on. */
function shownOf(meta: Label['meta'], isStyled = false): Pick<UiNode, 'doc' | 'hidden' | 'meta'> {
  const isUnderstood = (key: string, value: string): boolean =>
    OWN_KEYS.has(key) ||
    (key === 'style' && isStyled) ||
    (key === 'scale' && (value === 'log' || value === 'lin')) ||
    (value === '' && /^\d*$/u.test(key));
  const rest = [...meta]
    .filter(([key, value]) => !isUnderstood(key, value) && key !== '__proto__')
    .map(([key, value]) => [key.slice(0, MAX_LABEL), value.slice(0, 2000)] as const);
  const doc = meta.get('tooltip')?.slice(0, 2000);
  return {
    ...(doc ? { doc } : {}),
    ...(meta.get('hidden') === '1' ? { hidden: true } : {}),
    ...(rest.length === 0 ? {} : { meta: Object.fromEntries(rest) }),
  };
}

/** Name, title and text by the program's declarations. */
function titlesOf({ declares }: Pick<FaustProgram, 'declares'>): {
  readonly name?: string;
  readonly title?: string;
  readonly doc?: string;
} {
  const of = (key: string): string => (declares.findLast(([one]) => one === key)?.[1] ?? '').trim();
  const title = of('name').slice(0, MAX_LABEL);
  const name = nameOf(title);
  const doc = of('description').slice(0, 10_000);
  return {
    ...(name === '' ? {} : { name }),
    ...(title === '' || title === name ? {} : { title }),
    ...(doc === '' ? {} : { doc }),
  };
}

// --- diagnostics -------------------------------------------------------------------------------

type Line = { readonly line?: number };

const metadata = (message: string, line: Line, hint?: string): Diagnostic => ({
  ...diagnostic('FAUST_METADATA', 'faust.code', message, hint),
  ...line,
});

/** Where a label stands in the source, if it stands there once. */
function lineOf(code: string | undefined, raw: string): Line {
  const at = code?.indexOf(raw) ?? -1;
  if (code === undefined || raw === '' || at < 0 || code.indexOf(raw, at + 1) >= 0) return {};
  return { line: code.slice(0, at).split('\n').length };
}
