/**
 * The patch document, `livegrad.patch/1`: a DSP program with its controls and its training, as
 * plain JSON that a client may upload. It is data, never code.
 *
 * Invariant: `parsePatch` returns every problem of shape, reference, count and range at once, each
 * with its path; a Patch that it returned lowers without a surprise of that kind. It does not know
 * the sample rate or the device: what depends on those is said by `lower`.
 */

import { z } from 'zod';
import { LEARN_SCALES } from '../control.ts';
import type { ControlSpec, MeterSpec } from '../control.ts';
import { diagnostic, fail, ok, show } from '../diagnostic.ts';
import type { Diagnostic, Result } from '../diagnostic.ts';
import { OPS } from '../ir/ops.ts';
import { guardsSchema } from '../learn/guards.ts';
import { optimiserSchema, rateFactor } from '../learn/optimisers/table.ts';
import { scheduleSchema } from '../learn/schedules/schedule.ts';
import { BEYOND, DELAY_INTERPOLATIONS } from './delays.ts';
import { fromIssue, onePerPath } from './explain.ts';
import { faustSchema, withName, withoutProgram } from './faust.ts';
import type { FaustPart } from './faust.ts';
import { hopSchema } from './frames.ts';
import { FUNCTIONS, FUNCTION_NAMES } from './functions.ts';
import type { FunctionName } from './functions.ts';
import { checkMeaning } from './meaning.ts';
import { PLAIN_OPS } from './names.ts';
import type { PlainOp } from './names.ts';
import { objectiveFields } from './objective.ts';
import { idSchema, number, operandSchema } from './operand.ts';
import type { Operand } from './operand.ts';
import { MAX_SIZE, groupSchema, initSchema } from './params.ts';
import type { ParamSpec } from './params.ts';
import { lanesSchema } from './rule.ts';
import { ORDERS, ORDER_GRADIENTS, ROUNDINGS, ROUNDING_GRADIENTS } from './surrogates.ts';
import type { Order, Rounding } from './surrogates.ts';
import { TABLE_INTERPOLATIONS, WAVEFORMS } from './tables.ts';
import { MAX_DEPTH, isTooLargeUi, uiSchema } from './ui.ts';
import { VECTOR_SCHEMAS } from './vectors.ts';

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
  learn: z.enum(LEARN_SCALES).optional(),
  rate: rateFactor.optional(),
  ...controlFields,
});

/** A signal of one number that clients are shown. */
export const meterSchema: z.ZodType<MeterSpec & { readonly in: Operand }> = z.strictObject({
  in: operandSchema,
  min: number,
  max: number,
  unit: z.string().max(20).optional(),
  scale: z.enum(['linear', 'log']).optional(),
  doc: z.string().max(2000).optional(),
});

const MAX_DELAY = 2 ** 22;
const frames = z.number().int().min(1).max(MAX_DELAY);
const one = z.tuple([operandSchema]);

const MAX_TABLE = 2 ** 18;
const size = z.number().int().min(1).max(MAX_TABLE);
const values = z.array(number).min(1).max(MAX_TABLE);

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
  /** The vector `in[1]`, `values`, or `size` samples of a `waveform`, read at an index. */
  z.strictObject({
    op: z.literal('table'),
    in: z.array(operandSchema).min(1).max(2),
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
    /** Each its own noise. */
    lanes: lanesSchema.optional(),
  }),
  /** Hz, of the device or the file. */
  z.strictObject({ op: z.literal('sampleRate') }),
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

/** How parameters are differentiated; those that `forward` does not name go in reverse. */
const modeSchema = z.union([
  z.enum(['auto', 'forward', 'reverse']),
  z.strictObject({ forward: z.array(idSchema).min(1).max(1000) }),
]);

/** The training of a patch, key by key, without what is taken where a key is missing. */
export const trainingFields = {
  /** One pair of signals and their loss, or `terms`: a list of them. */
  ...objectiveFields,
  /** Samples; the loss is a mean over them. */
  window: z
    .number()
    .int()
    .min(1)
    .max(2 ** 16),
  mode: modeSchema,
  /** Samples before the window that reverse mode goes on through; 0 truncates at the window. */
  carry: z
    .number()
    .int()
    .min(0)
    .max(2 ** 16)
    .optional(),
  /** Windows from one optimiser step to the next; their gradients are averaged. */
  every: z
    .number()
    .int()
    .min(1)
    .max(2 ** 16)
    .optional(),
  optimiser: optimiserSchema,
  /** By name, what learns in its own way. */
  groups: z.record(idSchema, groupSchema).optional(),
  schedule: scheduleSchema,
  guards: guardsSchema.optional(),
};

export const trainingSchema = z.strictObject({
  ...trainingFields,
  mode: modeSchema.default('auto'),
  optimiser: optimiserSchema.prefault({ kind: 'sgd' }),
});
export type Training = z.infer<typeof trainingSchema>;

