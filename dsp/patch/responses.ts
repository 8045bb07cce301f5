/**
 * How loud a filter passes each frequency, as functions of a patch: for equalisers that are learned
 * or drawn in the spectrum, where one vector holds all frequencies.
 *
 * Invariant: each is the response of the filter of the same name without `Db`, exactly and without
 * its state; lanes of `frequency` are independent. Frequencies are held to [0, sampleRate / 2], the
 * other operands as the filters hold them, to the power 1e-16 is added.
 *
 * With v = sin²(π·frequency/sampleRate), v₀ the same of the cutoff, P = v·(1 − v₀), R = v₀·(1 − v):
 * the square of the analogue prototype's frequency is P / R, and that of (s²·c₂ + s·c₁ + c₀) on the
 * unit circle is ((c₀·R − c₂·P)² + c₁²·P·R) / R²: no cancellation at low frequencies, which single
 * precision would show from cos ω on.
 * Source: R. Bristow-Johnson, Audio EQ Cookbook.
 * Tested: test/dsp/patch/responses.test.ts (against the filters, gradients).
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { heldCutoff, heldQ, rootGain } from './filters.ts';
import { add, div, hold, mul, scale, sub } from './terms.ts';
import type { Build, TimedFunction } from './terms.ts';

/** A power: added, so that a zero of a filter is −160 dB and has a slope. */
const SILENCE = 1e-16;

/** c₂, c₁² and c₀. */
type Quadratic = readonly [NodeId, NodeId, NodeId];

/** What the prototypes are written in: 0, 1, 1/q² and A = 10^(gainDb / 40). */
interface Words {
  readonly b: Builder;
  readonly zero: NodeId;
  readonly one: NodeId;
  readonly k2: NodeId;
  readonly a: NodeId;
}

/** Numerator and denominator of the analogue prototype. */
type Prototype = (words: Words) => readonly [Quadratic, Quadratic];

const resonance = ({ one, k2 }: Words): Quadratic => [one, k2, one];

const square = (b: Builder, x: NodeId): NodeId => mul(b, x, x);

/** sin²(π·f/sampleRate), and what is missing to 1. */
function place(b: Builder, frequency: NodeId, sampleRate: number): { v: NodeId; rest: NodeId } {
  const half = scale(b, frequency, Math.PI / sampleRate);
  return { v: square(b, b.node('sin', [half])), rest: square(b, b.node('cos', [half])) };
}

function response(doc: string, arity: 3 | 4, prototype: Prototype, isShelf = false): TimedFunction {
  const at =
    (sampleRate: number): Build =>
    (b, frequency, cutoff, q, gainDb) => {
      const { v, rest } = place(b, hold(b, frequency, 0, sampleRate / 2), sampleRate);
      const own = place(b, heldCutoff(b, cutoff, sampleRate), sampleRate);
      const [p, r] = [mul(b, v, own.rest), mul(b, rest, own.v)];
      const between = mul(b, p, r);
      const a = arity === 4 ? rootGain(b, gainDb) : b.real(1);
      const k2 = div(b, b.real(1), square(b, heldQ(b, q)));
      const words = { b, zero: b.real(0), one: b.real(1), k2, a };
      const power = ([c2, c1, c0]: Quadratic): NodeId => {
        const real = sub(b, mul(b, r, c0), mul(b, p, c2));
        return add(b, square(b, real), mul(b, between, c1));
      };
      const [top, bottom] = prototype(words).map(power) as [NodeId, NodeId];
      const floored = add(b, top, scale(b, bottom, SILENCE));
      const ln = sub(b, b.node('ln', [floored]), b.node('ln', [bottom]));
      const level = scale(b, ln, 10 / Math.LN10);
      return isShelf ? add(b, level, scale(b, hold(b, gainDb, -120, 120), 0.5)) : level;
    };
  const names = ['frequency', 'cutoff', 'q', 'gainDb'].slice(0, arity);
  return { arity, names, doc: `the level of \`${doc}\` at a frequency, dB`, at };
}

export const RESPONSES = {
  lowpassDb: response('lowpass', 3, (w) => [[w.zero, w.zero, w.one], resonance(w)]),
  highpassDb: response('highpass', 3, (w) => [[w.one, w.zero, w.zero], resonance(w)]),
  bandpassDb: response('bandpass', 3, (w) => [[w.zero, w.k2, w.zero], resonance(w)]),
  notchDb: response('notch', 3, (w) => [[w.one, w.zero, w.one], resonance(w)]),
  peakingDb: response('peaking', 4, ({ b, one, k2, a }) => {
    const a2 = square(b, a);
    return [
      [one, mul(b, k2, a2), one],
      [one, div(b, k2, a2), one],
    ];
  }),
  lowShelfDb: response(
    'lowShelf',
    4,
    ({ b, one, k2, a }) => {
      const skirt = mul(b, k2, a);
      return [
        [one, skirt, a],
        [a, skirt, one],
      ];
    },
    true,
  ),
  highShelfDb: response(
    'highShelf',
    4,
    ({ b, one, k2, a }) => {
      const skirt = mul(b, k2, a);
      return [
        [a, skirt, one],
        [one, skirt, a],
      ];
    },
    true,
  ),
} as const satisfies Record<string, TimedFunction>;
