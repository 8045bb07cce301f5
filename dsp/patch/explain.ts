/**
 * What the schema finds wrong with a document, in words that help: what, expected, got, where, and
 * what somebody who wrote it may have meant.
 *
 * Invariant: every issue gives at least one diagnostic with a path; nothing is judged here.
 */

import type { z } from 'zod';
import { diagnostic, nearest, pathOf, show } from '../diagnostic.ts';
import type { Diagnostic } from '../diagnostic.ts';
import { LOSS_FIELDS, LOSS_KINDS } from '../learn/losses/table.ts';
import { OPTIMISER_FIELDS } from '../learn/optimisers/table.ts';
import { nodeOps } from './names.ts';

/** Of several things that the schema says of one value, the first is the one that helps. */
export function onePerPath(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.filter(({ path }) => {
    const isNew = !seen.has(path);
    seen.add(path);
    return isNew;
  });
}

/** What people write for an operation that has another name here; Faust's names among them. */
export const SYNONYMS: Readonly<Record<string, string>> = {
  '!=': 'ne',
  '%': 'fmod',
  '&': 'and',
  "'": 'mem',
  '*': 'mul',
  '+': 'add',
  '-': 'sub',
  '/': 'div',
  '<': 'lt',
  '<<': 'shl',
  '<=': 'le',
  '==': 'eq',
  '>': 'gt',
  '>=': 'ge',
  '>>': 'shr',
  '@': 'delayBy',
  '^': 'pow',
  '|': 'or',
  absolute: 'abs',
  attack: 'envelope',
  angle: 'phase',
  average: 'runningMean',
  clamp: 'clip',
  cumsum: 'cumulativeSum',
  db2gain: 'dbToGain',
  db2linear: 'dbToGain',
  dcblocker: 'dcBlocker',
  fft: 'rfft',
  ifft: 'irfft',
  istft: 'overlapAdd',
  stft: 'frames',
  divide: 'div',
  earthMover: 'transport',
  fabs: 'abs',
  fdelay: 'delayBy',
  float: 'toReal',
  highshelf: 'highShelf',
  if: 'select',
  int: 'toInt',
  linear2db: 'gainToDb',
  linspace: 'ramp',
  log: 'ln',
  lowshelf: 'lowShelf',
  maximum: 'max',
  mean: 'runningMean',
  midikey2hz: 'mtof',
  minimum: 'min',
  minus: 'sub',
  mix: 'lerp',
  mod: 'fmod',
  modulo: 'fmod',
  multiply: 'mul',
  negate: 'neg',
  nearest: 'rint',
  nearbyint: 'rint',
  osc: 'sine',
  peak: 'peaking',
  plus: 'add',
  pole: 'onePole',
  rdtable: 'table',
  rwtable: 'rwTable',
  saturate: 'clip',
  sawtooth: 'saw',
  select2: 'select',
  signum: 'sign',
  smoo: 'smooth',
  stopGradient: 'detach',
  stop_gradient: 'detach',
  subtract: 'sub',
  tf2: 'biquad',
  times: 'mul',
  wasserstein: 'transport',
};

/** What to know about a name that means something else where people know it from. */
const NOTES: Readonly<Record<string, string>> = {
  log: 'it is the natural one',
  pole: 'its gain is 1 at DC: onePole(x, a) is (1 − a)·x + a·y′',
  select2: 'the sides are the other way round: select2(c, a, b) is select(c, b, a)',
  smoo: 'it takes a time in seconds',
  tf2: 'the operands are in the same order, x first',
  '%': 'of ints it is a real: use "toInt"',
  '@': 'it needs the longest length in the field "max"; a length that stands still is a "delay"',
};

/** Fields of the parts of a patch, for suggestions. */
const FIELDS = [
  ...LOSS_FIELDS,
  ...OPTIMISER_FIELDS,
  ...(
    'format name title doc sliders params nodes outputs meters training expect estimate target loss terms weight window mode carry optimiser weightDecay clip norm groups params learn schedule guards kind ' +
    'size fanIn fanOut lanes from values units taps dilation activation hop bands low high forward ' +
    'rate delta every factor final steps milestones power after growth peak rise divide finalDivide shape threePhase up down patience threshold relative cooldown lowest epsilon warmup start glide at maxLoss maxGradient leap rising move times silence initial min max step unit scale op in channel frames interpolation values waveform size wrap init seed gradient width param value tolerance seconds faust code ui group items control label style choices hidden meta'
  ).split(' '),
];

