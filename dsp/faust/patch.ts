/**
 * An evaluated Faust program and the document that it came in, as one patch.
 *
 * Invariant: what the source decides (controls, meters, their tree) is always made anew from it;
 * what a document says of the rest (name, precision, outputs, training, expectations) wins over what
 * the source says of it, key by key.
 */

import { diagnostic, fail, ok, pathOf } from '../diagnostic.ts';
import type { Diagnostic, Result } from '../diagnostic.ts';
import { PROGRAM_SIGNAL, faustSchema, withoutProgram } from '../patch/faust.ts';
import { checkMeaning } from '../patch/meaning.ts';
import { termsOf } from '../patch/objective.ts';
import type { Operand } from '../patch/operand.ts';
import { parsePatch } from '../patch/schema.ts';
import type { Patch } from '../patch/schema.ts';
import type { Fields } from '../patch/training.ts';
import { controlsOf } from './controls.ts';
import { formOf, inputsOf, widgetsOf } from './form.ts';
import { marksOf } from './marks.ts';
import type { FaustProgram } from './program.ts';
import { readDeclares } from './settings.ts';

/** Device inputs and outputs that a patch may have. */
const MAX_CHANNELS = 64;

/**
 * The precision that a program is to be evaluated in.
 *
 * @param document  any JSON; its `precision` wins over the declared one
 */
export function precisionOf(
  document: unknown,
  { declares }: Pick<FaustProgram, 'declares'>,
): 'single' | 'double' {
  const said = typeof document === 'object' && document !== null ? document : {};
  if ('precision' in said && said.precision !== undefined) {
    return said.precision === 'double' ? 'double' : 'single';
  }
  const declared = readDeclares({ declares });
  return (declared.ok ? declared.value.precision : undefined) ?? 'single';
}

/**
 * A checked patch of a program.
 *
 * @param document  any JSON with `faust`; its `training` may be a part of one
 * @returns         the patch, with the program inside; all diagnostics of `marksOf`, `controlsOf` and
 *   `parsePatch`, or FAUST_UNSUPPORTED for a normal form that cannot be read, or more outputs than a
 *   device may have where the document does not say which are played. Cost: linear in both.
 */
export function patchOf(program: FaustProgram, document: unknown): Result<Patch> {
  const form = formOf(program);
  if (!form.ok) return form;
  const marked = marksOf(form.value);
  if (!marked.ok) return marked;
  const marks = marked.value;
  const given: Fields =
    typeof document === 'object' && document !== null ? { ...withoutProgram(document) } : {};
  // What is wrong with its shape is said by the schema of patches, which sees it whole.
  const source = faustSchema.safeParse(given['faust']);
  const { training } = given;
  const isTraining = typeof training === 'object' && training !== null && !Array.isArray(training);
  const inputs = inputsOf(form.value);
  const outputs = form.value.outputs.length;
  const controls = controlsOf(
    widgetsOf(form.value),
    program,
    { inputs, outputs, marks },
    {
      learn: source.success ? source.data.learn : undefined,
      training: isTraining ? { ...training } : undefined,
    },
  );
  if (!controls.ok) return controls;
  const { idOf: _ids, training: merged, ...made } = controls.value;
  const { training: _partial, ...rest } = given;
  const settings = training === undefined || isTraining ? merged : training;
  const played = Array.isArray(rest['outputs']) && rest['outputs'].length > 0;
  if (!played && outputs > MAX_CHANNELS) {
    const message = `too many outputs to play: expected at most ${MAX_CHANNELS}, got ${outputs}`;
    const hint = 'name those to be played in "outputs" of the patch';
    return fail(diagnostic('FAUST_UNSUPPORTED', 'outputs', message, hint));
  }
  const parsed = parsePatch({
    ...made,
    precision: program.double ? 'double' : 'single',
    ...rest,
    ...(played ? {} : { outputs: channels(outputs) }),
    sliders: made.sliders,
    params: made.params,
    ui: made.ui,
    meters: made.meters,
    ...(settings === undefined ? {} : { training: settings }),
  });
  if (!parsed.ok) return parsed;
  const patch: Patch = { ...parsed.value, faust: { ...parsed.value.faust!, program } };
  const found = [
    ...checkMeaning(patch),
    ...checkSignals(patch, { out: outputs, mark: marks.signals.length }),
  ];
  return found.length > 0 ? fail(...found) : ok(patch);
}

/** The device inputs, counted from 1, that a patch of a program listens to. */
export function channelsOf(patch: Patch, program: FaustProgram): readonly number[] {
  const form = formOf(program);
  const nodes = form.ok ? form.value.nodes : [];
  const heard = nodes.flatMap(({ op, value }) => (op === 'input' ? [value + 1] : []));
  const named = signalsOf(patch).flatMap(([, operand]) => {
    const [, kind, number] = (typeof operand === 'string' && PROGRAM_SIGNAL.exec(operand)) || [];
    return kind === 'in' ? [Number(number)] : [];
  });
  return [...new Set([...heard, ...named])].toSorted((a, b) => a - b);
}

const channels = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, k) => `out${k + 1}`);

/** What a patch names of its program, and where. */
function signalsOf(
  patch: Patch,
): readonly (readonly [readonly PropertyKey[], Operand | null | undefined])[] {
  return [
    ...patch.outputs.map((operand, k) => [['outputs', k], operand] as const),
    ...(patch.training === undefined ? [] : termsOf(patch.training)).flatMap(
      ({ path, estimate, target }) => [
        [[...path, 'estimate'], estimate] as const,
        [[...path, 'target'], target] as const,
      ],
    ),
    ...patch.expect.map(({ signal }, k) => [['expect', k, 'signal'], signal] as const),
  ];
}

/** Signals of the program that it does not have. */
function checkSignals(
  patch: Patch,
  counts: { readonly out: number; readonly mark: number },
): Diagnostic[] {
  return signalsOf(patch).flatMap(([path, operand]) => {
    const [, kind, number] = (typeof operand === 'string' && PROGRAM_SIGNAL.exec(operand)) || [];
    if (kind === undefined) return [];
    const [what, most, noun] =
      kind === 'in'
        ? (['a device may have', MAX_CHANNELS, 'input'] as const)
        : kind === 'out'
          ? (['the program has', counts.out, 'output'] as const)
          : (['the program has', counts.mark, 'marked signal'] as const);
    if (Number(number) <= most) return [];
    return [
      diagnostic(
        'PATCH_UNKNOWN_REFERENCE',
        pathOf(path),
        `there is no ${operand}: ${what} ${most} ${noun}${most === 1 ? '' : 's'}`,
      ),
    ];
  });
}
