/**
 * Learning-rate schedules as a person shapes them: for each kind its fields, a first draft, how long
 * it is worth drawing, and the points of its curve that can be dragged.
 *
 * Invariants: a dragged point gives a schedule whose curve goes through where it was left, as far as
 * its fields reach; rates stay above 0 and steps whole. Rates themselves come from the host alone:
 * a preview is what happens.
 */

import type { Schedule } from './types.ts';

export type Kind = Schedule['kind'];
type Of<K extends Kind> = Extract<Schedule, { kind: K }>;

/** A place of the curve: steps since its beginning, and the rate there. */
export interface Place {
  readonly step: number;
  readonly rate: number;
}

export interface Point extends Place {
  readonly label: string;
  /** Which way it goes. */
  readonly moves: 'both' | 'step' | 'rate';
  readonly to: (place: Place) => Schedule;
}

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly initial: number;
  readonly isWhole?: true;
}

interface Row<K extends Kind> {
  readonly title: string;
  readonly fields: readonly Field[];
  readonly span: (schedule: Of<K>) => number;
  readonly points: (schedule: Of<K>) => readonly Point[];
}

const rateField: Field = { name: 'rate', label: 'Rate', initial: 0.01 };
const finalField: Field = { name: 'final', label: 'Final rate', initial: 1e-4 };
const stepsField: Field = { name: 'steps', label: 'Steps', initial: 2000, isWhole: true };
const everyField: Field = { name: 'every', label: 'Every, steps', initial: 500, isWhole: true };

const whole = (step: number): number => Math.max(1, Math.round(step));

/** Of the first rate. */
const first = <S extends Schedule & { readonly rate: number }>(schedule: S): Point => ({
  label: 'First rate',
  step: 0,
  rate: schedule.rate,
  moves: 'rate',
  to: ({ rate }) => ({ ...schedule, rate }),
});

/** Of where it arrives. */
const last = <S extends Schedule & { readonly steps: number; readonly final?: number | undefined }>(
  schedule: S,
): Point => ({
  label: 'End',
  step: schedule.steps,
  rate: schedule.final ?? 0,
  moves: 'both',
  to: ({ step, rate }) => ({ ...schedule, steps: whole(step), final: rate }),
});

