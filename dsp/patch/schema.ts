/**
 * The patch document, `livegrad.patch/1`: a DSP program with its controls and its training, as
 * plain JSON that a client may upload. It is data, never code.
 *
 * Invariant: `parsePatch` returns every problem of shape, reference, count and range at once, each
 * with its path; a Patch that it returned lowers without a surprise of that kind. It does not know
 * the sample rate or the device: what depends on those is said by `lower`.
 */

import { z } from 'zod';
import type { ControlSpec } from '../control.ts';
import { diagnostic, fail, nearest, ok } from '../diagnostic.ts';
import type { Diagnostic, Result } from '../diagnostic.ts';
import { OPS, OP_KINDS } from '../ir/ops.ts';
import type { OpKind } from '../ir/ops.ts';
import { LOSS_KINDS, lossSchema } from '../learn/losses.ts';
import { scheduleSchema } from '../learn/schedule.ts';
import { BEYOND, DELAY_INTERPOLATIONS } from './delays.ts';
import { hopSchema } from './frames.ts';
import { FUNCTIONS, FUNCTION_NAMES, isFunction } from './functions.ts';
import type { FunctionName } from './functions.ts';
import { checkLanes } from './lanes.ts';
import { idSchema, number, operandSchema } from './operand.ts';
import type { Operand } from './operand.ts';
import { MAX_SIZE, controlNames, initSchema, lanesOfParam, wrongInitial } from './params.ts';
import type { ParamSpec } from './params.ts';
import { checkRates } from './rates.ts';
import { lanesSchema } from './rule.ts';
import { ORDERS, ORDER_GRADIENTS, ROUNDINGS, ROUNDING_GRADIENTS } from './surrogates.ts';
import type { Order, Rounding } from './surrogates.ts';
import { TABLE_INTERPOLATIONS, WAVEFORMS } from './tables.ts';
import { VECTOR_OP_NAMES, VECTOR_SCHEMAS, isVectorOp, operandRange } from './vectors.ts';

export type { Operand } from './operand.ts';
export { idSchema, operandSchema } from './operand.ts';

export const PATCH_FORMAT = 'livegrad.patch/1';

const controlFields = {
  min: number,
  max: number,
  step: z.number().positive().optional(),
  unit: z.string().max(20).optional(),
  scale: z.enum(['linear', 'log']).optional(),
  doc: z.string().max(2000).optional(),
};

export const controlSchema: z.ZodType<ControlSpec> = z.strictObject({
  initial: number,
  ...controlFields,
});

export const paramSchema: z.ZodType<ParamSpec> = z.strictObject({
  initial: z.union([number, z.array(number).max(MAX_SIZE), initSchema]),
  size: z.number().int().min(1).max(MAX_SIZE).optional(),
  ...controlFields,
});

const MAX_DELAY = 2 ** 22;
const frames = z.number().int().min(1).max(MAX_DELAY);
const one = z.tuple([operandSchema]);

const MAX_TABLE = 2 ** 18;
const size = z.number().int().min(1).max(MAX_TABLE);
const values = z.array(number).min(1).max(MAX_TABLE);

/** Operations of the IR that a patch uses directly, by their IR names. */
export const PLAIN_OPS = OP_KINDS.filter((kind) => OPS[kind].inPatch) as readonly PlainOp[];
export type PlainOp = {
  [K in OpKind]: (typeof OPS)[K]['inPatch'] extends true ? K : never;
}[OpKind];

/** Longest list of operands that any operation takes. */
const MAX_OPERANDS = Math.max(
  ...PLAIN_OPS.map((op) => OPS[op].arity),
  ...FUNCTION_NAMES.map((name) => FUNCTIONS[name].arity),
);
const operands = z.array(operandSchema).max(MAX_OPERANDS);

/** Operations without fields of their own. */
type BareOp = Exclude<PlainOp | FunctionName, Rounding | Order>;
const WITH_FIELDS: ReadonlySet<string> = new Set([...ROUNDINGS, ...ORDERS]);
const BARE_OPS = [...PLAIN_OPS, ...FUNCTION_NAMES].filter(
  (op) => !WITH_FIELDS.has(op),
) as unknown as [BareOp, ...BareOp[]];

