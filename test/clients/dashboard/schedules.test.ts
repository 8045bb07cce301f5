/** Schedules as they are shaped, against the rates that the host computes. */

import { expect, it } from 'vitest';
import {
  KIND_NAMES,
  draftOf,
  fieldsOf,
  pointsOf,
  spanOf,
} from '../../../clients/dashboard/schedules.ts';
import type { Schedule } from '../../../clients/dashboard/types.ts';
import { SCHEDULE_KINDS } from '../../../dsp/learn/schedules/kinds.ts';
import { learningRate, scheduleSchema } from '../../../dsp/learn/schedules/schedule.ts';

const constant: Schedule = { kind: 'constant', rate: 0.05 };
const drafts = KIND_NAMES.map((kind) => draftOf(kind, constant));

it('every kind has a draft that the host takes, with the rate of the one before', () => {
  expect(KIND_NAMES).toEqual(SCHEDULE_KINDS);
  for (const draft of drafts) {
    expect(scheduleSchema.safeParse(draft), draft.kind).toMatchObject({ success: true });
    expect(Object.values(draft), draft.kind).toContain(0.05);
    expect(Object.keys(draft), draft.kind).toEqual(
      expect.arrayContaining(fieldsOf(draft).map(({ name }) => name)),
    );
  }
});

it('a draft of another kind keeps what both kinds say', () => {
  const linear = draftOf('linear', { kind: 'cosine', rate: 0.2, final: 0.03, steps: 77 });
  expect(linear).toEqual({ kind: 'linear', rate: 0.2, final: 0.03, steps: 77 });
});

it('points lie on the curve, and where they are left it goes through', () => {
  for (const draft of drafts) {
    for (const [k, point] of pointsOf(draft).entries()) {
      const isOn = (schedule: Schedule, step: number, rate: number): void => {
        // A milestone's point is at half of its fall.
        if (point.moves === 'step') return;
        const at = Math.round(step);
        const near = [at - 1, at, at + 1].map((s) => learningRate(schedule, Math.max(0, s)));
        const name = `${draft.kind}: ${point.label}`;
        expect(Math.min(...near) * 0.98, name).toBeLessThanOrEqual(rate);
        expect(Math.max(...near) * 1.02, name).toBeGreaterThanOrEqual(rate);
      };
      isOn(draft, point.step, point.rate);
      const wanted = {
        step: point.moves === 'rate' ? point.step : Math.round(point.step * 0.5),
        rate: point.moves === 'step' ? point.rate : point.rate * 0.7,
      };
      const moved = point.to(wanted);
      expect(scheduleSchema.safeParse(moved), draft.kind).toMatchObject({ success: true });
      isOn(moved, wanted.step, wanted.rate);
      if (draft.kind === 'exponential') continue;
      expect(pointsOf(moved)[k]!.step).toBeCloseTo(wanted.step, 0);
    }
  }
});

it('what is drawn has all points in it', () => {
  for (const draft of drafts) {
    const last = Math.max(...pointsOf(draft).map(({ step }) => step));
    expect(spanOf(draft), draft.kind).toBeGreaterThan(last);
    expect(Number.isSafeInteger(spanOf(draft))).toBe(true);
  }
});
