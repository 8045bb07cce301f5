/**
 * The training of a patch that has none, or of a Faust program: complete, from as little as a person
 * wants to say.
 *
 * Invariant: what is not said is said here once, in numbers that suit controls of any unit. For a
 * patch the two signals that are compared are never guessed, and whoever does not name them is told
 * which there are. What it gives is of the right shape; whether it means something, `checkMeaning`
 * says.
 */

import { diagnostic, fail, ok } from '../diagnostic.ts';
import type { Result } from '../diagnostic.ts';
import { hasFrames, lossSchema, takenBy, wrongWindow } from '../learn/losses/table.ts';
import type { OptimiserKind } from '../learn/optimisers/table.ts';
import type { Patch, Training } from './schema.ts';
import { trainingSchema } from './schema.ts';

/** Fields by name, as JSON has them. */
export type Fields = Readonly<Record<string, unknown>>;

/** Optimisers whose steps are as long as the rate, however large the gradient is. */
export const NORMALISED: ReadonlySet<string> = new Set<OptimiserKind>([
  'adam',
  'adamw',
  'nadam',
  'radam',
  'adamax',
  'rmsprop',
  'adagrad',
  'lion',
  'rprop',
]);

/** Rates where none is said: for `NORMALISED` the share of a range that a step is. */
const RATES: Readonly<Partial<Record<string, number>>> = {
  lion: 0.001,
  adadelta: 1,
  nlms: 0.5,
  apa: 0.5,
  rls: 1,
  gaussNewton: 0.5,
};
const RATE = 0.003;

/**
 * What is left out of an optimiser. Gradients by Hz of quiet sound are near 1e-12: Adam's usual ε of
 * 1e-8 would stop it. Weights decay towards 0, which is nothing special to a slider.
 */
const OPTIONS: Readonly<Record<string, Fields>> = {
  ...Object.fromEntries(
    'adam nadam radam adamax rmsprop adagrad'.split(' ').map((kind) => [kind, { epsilon: 1e-15 }]),
  ),
  adamw: { epsilon: 1e-15, weightDecay: 0 },
};
const WINDOW = 256;
/** Of losses between spectra: some frames long. */
const FRAME_WINDOWS = [4096, 4800, 8192, 9600, 16_384, 32_768, 65_536];
/** Hz; no window depends on it. */
const USUAL_RATE = 48_000;
/** Whose window is one sample. */
const INSTANT: ReadonlySet<string> = new Set<OptimiserKind>(['nlms', 'apa']);

/** The kind of an optimiser or a schedule that may be anything. */
export const kindOf = (json: unknown): string =>
  typeof json === 'object' && json !== null && 'kind' in json ? String(json.kind) : '';

/** The rate that a schedule, which may be anything, starts from; undefined where it says none. */
export function rateOf(schedule: unknown): number | undefined {
  if (typeof schedule !== 'object' || schedule === null) return undefined;
  const { rate, peak } = schedule as { rate?: unknown; peak?: unknown };
  const said = kindOf(schedule) === 'oneCycle' ? peak : rate;
  return typeof said === 'number' ? said : undefined;
}

/** The shortest usual window that all losses can be taken over; `WINDOW` for those of no frames. */
function windowFor({ loss, terms }: Fields): number {
  const list = Array.isArray(terms) ? terms.map((term: Fields) => term?.['loss']) : [loss];
  const losses = list.flatMap((one) => {
    const read = lossSchema.safeParse(one);
    return read.success && hasFrames(read.data) ? [read.data] : [];
  });
  if (losses.length === 0) return WINDOW;
  const fits = (window: number): boolean =>
    losses.every((one) => wrongWindow(one, window, USUAL_RATE) === null);
  return FRAME_WINDOWS.find(fits) ?? FRAME_WINDOWS[0]!;
}

/** A training with what is taken where nothing is said; signals and loss apart. */
export function withDefaults(training: Fields): Fields {
  const optimiser = (training['optimiser'] ?? { kind: 'adam' }) as Fields;
  const schedule = (training['schedule'] ?? { kind: 'constant' }) as Fields;
  const kind = kindOf(optimiser);
  const rateKey = kindOf(schedule) === 'oneCycle' ? 'peak' : 'rate';
  return {
    window: INSTANT.has(kind) ? 1 : windowFor(training),
    ...training,
    optimiser: Object.hasOwn(OPTIONS, kind) ? { ...OPTIONS[kind], ...optimiser } : optimiser,
    schedule: { [rateKey]: RATES[kind] ?? RATE, ...schedule },
  };
}

/** Ids in a message: as many as a person reads. */
const SHOWN = 8;

/**
 * @param settings  what is said; mse, Adam, a constant rate and 256 samples where it is not
 * @returns         PATCH_INVALID where it does not say what is compared with what
 */
export function newTraining(patch: Patch, settings: Partial<Training>): Result<Training> {
  const { estimate, target, terms, loss = 'mse' } = settings;
  const needsTarget = takenBy(loss) !== 'estimate';
  if (terms === undefined) {
    const missing = [
      ...(estimate === undefined ? ['"estimate", the signal that learns'] : []),
      ...(needsTarget && target === undefined ? ['"target", what it is to become'] : []),
    ];
    if (missing.length > 0) {
      const message = `patch ${patch.name} has no training: set what to compare: expected ${missing.join(' and ')}`;
      return fail(diagnostic('PATCH_INVALID', 'training', message, signalsOf(patch)));
    }
  }
  const said = terms === undefined ? { loss, ...settings } : settings;
  return ok(trainingSchema.parse(withDefaults(said)));
}

/** What a person may have in mind: what is played, and what comes in. */
function signalsOf({ nodes, outputs }: Patch): string {
  const list = (ids: readonly unknown[]): string =>
    ids.length > SHOWN ? `${ids.slice(0, SHOWN).join(', ')}, …` : ids.join(', ') || 'none';
  const played = [...new Set(outputs.filter((id) => typeof id === 'string'))];
  const heard = Object.entries(nodes).flatMap(([id, { op }]) => (op === 'input' ? [id] : []));
  return `any two signals: it plays ${list(played)} and hears ${list(heard)}`;
}