export const nodeSchema = z.discriminatedUnion('op', [
  /** A device input, counted from 1 as on the box. */
  z.strictObject({ op: z.literal('input'), channel: z.number().int().min(1).max(64) }),
  /** Its operand `frames` samples ago; recursion goes through this. `init` is what was before. */
  z.strictObject({
    op: z.literal('delay'),
    in: one,
    frames,
    init: number.optional(),
    /** Of a vector in a recursion that nothing else tells the lanes of. */
    lanes: lanesSchema.optional(),
    /** Of frames in a recursion that nothing else tells the rate of. */
    hop: hopSchema.optional(),
  }),
  /** Its first operand as many samples ago as the second says, at most `max`. */
  z.strictObject({
    op: z.literal('delayBy'),
    in: z.tuple([operandSchema, operandSchema]),
    max: z
      .number()
      .int()
      .min(1)
      .max(MAX_DELAY - BEYOND),
    interpolation: z.enum(DELAY_INTERPOLATIONS).optional(),
  }),
  /** `values`, or `size` samples of a `waveform`, read at an index. */
  z.strictObject({
    op: z.literal('table'),
    in: one,
    values: values.optional(),
    waveform: z.enum(WAVEFORMS).optional(),
    size: size.optional(),
    interpolation: z.enum(TABLE_INTERPOLATIONS).optional(),
    wrap: z.boolean().optional(),
  }),
  /** Written and read at every sample: what, where, from where. `size` zeros or `values` at first. */
  z.strictObject({
    op: z.literal('rwTable'),
    in: z.tuple([operandSchema, operandSchema, operandSchema]),
    values: values.optional(),
    size: size.optional(),
  }),
  /** White noise in [−1, 1], the same for the same seed. */
  z.strictObject({
    op: z.literal('noise'),
    seed: z
      .number()
      .int()
      .min(0)
      .max(2 ** 31 - 1)
      .optional(),
  }),
  /** Its operand one frame ago: a delay of one frame. */
  z.strictObject({ op: z.literal('mem'), in: one }),
  /** The sum of the last `frames` values, zeros before the start. */
  z.strictObject({ op: z.literal('runningSum'), in: one, frames }),
  /** The mean of the last `frames` values, zeros before the start. */
  z.strictObject({ op: z.literal('runningMean'), in: one, frames }),
  /** Delayed by the round trip of the device, so that it lines up with what comes back. */
  z.strictObject({ op: z.literal('align'), in: one }),
  /** What its derivative is, where the mathematical one is 0. */
  z.strictObject({
    op: z.enum(ROUNDINGS),
    in: operands,
    gradient: z.enum(ROUNDING_GRADIENTS).optional(),
  }),
  /** `width` of the sigmoid, in units of the operands. */
  z.strictObject({
    op: z.enum(ORDERS),
    in: operands,
    gradient: z.enum(ORDER_GRADIENTS).optional(),
    width: z.number().min(1e-30).max(1e30).optional(),
  }),
  z.strictObject({ op: z.enum(BARE_OPS), in: operands }),
  ...VECTOR_SCHEMAS,
]);
export type PatchNode = z.infer<typeof nodeSchema>;

export const trainingSchema = z.strictObject({
  estimate: idSchema,
  target: idSchema,
  loss: lossSchema,
  /** Samples from one optimiser step to the next; the loss is a mean over them. */
  window: z
    .number()
    .int()
    .min(1)
    .max(2 ** 16),
  mode: z.enum(['auto', 'forward', 'reverse']).default('auto'),
  /** Samples before the window that reverse mode goes on through; 0 truncates at the window. */
  carry: z
    .number()
    .int()
    .min(0)
    .max(2 ** 16)
    .optional(),
  optimiser: z.strictObject({ kind: z.literal('sgd') }).default({ kind: 'sgd' }),
  schedule: scheduleSchema,
});
export type Training = z.infer<typeof trainingSchema>;

export const expectationSchema = z.strictObject({
  param: idSchema,
  value: number,
  tolerance: z.number().positive(),
  seconds: z.number().positive().max(3600),
});
export type Expectation = z.infer<typeof expectationSchema>;

