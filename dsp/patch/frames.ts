/**
 * Nodes of a patch that collect samples to frames, transform them, and put them together again.
 *
 * A frame is a vector that comes every `hop` samples; all that works lane by lane works on it, once a
 * frame. Which nodes come in frames, and that rates do not mix, is the business of `rates.ts`.
 * Tested: test/dsp/patch/frames.test.ts.
 */

import { z } from 'zod';
import {
  WINDOW_KINDS,
  complexProduct,
  held,
  inverseSpectrum,
  logPowerOf,
  magnitudeOf,
  melBands,
  phaseOf,
  polar,
  powerOf,
  sumBands,
  windowOf,
} from '../blocks/spectra.ts';
import { isTransformSize } from '../ir/builder.ts';
import { number } from './operand.ts';
import { MAX_FRAME, fitsAll, laneNode, wants } from './rule.ts';
import type { LaneRule, Misfit, Wrong } from './rule.ts';

/** Samples from frame to frame, at most: as long as the longest training window. */
export const MAX_HOP = 2 ** 16;

export const hopSchema = z.number().int().min(1).max(MAX_HOP);
const size = z.number().int().min(1).max(MAX_FRAME);

export const FRAME_SCHEMAS = [
  laneNode('frames', { size, hop: hopSchema }),
  laneNode('overlapAdd', { hop: hopSchema.optional() }),
  laneNode('hold', {}),
  /** A constant vector. */
  z.strictObject({ op: z.literal('window'), kind: z.enum(WINDOW_KINDS), size }),
  laneNode('rfft', {}),
  laneNode('irfft', {}),
  laneNode('magnitude', {}),
  laneNode('power', {}),
  laneNode('logPower', { floor: z.number().min(1e-30).max(1e30).optional() }),
  laneNode('phase', {}),
  laneNode('polar', {}),
  laneNode('complexMul', {}),
  laneNode('mel', {
    bands: z.number().int().min(1).max(512),
    low: number.min(0).optional(),
    high: number.optional(),
  }),
] as const;

export type FrameNode = z.infer<(typeof FRAME_SCHEMAS)[number]>;
export type FrameOp = FrameNode['op'];
type NodeOf<Op extends FrameOp> = Extract<FrameNode, { op: Op }>;

/** −100 dB, of a sine of amplitude 1 whose spectrum is scaled to magnitude 1. */
const FLOOR = 1e-10;

const halved = (_: unknown, [a]: readonly (number | undefined)[]): number | undefined =>
  a === undefined ? undefined : Math.ceil(a / 2);

const EVEN = 'an even number of lanes, real parts and imaginary parts';

const isSpectrum = (_: unknown, [a]: readonly number[]): Misfit | null =>
  a! % 2 === 0 ? null : { operand: 0, expected: EVEN };

const melRange = (
  { bands, low = 0, high }: NodeOf<'mel'>,
  sampleRate: number,
): {
  readonly bands: number;
  readonly low: number;
  readonly high: number;
  readonly sampleRate: number;
} => ({ bands, low, high: high ?? sampleRate / 2, sampleRate });

function wrongMel(node: NodeOf<'mel'>, bins: number, sampleRate: number): Wrong | null {
  const { low, high, ...rest } = melRange(node, sampleRate);
  const nyquist = sampleRate / 2;
  if (high > nyquist) {
    const message = `the bands must end at or below Nyquist: expected at most ${nyquist} Hz, got ${high} Hz`;
    return { field: 'high', message };
  }
  if (low >= high) {
    return { field: 'low', message: `no room for bands: expected below ${high} Hz, got ${low} Hz` };
  }
  const empty = melBands(bins, { low, high, ...rest }).findIndex(
    (band) => band.weights.length === 0,
  );
  if (empty < 0) return null;
  const message = `every band must hold a bin: expected fewer bands, longer frames or a higher "low", got band ${empty + 1} of ${node.bands} between two of ${bins} bins`;
  return { field: 'bands', message };
}