export const fromIssue = (issue: z.core.$ZodIssue): Diagnostic[] => explain(issue, FIELDS);

/** @param outermost  names of the outermost fields, for suggestions */
export function explain(issue: z.core.$ZodIssue, outermost: readonly string[]): Diagnostic[] {
  const path = pathOf(issue.path);
  const got = 'input' in issue ? show(issue.input) : 'nothing';
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const known = issue.path.length === 0 ? outermost : FIELDS;
        const hint = known.includes(key) ? undefined : hintOf(key, known);
        const where = pathOf([...issue.path, key]);
        return diagnostic('PATCH_INVALID', where, `unknown field "${key}"`, hint);
      });
    case 'invalid_union': {
      if (issue.path.at(-1) === 'initial') return fromInitial(issue, path, got);
      if (issue.path.at(-1) === 'loss') return fromLoss(issue, path, got);
      if (issue.path[0] === 'ui') return fromUi(issue, path, got);
      if (issue.path.at(-2) === 'guards') return fromGuard(issue, path, got);
      const op = (issue.input as { op?: unknown } | undefined)?.op;
      if (issue.discriminator === 'op') {
        const known = nodeOps();
        const hint = typeof op === 'string' ? hintFor(op, known) : undefined;
        // More than a hundred names help only somebody whose word is near none of them.
        const expected = hint === undefined ? `: expected one of ${known.join(', ')}; got` : '';
        const where = pathOf([...issue.path]);
        return [
          diagnostic('PATCH_INVALID', where, `unknown operation${expected} ${show(op)}`, hint),
        ];
      }
      if (issue.discriminator !== undefined) {
        const field =
          issue.path.at(-1) === issue.discriminator
            ? issue.path
            : [...issue.path, issue.discriminator];
        const input = (issue.input as Record<string, unknown> | undefined)?.[issue.discriminator];
        const given = typeof issue.input === 'object' ? input : issue.input;
        const options =
          'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
        const known = options.length > 0 ? `one of ${options.join(', ')}` : 'another value';
        return [
          diagnostic(
            'PATCH_INVALID',
            pathOf(field),
            `unknown ${issue.discriminator}: expected ${known}; got ${show(given)}`,
            hintOf(given, options),
          ),
        ];
      }
      return fromChoice(issue, path, got);
    }
    case 'invalid_key':
      return [
        diagnostic(
          'PATCH_INVALID',
          path,
          `unusable id: ${issue.issues[0]?.message ?? issue.message}`,
        ),
      ];
    case 'invalid_value': {
      const hint = hintOf(issue.input, issue.values.map(String));
      const known = issue.values.map((value) => JSON.stringify(value)).join(', ');
      const expected = `expected ${issue.values.length > 1 ? 'one of ' : ''}${known}`;
      const message = got === 'nothing' ? `missing: ${expected}` : `${expected}, got ${got}`;
      return [diagnostic('PATCH_INVALID', path, message, hint)];
    }
    default:
      return [diagnostic('PATCH_INVALID', path, plainly(issue.message, got))];
  }
}

/** One of some names, or something else: the names, or what is said of the object that was meant. */
function fromChoice(issue: z.core.$ZodIssueInvalidUnion, path: string, got: string): Diagnostic[] {
  const names = issue.errors.flat().flatMap((inner) => {
    return inner.code === 'invalid_value' && inner.path.length === 0
      ? inner.values.map(String)
      : [];
  });
  if (names.length === 0) {
    return [diagnostic('PATCH_INVALID', path, `expected an id or a finite number, got ${got}`)];
  }
  const isObject = typeof issue.input === 'object' && issue.input !== null;
  const meant = issue.errors.find((of) => of.every(isWithin)) ?? [];
  if (isObject && meant.length > 0) {
    return meant.flatMap((inner) => fromIssue({ ...inner, path: [...issue.path, ...inner.path] }));
  }
  const message = `expected one of ${names.join(', ')}, got ${got}`;
  return [diagnostic('PATCH_INVALID', path, message, hintOf(issue.input, names))];
}

/** Whether an issue is of what is in a value: the value itself is of the right kind. */
const isWithin = ({ code, path }: z.core.$ZodIssue): boolean =>
  path.length > 0 || code === 'unrecognized_keys';