export const patchSchema = z.strictObject({
  format: z.literal(PATCH_FORMAT),
  name: z
    .string()
    .max(60)
    .regex(/^[A-Za-z][\w-]*$/u, 'expected letters, digits, "-" and "_", starting with a letter'),
  title: z.string().max(200).optional(),
  doc: z.string().max(10_000).optional(),
  sliders: z.record(idSchema, controlSchema).default({}),
  params: z.record(idSchema, paramSchema).default({}),
  nodes: z.record(idSchema, nodeSchema),
  /** What is played on output 1, 2, … : nodes or controls. */
  outputs: z.array(operandSchema).max(64).default([]),
  training: trainingSchema.optional(),
  /** What an offline run with the default settings must learn, and how soon. */
  expect: z.array(expectationSchema).max(100).default([]),
});
export type Patch = z.infer<typeof patchSchema>;

/** Limits that keep a hostile document from eating the host. */
const MAX_NODES = 20_000;
const MAX_PARAMS = 100_000;
const SUGGESTIONS = 20;

/**
 * A checked Patch from any JSON value.
 *
 * @returns the patch with defaults filled in, or all diagnostics: PATCH_FORMAT, PATCH_INVALID,
 *   PATCH_NAME_TAKEN, PATCH_UNKNOWN_REFERENCE, PATCH_OPERAND_COUNT, PATCH_INSTANT_LOOP,
 *   PATCH_CONTROL_RANGE, PATCH_SHAPE, PATCH_RATE, PATCH_TOO_LARGE
 * Cost: linear in the document.
 */
export function parsePatch(json: unknown): Result<Patch> {
  if (typeof json === 'object' && json !== null && 'format' in json) {
    const { format } = json;
    if (format !== PATCH_FORMAT) {
      return fail(
        diagnostic(
          'PATCH_FORMAT',
          'format',
          `unknown format: expected "${PATCH_FORMAT}", got ${show(format)}`,
        ),
      );
    }
    if ('nodes' in json && typeof json.nodes === 'object' && json.nodes !== null) {
      const count = Object.keys(json.nodes).length;
      if (count > MAX_NODES) {
        return fail(
          diagnostic(
            'PATCH_TOO_LARGE',
            'nodes',
            `too many nodes: expected at most ${MAX_NODES}, got ${count}`,
          ),
        );
      }
    }
  }
  const hidden = hiddenNames(json);
  if (hidden.length > 0) return { ok: false, diagnostics: hidden };
  const parsed = patchSchema.safeParse(json, { reportInput: true });
  if (!parsed.success) {
    return { ok: false, diagnostics: onePerPath(parsed.error.issues.flatMap(fromIssue)) };
  }
  const diagnostics = checkMeaning(parsed.data);
  return diagnostics.length > 0 ? { ok: false, diagnostics } : ok(parsed.data);
}

/** Names that a JavaScript object keeps for itself, which the schema would pass over in silence. */
function hiddenNames(json: unknown): Diagnostic[] {
  if (typeof json !== 'object' || json === null) return [];
  return (['sliders', 'params', 'nodes'] as const).flatMap((kind) => {
    const group: unknown = (json as Record<string, unknown>)[kind];
    if (typeof group !== 'object' || group === null || !Object.hasOwn(group, '__proto__'))
      return [];
    return [diagnostic('PATCH_INVALID', `${kind}.__proto__`, 'unusable id: "__proto__"')];
  });
}

/** A path as a person writes it: nodes.estimate.in[1], nodes["hidden/x"].op. */
export function pathOf(keys: readonly PropertyKey[]): string {
  return keys
    .map((key, i) => {
      if (typeof key === 'number') return `[${key}]`;
      const text = String(key);
      if (!/^[\w-]+$/u.test(text)) return `[${JSON.stringify(text)}]`;
      return i === 0 ? text : `.${text}`;
    })
    .join('');
}

