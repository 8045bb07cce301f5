/**
 * Nodes of a patch that learn where something is: on a scale, in frequency, in time.
 *
 * Sums so far, optimal transport between masses on a scale, and the losses that are made of it: that of
 * a frequency and that of a delay, each a number a frame, to be trained with the loss `value`. They
 * are rows of the table of `vectors.ts` and take frames; the theory is in `blocks/frequency.ts` and
 * `blocks/lag.ts`. Tested: test/dsp/patch/tracking.test.ts.
 */

import { z } from 'zod';
import { GATE, QUIET, continuedSine, frequencyLoss, gated } from '../blocks/frequency.ts';
import { AROUND, delayLoss } from '../blocks/lag.ts';
import { isTransformSize } from '../ir/builder.ts';
import { number } from './operand.ts';
import { MAX_FRAME, fitsAll, laneNode, wants } from './rule.ts';
import type { LaneRule, Misfit } from './rule.ts';

const share = z.number().min(0).max(1);
const floor = z.number().min(1e-9).max(1).optional();
const size = z.number().int().min(1).max(MAX_FRAME);

export const TRACKING_SCHEMAS = [
  /** A constant vector. */
  z.strictObject({ op: z.literal('ramp'), size, from: number, to: number }),
  laneNode('cumulativeSum', {}),
  laneNode('gate', { share }),
  laneNode('transport', { order: z.literal([1, 2]) }),
  laneNode('frequencyLoss', { gate: share.optional(), floor }),
  laneNode('continueSine', { size, floor }),
  laneNode('delayLoss', {
    max: z
      .number()
      .int()
      .min(1)
      .max(MAX_FRAME / 2),
  }),
] as const;

export type TrackingNode = z.infer<(typeof TRACKING_SCHEMAS)[number]>;
export type TrackingOp = TrackingNode['op'];
type NodeOf<Op extends TrackingOp> = Extract<TrackingNode, { op: Op }>;

const FRAME = 'a frame of a power of two from 64 to 8192 lanes';

const isFrame = (lanes: number, operand: number): Misfit | null =>
  isTransformSize(lanes) ? null : { operand, expected: FRAME };

const fittingFrame = (x: readonly number[]): Misfit | null =>
  isFrame(x[0]!, 0) ?? wants(x, 1, 1, 'a number');

export const TRACKING_OPS: { readonly [Op in TrackingOp]: LaneRule<NodeOf<Op>> } = {
  ramp: {
    operands: [],
    fields: '`size`; `from`, `to`: its first and last lane',
    doc: 'a constant vector in even steps',
    lanes: (n) => n.size,
    misfit: fitsAll,
    build: (b, { size: lanes, from, to }) =>
      b.node(
        'const',
        [],
        Array.from({ length: lanes }, (_, k) => from + ((to - from) * k) / Math.max(1, lanes - 1)),
      ),
  },
  cumulativeSum: {
    operands: ['a'],
    doc: 'lane k: the sum of lanes 0 … k',
    lanes: (_, [a]) => a,
    misfit: fitsAll,
    build: (b, _, x) => (b.shape(x[0]!) === 1 ? x[0]! : b.node('cumulate', x)),
  },
  gate: {
    operands: ['a'],
    fields: '`share`, from 0 to 1',
    doc: 'a − share · its largest lane, 0 where that is negative: what is left of a spectrum above its noise',
    lanes: (_, [a]) => a,
    misfit: fitsAll,
    build: (b, n, x) => gated(b, x[0]!, n.share),
  },
  transport: {
    operands: ['p', 'q', 'places'],
    fields: '`order`, 1 or 2',
    doc: 'what it costs to move the masses p to the masses q, both scaled to the sum 1, along places in rising order: Σ mass · distance^order at its least, the Wasserstein distance W₁ or the square of W₂. Masses below 0 count as 0; silence on either side costs 0 and has no gradient. The gradient goes to p and q, none to places. Gate the target, never what is learnt: what is cut off does not move',
    lanes: () => 1,
    misfit: (_, x) =>
      x[0]! < 2
        ? { operand: 0, expected: 'two lanes or more' }
        : (wants(x, 1, x[0]!, 'as in[0]') ?? wants(x, 2, x[0]!, 'as in[0]')),
    build: (b, { order }, x) => b.node('transport', x, [order]),
  },
  frequencyLoss: {
    operands: ['frame', 'octaves'],
    fields: `\`gate\`, a share of the largest bin's power, ${GATE} if not given; \`floor\`, an amplitude, ${QUIET} if not given`,
    doc: 'how far the frequency 2^octaves Hz is from the strongest partial of a frame, in octaves, squared: optimal transport between their spectra from afar, the Newton step within a bin. A gradient step of the rate ½ goes all the way. 0 below `floor`; a smaller `gate` lets weaker partials count',
    lanes: () => 1,
    misfit: (_, x) => fittingFrame(x),
    build: (b, n, [frame, octaves], sampleRate) =>
      frequencyLoss(b, frame!, octaves!, { sampleRate, gate: n.gate, floor: n.floor }),
  },
  continueSine: {
    operands: ['frame', 'octaves'],
    fields: '`size`, up to half the frame; `floor`, as for `frequencyLoss`',
    doc: 'the sine of 2^octaves Hz that is nearest to a frame, amplitude and phase in closed form, as it goes on from the last sample; no gradient. Times a `hann` window and with `overlapAdd` every `size` / 2 samples it follows the sound without delay or clicks',
    lanes: (n) => n.size,
    misfit: (n, x) =>
      fittingFrame(x) ??
      (n.size <= x[0]! / 2 ? null : { operand: 0, expected: `at least ${2 * n.size} lanes` }),
    build: (b, n, [frame, octaves], sampleRate) =>
      continuedSine(b, frame!, octaves!, n.size, { sampleRate, floor: n.floor }),
  },
  delayLoss: {
    operands: ['reference', 'target', 'delay'],
    fields: `\`max\`, samples, at most half the frames less ${AROUND}`,
    doc: 'how far a delay, in samples, is from that of the frame `target` behind the frame `reference`, squared: optimal transport to their whitened correlation from afar, the Gauss-Newton step between the samples near it. A gradient step of the rate ½ goes all the way. The gradient goes to the delay alone',
    lanes: () => 1,
    misfit: (n, x) =>
      isFrame(x[0]!, 0) ??
      wants(x, 1, x[0]!, 'as in[0]') ??
      wants(x, 2, 1, 'a number') ??
      (n.max + AROUND <= x[0]! / 2
        ? null
        : { operand: 0, expected: `frames of at least ${2 * (n.max + AROUND)} lanes` }),
    build: (b, { max }, [reference, target, delay]) =>
      delayLoss(b, reference!, target!, delay!, max),
  },
};

export const TRACKING_OP_NAMES = Object.keys(TRACKING_OPS) as readonly TrackingOp[];

export const isTrackingOp = (op: string): op is TrackingOp => Object.hasOwn(TRACKING_OPS, op);