export const FRAME_OPS: { readonly [Op in FrameOp]: LaneRule<NodeOf<Op>> } = {
  frames: {
    operands: ['x'],
    fields: `\`size\`, up to ${MAX_FRAME}; \`hop\`, up to ${MAX_HOP}`,
    doc: 'the last `size` samples, the oldest first, every `hop` samples; zeros before the start',
    lanes: (n) => n.size,
    misfit: (_, x) => wants(x, 0, 1, 'a number'),
    build: (b, { size: lanes, hop }, x) => b.node('frames', x, [hop, lanes]),
  },
  overlapAdd: {
    operands: ['v'],
    fields: '`hop`, needed where v is no signal',
    doc: 'samples: the sum of all frames, each beginning at the sample it came at',
    lanes: () => 1,
    misfit: fitsAll,
    build: (b, { hop }, x) => b.node('overlap', x, [hop ?? Math.max(1, b.hop(x[0]!))]),
  },
  hold: {
    operands: ['a'],
    doc: 'samples: the last number that came in frames; 0 before the first',
    lanes: () => 1,
    misfit: (_, x) => wants(x, 0, 1, 'a number'),
    build: (b, _, x) => held(b, x[0]!),
  },
  window: {
    operands: [],
    fields: `\`kind\`: ${WINDOW_KINDS.map((kind) => `\`${kind}\``).join(', ')}; \`size\``,
    doc: 'a constant vector, to multiply frames with; periodic: hann adds up to 1 at a hop of size / 2',
    lanes: (n) => n.size,
    misfit: fitsAll,
    build: (b, { kind, size: lanes }) => b.node('const', [], windowOf(kind, lanes)),
  },
  rfft: {
    operands: ['v'],
    doc: 'the spectrum of N lanes, N a power of two from 64 to 8192: N / 2 + 1 real parts, then as many imaginary parts',
    lanes: (_, [v]) => (v === undefined ? undefined : v + 2),
    misfit: (_, [v]) =>
      isTransformSize(v!) ? null : { operand: 0, expected: 'a power of two from 64 to 8192 lanes' },
    build: (b, _, x) => b.node('rfft', x),
  },
  irfft: {
    operands: ['spectrum'],
    doc: 'the N samples of a spectrum of N + 2 lanes: irfft(rfft(v)) is v; the imaginary parts of the first and the last bin count for nothing',
    lanes: (_, [v]) => (v === undefined ? undefined : Math.max(1, v - 2)),
    misfit: (_, [v]) =>
      isTransformSize(v! - 2)
        ? null
        : { operand: 0, expected: 'a power of two from 64 to 8192, and 2, lanes' },
    build: (b, _, x) => inverseSpectrum(b, x[0]!),
  },
  magnitude: {
    operands: ['spectrum'],
    doc: '√(re² + im²), a lane per bin; derivative 0 at 0',
    lanes: halved,
    misfit: isSpectrum,
    build: (b, _, x) => magnitudeOf(b, x[0]!),
  },
  power: {
    operands: ['spectrum'],
    doc: 're² + im², a lane per bin',
    lanes: halved,
    misfit: isSpectrum,
    build: (b, _, x) => powerOf(b, x[0]!),
  },
  logPower: {
    operands: ['spectrum'],
    fields: `\`floor\`, a power, ${FLOOR} if not given`,
    doc: '10·log10(re² + im² + floor), in dB, a lane per bin; derivative 0 where a bin is 0',
    lanes: halved,
    misfit: isSpectrum,
    build: (b, { floor = FLOOR }, x) => logPowerOf(b, x[0]!, floor),
  },
  phase: {
    operands: ['spectrum'],
    doc: 'the angle of every bin in radians, in [−π, π]; derivative 0 where a bin is 0',
    lanes: halved,
    misfit: isSpectrum,
    build: (b, _, x) => phaseOf(b, x[0]!),
  },
  polar: {
    operands: ['magnitude', 'phase'],
    doc: 'the spectrum of magnitudes and phases: magnitude · cos phase, then magnitude · sin phase',
    lanes: (_, [m, p]) => (m === undefined || p === undefined ? undefined : 2 * Math.max(m, p)),
    misfit: (_, x) => (x[0] === 1 ? null : x[1] === 1 ? null : wants(x, 1, x[0]!, 'as in[0]')),
    build: (b, _, [m, p]) => {
      const bins = Math.max(b.shape(m!), b.shape(p!));
      return polar(b, b.asLanes(m!, bins), b.asLanes(p!, bins));
    },
  },
  complexMul: {
    operands: ['a', 'b'],
    doc: 'the product of two spectra, bin by bin: the cyclic convolution of their frames',
    lanes: (_, [a, c]) => a ?? c,
    misfit: (n, x) => isSpectrum(n, x) ?? wants(x, 1, x[0]!, 'as in[0]'),
    build: (b, _, x) => complexProduct(b, x[0]!, x[1]!),
  },
  mel: {
    operands: ['bins'],
    fields: '`bands`; `low`, 0 if not given, and `high`, half the sample rate if not given, in Hz',
    doc: 'sums of magnitudes or powers, weighted by triangles of height 1 that are even in mel, 2595·log10(1 + f / 700); a lane per band',
    lanes: (n) => n.bands,
    misfit: (_, [a]) => (a! >= 2 ? null : { operand: 0, expected: 'a lane per bin' }),
    wrong: (n, [bins], sampleRate) => wrongMel(n, bins!, sampleRate),
    build: (b, n, x, sampleRate) =>
      sumBands(b, x[0]!, melBands(b.shape(x[0]!), melRange(n, sampleRate))),
  },
};

export const FRAME_OP_NAMES = Object.keys(FRAME_OPS) as readonly FrameOp[];

export const isFrameOp = (op: string): op is FrameOp => Object.hasOwn(FRAME_OPS, op);