/** Of several things that the schema says of one value, the first is the one that helps. */
function onePerPath(diagnostics: readonly Diagnostic[]): Diagnostic[] {
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
  db2gain: 'dbToGain',
  db2linear: 'dbToGain',
  dcblocker: 'dcBlocker',
  fft: 'rfft',
  ifft: 'irfft',
  istft: 'overlapAdd',
  stft: 'frames',
  divide: 'div',
  fabs: 'abs',
  fdelay: 'delayBy',
  float: 'toReal',
  highshelf: 'highShelf',
  if: 'select',
  int: 'toInt',
  linear2db: 'gainToDb',
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
const FIELDS = (
  'format name title doc sliders params nodes outputs training expect estimate target loss window mode carry optimiser schedule kind ' +
  'size fanIn fanOut lanes from values units taps dilation activation hop bands low high floor sizes overlap ' +
  'rate delta every factor final steps initial min max step unit scale op in channel frames interpolation values waveform size wrap init seed gradient width param value tolerance seconds'
).split(' ');

function fromIssue(issue: z.core.$ZodIssue): Diagnostic[] {
  const path = pathOf(issue.path);
  const got = 'input' in issue ? show(issue.input) : 'nothing';
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const near = nearest(key, FIELDS);
        const hint = near === undefined ? undefined : `did you mean "${near}"?`;
        const where = pathOf([...issue.path, key]);
        return diagnostic('PATCH_INVALID', where, `unknown field "${key}"`, hint);
      });
    case 'invalid_union': {
      if (issue.path.at(-1) === 'initial') return fromInitial(issue, path, got);
      if (issue.path.at(-1) === 'loss') return fromLoss(issue, path, got);
      const op = (issue.input as { op?: unknown } | undefined)?.op;
      if (issue.discriminator === 'op') {
        const known = nodeOps();
        const hint = typeof op === 'string' ? hintFor(op, known) : undefined;
        return [
          diagnostic(
            'PATCH_INVALID',
            pathOf([...issue.path]),
            `unknown operation: expected one of ${known.join(', ')}; got ${show(op)}`,
            hint,
          ),
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
        const near = typeof given === 'string' ? nearest(given, options) : undefined;
        const known = options.length > 0 ? `one of ${options.join(', ')}` : 'another value';
        return [
          diagnostic(
            'PATCH_INVALID',
            pathOf(field),
            `unknown ${issue.discriminator}: expected ${known}; got ${show(given)}`,
            near === undefined ? undefined : `did you mean "${near}"?`,
          ),
        ];
      }
      return [diagnostic('PATCH_INVALID', path, `expected an id or a finite number, got ${got}`)];
    }
    case 'invalid_key':
      return [
        diagnostic(
          'PATCH_INVALID',
          path,
          `unusable id: ${issue.issues[0]?.message ?? issue.message}`,
        ),
      ];
    default:
      return [diagnostic('PATCH_INVALID', path, plainly(issue.message, got))];
  }
}

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

/** A name or an object: what is said of the one that was meant. */
function fromLoss(issue: z.core.$ZodIssueInvalidUnion, path: string, got: string): Diagnostic[] {
  const [, options = []] = issue.errors;
  if (typeof issue.input === 'object' && issue.input !== null && options.length > 0) {
    return options.flatMap((inner) =>
      fromIssue({ ...inner, path: [...issue.path, ...inner.path] }),
    );
  }
  const expected = `expected one of ${LOSS_KINDS.join(', ')}, or { "kind": …, options }`;
  const near = typeof issue.input === 'string' ? nearest(issue.input, LOSS_KINDS) : undefined;
  const hint = near === undefined ? undefined : `did you mean "${near}"?`;
  return [diagnostic('PATCH_INVALID', path, `unknown loss: ${expected}; got ${got}`, hint)];
}