export const KINDS: { readonly [K in Kind]: Row<K> } = {
  constant: {
    title: 'Constant',
    fields: [rateField],
    span: ({ steps = 0 }) => Math.max(1000, 2 * steps),
    points: (s) => [first(s)],
  },
  exponential: {
    title: 'Exponential',
    fields: [rateField, { name: 'delta', label: 'ln of factor', initial: -0.5 }, everyField],
    span: ({ delta, every }) => every * Math.max(4, 6 / Math.max(1e-3, Math.abs(delta))),
    points: (s) => {
      const times = Math.max(1, Math.round(3 / Math.max(1e-3, Math.abs(s.delta))));
      return [
        first(s),
        {
          label: 'How fast it falls',
          step: times * s.every,
          rate: s.rate * Math.exp(s.delta * times),
          moves: 'both',
          // Its place on the curve is its own; the curve goes through where it was dragged to.
          to: ({ step, rate }) => ({
            ...s,
            delta: round(Math.log(rate / s.rate) / Math.max(1, Math.round(step / s.every))),
          }),
        },
      ];
    },
  },
  step: {
    title: 'Steps down',
    fields: [rateField, { name: 'factor', label: 'Factor', initial: 0.5 }, everyField],
    span: ({ every }) => 5 * every,
    points: (s) => [
      first(s),
      {
        label: 'First step down',
        step: s.every,
        rate: s.rate * s.factor,
        moves: 'both',
        to: ({ step, rate }) => ({
          ...s,
          every: whole(step),
          factor: Math.min(10, round(rate / s.rate)),
        }),
      },
    ],
  },
  multiStep: {
    title: 'Milestones',
    fields: [rateField, { name: 'factor', label: 'Factor', initial: 0.3 }],
    span: ({ milestones }) => 1.3 * Math.max(...milestones),
    points: (s) => [
      first(s),
      ...s.milestones.map((step, k): Point => ({
        label: `Milestone ${k + 1}`,
        step,
        rate: s.rate * s.factor ** (s.milestones.filter((other) => other <= step).length - 0.5),
        moves: 'step',
        to: (place) => ({
          ...s,
          milestones: s.milestones.with(k, whole(place.step)),
        }),
      })),
    ],
  },
  linear: {
    title: 'Straight line',
    fields: [rateField, finalField, stepsField],
    span: ({ steps }) => 1.25 * steps,
    points: (s) => [first(s), last(s)],
  },
  polynomial: {
    title: 'Polynomial',
    fields: [rateField, finalField, stepsField, { name: 'power', label: 'Power', initial: 2 }],
    span: ({ steps }) => 1.25 * steps,
    points: (s) => [first(s), last(s)],
  },
  cosine: {
    title: 'Cosine',
    fields: [rateField, finalField, stepsField],
    span: ({ steps, after }) => (after === 'return' ? 4 : 1.25) * steps,
    points: (s) => [first(s), last(s)],
  },
  cosineRestarts: {
    title: 'Cosine, restarting',
    fields: [
      rateField,
      finalField,
      stepsField,
      { name: 'growth', label: 'Growth', initial: 2, isWhole: true },
    ],
    span: ({ steps, growth = 1 }) => steps * (1 + growth + growth ** 2),
    points: (s) => [first(s), last(s)],
  },
  oneCycle: {
    title: 'One cycle',
    fields: [
      { name: 'peak', label: 'Peak rate', initial: 0.05 },
      stepsField,
      { name: 'rise', label: 'Share of rise', initial: 0.3 },
    ],
    span: ({ steps }) => 1.1 * steps,
    points: (s) => [
      {
        label: 'Peak',
        step: (s.rise ?? 0.3) * s.steps,
        rate: s.peak,
        moves: 'both',
        to: ({ step, rate }) => ({ ...s, peak: rate, rise: Math.min(1, round(step / s.steps)) }),
      },
    ],
  },
  cyclic: {
    title: 'Cyclic',
    fields: [
      rateField,
      { name: 'peak', label: 'Peak rate', initial: 0.05 },
      { name: 'up', label: 'Steps up', initial: 500, isWhole: true },
      { name: 'down', label: 'Steps down', initial: 500, isWhole: true },
    ],
    span: ({ up, down = up }) => 3 * (up + down),
    points: (s) => [
      first(s),
      {
        label: 'Peak',
        step: s.up,
        rate: s.peak,
        moves: 'both',
        to: ({ step, rate }) => ({ ...s, up: whole(step), peak: rate }),
      },
    ],
  },
  plateau: {
    title: 'On a plateau',
    fields: [
      rateField,
      { name: 'factor', label: 'Factor', initial: 0.3 },
      { name: 'patience', label: 'Patience', initial: 100, isWhole: true },
      { name: 'lowest', label: 'Lowest rate', initial: 1e-5 },
    ],
    span: () => 1000,
    points: (s) => [first(s)],
  },
};

export const KIND_NAMES = Object.keys(KINDS) as readonly Kind[];

/** Three digits that count. */
export const round = (value: number): number => Number(value.toPrecision(3));

const rowOf = (schedule: Schedule) => KINDS[schedule.kind] as unknown as Row<Kind>;

export const fieldsOf = (schedule: Schedule): readonly Field[] => rowOf(schedule).fields;
export const spanOf = (schedule: Schedule): number => Math.ceil(rowOf(schedule).span(schedule));
export const pointsOf = (schedule: Schedule): readonly Point[] => rowOf(schedule).points(schedule);

/** One of a kind, with what the one before has said already. */
export function draftOf(kind: Kind, before: Schedule): Schedule {
  const said: Readonly<Record<string, unknown>> = { ...before };
  const rate = said['rate'] ?? said['peak'];
  const fields = KINDS[kind].fields.map(({ name, initial }): [string, unknown] => {
    if (name === 'peak' && said['peak'] === undefined && typeof rate === 'number') {
      return [name, kind === 'cyclic' ? round(5 * rate) : rate];
    }
    if (name === 'rate' && said['rate'] === undefined) return [name, rate ?? initial];
    if (name === 'final' && typeof rate === 'number') {
      return [name, said['final'] ?? round(rate / 100)];
    }
    return [name, said[name] ?? initial];
  });
  const more = kind === 'multiStep' ? { milestones: [500, 1000, 1500] } : {};
  return { kind, ...Object.fromEntries(fields), ...more } as unknown as Schedule;
}
