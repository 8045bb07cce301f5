/**
 * Oscillators: waves of a phase that is a 32-bit integer.
 *
 * φ[0] = 0, φ[n+1] = φ[n] + round toward 0 (frequency · 2³² / sampleRate), modulo 2³².
 *
 * A vector of frequencies is a bank, with a phase in every lane.
 *
 * Invariant: the integer's wrap is the circle's, so the phase after a day is as exact as after a
 * second: it is n times the step, to the bit, and the step is at most sampleRate / 2³² = 11 µHz (at
 * 48 kHz) and the rounding of a single-precision frequency off.
 * Frequencies are meant below Nyquist, of either sign; beyond, the step stays at Nyquist.
 * Gradient: exact through the frequency, which moves the phase more the longer it runs; the jumps of
 * a wave are not seen. None of the waves is band-limited: what is above Nyquist folds back.
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { abs, add, below, choose, scale, sub } from './terms.ts';
import type { Described, TimedFunction } from './terms.ts';

/** Cycles per step of the phase. */
const CYCLE = 2 ** -32;

const wave = (
  doc: string,
  of: (b: Builder, phase: NodeId) => NodeId,
): Described & Pick<TimedFunction, 'at'> => ({
  arity: 1,
  names: ['frequency'],
  doc,
  at: (sampleRate) => (b, frequency) => of(b, phaseOf(b, frequency, sampleRate)),
});

/** The phase, a signed int: 2³² is a cycle. */
function phaseOf(b: Builder, frequency: NodeId, sampleRate: number): NodeId {
  const step = b.node('toInt', [scale(b, frequency, 2 ** 32 / sampleRate)]);
  const phase = b.feedback('int', 1, 0, b.shape(step));
  b.close(phase, b.node('add', [phase, step]));
  return phase;
}

const signed = (b: Builder, phase: NodeId, by: number): NodeId =>
  scale(b, b.node('toReal', [phase]), by);

/**
 * The phase in [0, 1), a multiple of 2⁻²⁴: what single precision holds of it exactly on the whole
 * ramp, so that it never rounds up to 1.
 */
function ramp(b: Builder, phase: NodeId): NodeId {
  const held = b.node('and', [b.node('detach', [phase]), b.int(-(2 ** 8))]);
  const half = signed(b, held, CYCLE);
  const value = choose(b, below(b, half, 0), add(b, half, b.real(1)), half);
  return b.node('withSlope', [b.node('detach', [value]), signed(b, phase, CYCLE), b.real(1)]);
}

export const OSCILLATORS = {
  phasor: wave('the phase: a ramp from 0 up to 1, 1 not included', ramp),
  sine: wave('sin(2π · phase)', (b, phase) =>
    b.node('sin', [signed(b, phase, 2 * Math.PI * CYCLE)]),
  ),
  cosine: wave('cos(2π · phase)', (b, phase) =>
    b.node('cos', [signed(b, phase, 2 * Math.PI * CYCLE)]),
  ),
  saw: wave('a ramp in [−1, 1], 0 at the start; not band-limited', (b, phase) =>
    signed(b, phase, 2 * CYCLE),
  ),
  triangle: wave('up and down in [−1, 1], 0 and rising at the start', (b, phase) => {
    const quarter = b.node('sub', [phase, b.int(2 ** 30)]);
    return sub(b, b.real(1), abs(b, signed(b, quarter, 4 * CYCLE)));
  }),
  square: wave(
    '1 in the first half of the phase, then −1; not band-limited, derivative 0',
    (b, phase) => choose(b, b.node('lt', [phase, b.int(0)]), b.real(-1), b.real(1)),
  ),
} as const satisfies Record<string, TimedFunction>;