/** The schema's own sentence, without its "Invalid input", and with what was got. */
function plainly(message: string, got: string): string {
  const said = message
    .replace(/^Invalid input: /u, '')
    .replace(/expected (array|tuple)/u, 'expected a list')
    .replace(/expected (string|number|object|record)/u, 'expected a $1')
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

/** Every operation a patch node may name. */
export function nodeOps(): readonly string[] {
  return [
    'input',
    'delay',
    'delayBy',
    'mem',
    'table',
    'rwTable',
    'noise',
    'runningSum',
    'runningMean',
    'align',
    ...PLAIN_OPS,
    ...FUNCTION_NAMES,
    ...VECTOR_OP_NAMES,
  ];
}

/** A value as a message quotes it: short, and no deeper than needed, however deep it is. */
function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? '[]' : 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function checkMeaning(patch: Patch): Diagnostic[] {
  const found: Diagnostic[] = [];
  const known = new Set([
    ...Object.keys(patch.sliders),
    ...Object.keys(patch.params),
    ...Object.keys(patch.nodes),
  ]);

  for (const kind of ['sliders', 'params'] as const) {
    for (const [id, spec] of Object.entries(patch[kind])) {
      checkControl(found, pathOf([kind, id]), spec);
      if (kind === 'params' && Object.hasOwn(patch.sliders, id))
        taken(found, 'params', id, 'sliders');
    }
  }
  for (const id of Object.keys(patch.nodes)) {
    if (Object.hasOwn(patch.sliders, id)) taken(found, 'nodes', id, 'sliders');
    if (Object.hasOwn(patch.params, id)) taken(found, 'nodes', id, 'params');
  }

  checkVectors(found, patch, known);

  const refer = (path: string, operand: Operand): void => {
    if (typeof operand === 'number' || known.has(operand)) return;
    // A search through all names each: only for as many as a person reads.
    const near = found.length < SUGGESTIONS ? nearest(operand, known) : undefined;
    found.push(
      diagnostic(
        'PATCH_UNKNOWN_REFERENCE',
        path,
        `nothing is called "${operand}": expected the id of a node, slider or param`,
        near === undefined ? undefined : `did you mean "${near}"?`,
      ),
    );
  };

  for (const [id, node] of Object.entries(patch.nodes)) {
    if (!('in' in node)) continue;
    const [fewest, most] = arityOf(node.op);
    if (node.in.length < fewest || node.in.length > most) {
      const count = fewest === most ? String(fewest) : `${fewest} to ${most}`;
      found.push(
        diagnostic(
          'PATCH_OPERAND_COUNT',
          pathOf(['nodes', id, 'in']),
          `"${node.op}" takes ${count} operand${count === '1' ? '' : 's'}, got ${node.in.length}`,
        ),
      );
    }
    node.in.forEach((operand, i) => refer(pathOf(['nodes', id, 'in', i]), operand));
    if (node.op === 'table' || node.op === 'rwTable') checkTable(found, id, node);
    if ('width' in node && node.width !== undefined && node.gradient !== 'sigmoid') {
      found.push(
        diagnostic(
          'PATCH_INVALID',
          pathOf(['nodes', id, 'width']),
          `the width of a sigmoid: expected "gradient": "sigmoid" with it, got ${show(node.gradient)}`,
        ),
      );
    }
  }
  patch.outputs.forEach((operand, i) => refer(pathOf(['outputs', i]), operand));
  if (patch.training !== undefined) {
    refer('training.estimate', patch.training.estimate);
    refer('training.target', patch.training.target);
  }
  const controls = new Set(
    Object.entries(patch.params).flatMap(([id, spec]) => controlNames(id, spec)),
  );
  patch.expect.forEach((e, i) => {
    if (!controls.has(e.param)) {
      found.push(
        diagnostic(
          'PATCH_UNKNOWN_REFERENCE',
          pathOf(['expect', i, 'param']),
          `no param is called "${e.param}": expected one of ${[...controls].slice(0, SUGGESTIONS).join(', ')}`,
        ),
      );
    }
  });
  if (found.length === 0) checkLoops(found, patch);
  if (found.length === 0) found.push(...checkLanes(patch, pathOf));
  return found.length > 0 ? found : checkRates(patch, pathOf);
}

/** Where a table's values come from is said once. */
function checkTable(
  found: Diagnostic[],
  id: string,
  node: Extract<PatchNode, { op: 'table' | 'rwTable' }>,
): void {
  const has = (field: string): boolean => Object.hasOwn(node, field);
  const isWave = node.op === 'table';
  const other = isWave ? ['waveform', 'size'] : ['size'];
  const isOther = other.every(has);
  if (has('values') ? !other.some(has) : isOther) return;
  const wanted = isWave ? '"values", or "waveform" and "size"' : '"values" or "size"';
  const given = ['values', ...other].filter(has).map((field) => `"${field}"`);
  found.push(
    diagnostic(
      'PATCH_INVALID',
      pathOf(['nodes', id]),
      `what is in the table: expected ${wanted}, got ${given.join(' and ') || 'nothing'}`,
    ),
  );
}

/** Starting values of vectors, and names that their numbers take from others. */
function checkVectors(found: Diagnostic[], patch: Patch, known: ReadonlySet<string>): void {
  let total = 0;
  for (const [id, spec] of Object.entries(patch.params)) {
    total += lanesOfParam(spec);
    const wrong = wrongInitial(spec);
    if (wrong !== null)
      found.push(diagnostic('PATCH_INVALID', pathOf(['params', id, 'initial']), wrong));
    if (spec.size === undefined) continue;
    const name = controlNames(id, spec).find((one) => known.has(one));
    if (name === undefined) continue;
    const kind = (['sliders', 'params', 'nodes'] as const).find((k) =>
      Object.hasOwn(patch[k], name),
    )!;
    taken(found, kind, name, `params: it is a number of the vector "${id}"`);
  }
  if (total > MAX_PARAMS) {
    const message = `too many learnable numbers: expected at most ${MAX_PARAMS}, got ${total}`;
    found.push(diagnostic('PATCH_TOO_LARGE', 'params', message));
  }
}

/** Fewest and most operands; any for an operation whose schema counts them itself. */
function arityOf(op: string): readonly [number, number] {
  if (isVectorOp(op)) return operandRange(op);
  if (isFunction(op)) return [FUNCTIONS[op].arity, FUNCTIONS[op].arity];
  if (!(PLAIN_OPS as readonly string[]).includes(op)) return [0, Infinity];
  const { arity } = OPS[op as PlainOp];
  return [arity, arity];
}

function taken(found: Diagnostic[], kind: string, id: string, other: string): void {
  found.push(
    diagnostic('PATCH_NAME_TAKEN', pathOf([kind, id]), `"${id}" is already used in ${other}`),
  );
}

function checkControl(found: Diagnostic[], path: string, spec: ControlSpec | ParamSpec): void {
  const add = (field: string, message: string): void => {
    found.push(diagnostic('PATCH_CONTROL_RANGE', `${path}.${field}`, message));
  };
  if (spec.min >= spec.max) {
    add('max', `the range is empty: expected max > min (${spec.min}), got ${spec.max}`);
  } else {
    const { initial } = spec;
    const values = typeof initial === 'number' ? [initial] : 'init' in initial ? [] : initial;
    values.forEach((value, k) => {
      if (value >= spec.min && value <= spec.max) return;
      const field = typeof initial === 'number' ? 'initial' : `initial[${k}]`;
      add(field, `expected a value from ${spec.min} to ${spec.max}, got ${value}`);
    });
  }
  if (spec.scale === 'log' && spec.min <= 0) {
    add('min', `a logarithmic scale needs min > 0, got ${spec.min}`);
  }
}

/** What a node needs in the same sample: a delay needs nothing. */
export function instantOperands(node: PatchNode): readonly Operand[] {
  return 'in' in node && node.op !== 'delay' && node.op !== 'mem' ? node.in : [];
}

function checkLoops(found: Diagnostic[], patch: Patch): void {
  const done = new Set<string>();
  for (const start of Object.keys(patch.nodes)) {
    if (done.has(start)) continue;
    // Depth first with an own stack: a patch may be deeper than the call stack.
    const trail: { id: string; next: number }[] = [{ id: start, next: 0 }];
    const onTrail = new Set([start]);
    for (let top = trail.at(-1); top !== undefined; top = trail.at(-1)) {
      const node = patch.nodes[top.id];
      const operand = node === undefined ? undefined : instantOperands(node)[top.next++];
      if (operand === undefined) {
        done.add(top.id);
        onTrail.delete(top.id);
        trail.pop();
      } else if (
        typeof operand === 'string' &&
        Object.hasOwn(patch.nodes, operand) &&
        !done.has(operand)
      ) {
        if (onTrail.has(operand)) {
          const ring = [
            ...trail.map((t) => t.id).slice(trail.findIndex((t) => t.id === operand)),
            operand,
          ];
          found.push(
            diagnostic(
              'PATCH_INSTANT_LOOP',
              pathOf(['nodes', operand]),
              `a loop without a delay: ${ring.join(' → ')}`,
              'put a "delay" of at least one frame into the loop',
            ),
          );
          return;
        }
        trail.push({ id: operand, next: 0 });
        onTrail.add(operand);
      }
    }
  }
}
