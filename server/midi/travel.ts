/**
 * The way of a controller as values of a control, and back; and when a control takes it up.
 *
 * Invariants: both ends of the way are exact; there and back is the same position; nothing leaves the
 * control's range. On a logarithmic scale equal parts of the way are equal ratios.
 */

import type { ControlSpec } from '../../dsp/control.ts';
import type { Mapping } from '../api/midi.ts';

/** A control's range and scale, as far as travel is concerned. */
export type Scale = Pick<ControlSpec, 'min' | 'max' | 'scale'>;

const clamp = (x: number, min: number, max: number): number => Math.min(max, Math.max(min, x));

/** What a mapping makes of a control's range: `from` at the beginning, `to` at the end. */
function endsOf(
  { min, max }: Pick<Mapping, 'min' | 'max'>,
  spec: Scale,
): { readonly from: number; readonly to: number; readonly isLog: boolean } {
  const from = clamp(min ?? spec.min, spec.min, spec.max);
  const to = clamp(max ?? spec.max, spec.min, spec.max);
  return { from, to, isLog: spec.scale === 'log' && from > 0 && to > 0 };
}

/** from + p·(to − from), or from·(to/from)^p on a logarithmic scale. */
export function valueAt(
  mapping: Pick<Mapping, 'min' | 'max'>,
  spec: Scale,
  position: number,
): number {
  const { from, to, isLog } = endsOf(mapping, spec);
  if (position <= 0) return from;
  if (position >= 1) return to;
  const value = isLog ? from * (to / from) ** position : from + position * (to - from);
  return clamp(value, spec.min, spec.max);
}

/** The inverse of `valueAt`; what is beyond an end is at it. */
export function positionOf(
  mapping: Pick<Mapping, 'min' | 'max'>,
  spec: Scale,
  value: number,
): number {
  const { from, to, isLog } = endsOf(mapping, spec);
  if (from === to) return 0;
  const position = isLog
    ? Math.log2(Math.max(value, Number.MIN_VALUE) / from) / Math.log2(to / from)
    : (value - from) / (to - from);
  return clamp(position, 0, 1);
}

/** A controller is where the control is, so near, as a share of its way: a step and a half of 7 bits. */
const NEAR = 1.5 / 127;

/**
 * Whether a control that waits to be picked up goes along.
 * @param before  where the controller was; undefined the first time
 * @param now     where it is
 * @param at      where the control is
 */
export const isPickedUp = (before: number | undefined, now: number, at: number): boolean =>
  at >= Math.min(before ?? now, now) - NEAR && at <= Math.max(before ?? now, now) + NEAR;