/** A number, a list or an object: what is said of the one that was meant. */
function fromInitial(issue: z.core.$ZodIssueInvalidUnion, path: string, got: string): Diagnostic[] {
  const isObject = typeof issue.input === 'object' && issue.input !== null;
  const [, list = [], drawn = []] = issue.errors;
  const meant = Array.isArray(issue.input) ? list : isObject ? drawn : [];
  if (meant.length > 0) {
    return meant.flatMap((inner) => fromIssue({ ...inner, path: [...issue.path, ...inner.path] }));
  }
  const expected = 'expected a number, a list of numbers or { "init": … }';
  return [diagnostic('PATCH_INVALID', path, `${expected}, got ${got}`)];
}

/** A switch, or settings: what is said of the one that was meant. */
function fromGuard(issue: z.core.$ZodIssueInvalidUnion, path: string, got: string): Diagnostic[] {
  const meant = issue.errors.at(-1) ?? [];
  const isSettings = typeof issue.input === 'object' && issue.input !== null;
  if ((isSettings || typeof issue.input === 'number') && meant.length > 0) {
    return meant.flatMap((inner) => fromIssue({ ...inner, path: [...issue.path, ...inner.path] }));
  }
  const message = `expected false, which turns it off, or its settings, got ${got}`;
  return [diagnostic('PATCH_INVALID', path, message)];
}

/** A control, a meter or a group: what is said of the one that was meant. */
function fromUi(issue: z.core.$ZodIssueInvalidUnion, path: string, got: string): Diagnostic[] {
  const { input } = issue;
  const isNode = typeof input === 'object' && input !== null;
  const place = isNode ? ['control', 'meter', 'group'].findIndex((key) => key in input) : -1;
  const meant = issue.errors[place] ?? [];
  if (meant.length > 0) {
    return meant.flatMap((inner) => fromIssue({ ...inner, path: [...issue.path, ...inner.path] }));
  }
  const message = `expected { "control": id, … }, { "meter": id, … } or { "group": …, "items": […] }, got ${got}`;
  return [diagnostic('PATCH_INVALID', path, message)];
}

/** A name or an object: what is said of the one that was meant. */
function fromLoss(issue: z.core.$ZodIssueInvalidUnion, path: string, got: string): Diagnostic[] {
  const [, options = []] = issue.errors;
  if (typeof issue.input === 'object' && issue.input !== null && options.length > 0) {
    return options.flatMap((inner) =>
      fromIssue({ ...inner, path: [...issue.path, ...inner.path] }),
    );
  }
  const expected = `expected one of ${LOSS_KINDS.join(', ')}, or { "kind": …, options }`;
  const hint = hintOf(issue.input, LOSS_KINDS);
  return [diagnostic('PATCH_INVALID', path, `unknown loss: ${expected}; got ${got}`, hint)];
}

/** The name that somebody may have meant who gave something else. */
function hintOf(given: unknown, names: readonly string[]): string | undefined {
  const near = typeof given === 'string' ? nearest(given, names) : undefined;
  return near === undefined ? undefined : `did you mean "${near}"?`;
}

/** The schema's own sentence, without its "Invalid input", and with what was got. */
function plainly(message: string, got: string): string {
  const said = message
    .replace(/^Invalid input: /u, '')
    .replace(/expected (array|tuple)/u, 'expected a list')
    .replace(/expected (string|number|object|record)/u, 'expected a $1')
    .replace('expected boolean', 'expected true or false')
    .replace('a record', 'an object')
    .replace('a object', 'an object')
    .replace(/, received .*$/u, '')
    .replace(/^Invalid /u, 'unusable ');
  return got === 'nothing' ? `missing: ${said}` : `${said}, got ${got}`;
}

/** What somebody who wrote `op` may have meant. A Faust library's prefix, as in fi.lowpass, is none. */
function hintFor(op: string, known: readonly string[]): string | undefined {
  const name = op.replace(/^[a-z]{2}\./u, '');
  const of = (table: Readonly<Record<string, string>>): string | undefined =>
    Object.hasOwn(table, name) ? table[name] : undefined;
  const near = of(SYNONYMS) ?? nearest(name, known);
  if (near === undefined) return undefined;
  const note = of(NOTES);
  return note === undefined ? `did you mean "${near}"?` : `did you mean "${near}"? ${note}`;
}