/** One of `param` and `signal`, as `checkMeaning` says. */
export const expectationSchema = z.strictObject({
  /** The parameter that must be learned, or … */
  param: idSchema.optional(),
  /** … a number that is heard after learning, on fresh sound: its mean over half a second. */
  signal: idSchema.optional(),
  /** A number, or the slider that hides it. */
  value: z.union([number, idSchema]),
  tolerance: z.number().positive(),
  seconds: z.number().positive().max(3600),
});
export type Expectation = z.infer<typeof expectationSchema>;

/** From the first to the second, evenly on the scale of the control. */
const spanSchema = z.tuple([number, number]);

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
  nodes: z.record(idSchema, nodeSchema).default({}),
  /** A program in Faust in the place of `nodes`. */
  faust: faustSchema.optional(),
  /** Of signals and gradients; `single` where it is missing. Devices are single always. */
  precision: z.enum(['single', 'double']).optional(),
  /** What is played on output 1, 2, … : nodes or controls. */
  outputs: z.array(operandSchema).max(64).default([]),
  /** What clients are shown, by names of their own. */
  meters: z.record(idSchema, meterSchema).default({}),
  training: trainingSchema.optional(),
  /** How clients lay out controls and meters. */
  ui: uiSchema.optional(),
  /** What an offline run with the default settings must learn, and how soon. */
  expect: z.array(expectationSchema).max(100).default([]),
  /** Where a seeded run may start its parameters and hide its sliders. */
  vary: z.record(idSchema, spanSchema).optional(),
});
export interface Patch extends Omit<z.infer<typeof patchSchema>, 'faust'> {
  faust?: FaustPart | undefined;
}

/** Limits that keep a hostile document from eating the host. */
const MAX_NODES = 20_000;

/**
 * A checked Patch from any JSON value.
 *
 * @returns the patch with defaults filled in, or all diagnostics: PATCH_FORMAT, PATCH_INVALID,
 *   PATCH_NAME_TAKEN, PATCH_UNKNOWN_REFERENCE, PATCH_OPERAND_COUNT, PATCH_INSTANT_LOOP,
 *   PATCH_CONTROL_RANGE, PATCH_SHAPE, PATCH_RATE, PATCH_TOO_LARGE
 * Cost: linear in the document.
 */
export function parsePatch(document: unknown): Result<Patch> {
  const json = withName(withoutProgram(document));
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
    if ('ui' in json && isTooLargeUi(json.ui)) {
      const message = `too many controls, or groups nested too deeply: expected at most ${MAX_NODES} and ${MAX_DEPTH}`;
      return fail(diagnostic('PATCH_TOO_LARGE', 'ui', message));
    }
  }
  const hidden = hiddenNames(json);
  if (hidden.length > 0) return { ok: false, diagnostics: hidden };
  const parsed = patchSchema.safeParse(json, { reportInput: true });
  const program = wrongProgram(json);
  if (!parsed.success || program.length > 0) {
    const issues = parsed.success ? [] : parsed.error.issues.flatMap(fromIssue);
    return { ok: false, diagnostics: onePerPath([...program, ...issues]) };
  }
  const diagnostics = checkMeaning(parsed.data);
  return diagnostics.length > 0 ? { ok: false, diagnostics } : ok(parsed.data);
}

/** A document has either nodes or a program. */
function wrongProgram(json: unknown): Diagnostic[] {
  if (typeof json !== 'object' || json === null) return [];
  const { nodes, faust } = json as { readonly nodes?: unknown; readonly faust?: unknown };
  if (nodes === undefined && faust === undefined) {
    const hint = 'a program in Faust is "faust": { "code": … } in their place';
    return [diagnostic('PATCH_INVALID', 'nodes', 'missing: expected an object', hint)];
  }
  const isBoth = faust !== undefined && typeof nodes === 'object' && nodes !== null;
  if (!isBoth || Object.keys(nodes).length === 0) return [];
  const message = 'what the patch does is said twice: expected "nodes" or "faust", got both';
  return [diagnostic('PATCH_INVALID', 'faust', message)];
}

/** Names that a JavaScript object keeps for itself, which the schema would pass over in silence. */
function hiddenNames(json: unknown): Diagnostic[] {
  if (typeof json !== 'object' || json === null) return [];
  return (['sliders', 'params', 'nodes', 'meters'] as const).flatMap((kind) => {
    const group: unknown = (json as Record<string, unknown>)[kind];
    if (typeof group !== 'object' || group === null || !Object.hasOwn(group, '__proto__'))
      return [];
    return [diagnostic('PATCH_INVALID', `${kind}.__proto__`, 'unusable id: "__proto__"')];
  });
}
