/**
 * Optimal transport between spectra: how far the sound's power has to move along the frequencies.
 *
 * Bins that do not overlap have a distance too, so its slope points to a frequency however far away
 * it is: what no comparison bin by bin does. Of the target alone weak bins are cut off, so that its
 * noise does not pull; never of the estimate, where what is cut off would not move.
 * Invariant: silence on either side costs 0 and has no slope. Frames and scale as in `spectral.ts`.
 * Sources: as `interpret/transport.ts`; for the Cramér distance, M. Bellemare et al., The Cramer
 * distance as a solution to biased Wasserstein gradients, 2017.
 */

import { z } from 'zod';
import { gated } from '../../blocks/frequency.ts';
import { powerOf } from '../../blocks/spectra.ts';
import type { Builder } from '../../ir/builder.ts';
import type { NodeId } from '../../ir/graph.ts';
import { SILENCE } from '../../ir/ops.ts';
import { atLeast, div, mul, row, square, sub } from './row.ts';
import { SAME, framewise, framing, misframed } from './spectral.ts';

const GATE = 1e-3;

const { floor: _floor, ...frames } = framing;

const options = {
  ...frames,
  order: z.enum(['w1', 'w2', 'cramer']).optional(),
  axis: z.enum(['log', 'linear']).optional(),
  gate: z.number().min(0).max(0.999).optional(),
  spectrum: z.enum(['power', 'magnitude']).optional(),
};
type Options = z.infer<z.ZodObject<typeof options>>;

/** Where the bins that count lie: octaves above the first, or kHz. */
const placesOf = (
  { axis = 'log' }: Options,
  size: number,
  sampleRate: number,
): { readonly first: number; readonly places: readonly number[] } => {
  const first = axis === 'log' ? 1 : 0;
  const places = Array.from({ length: size / 2 + 1 - first }, (_, k) =>
    axis === 'log' ? Math.log2(k + 1) : (k * sampleRate) / size / 1000,
  );
  return { first, places };
};

/** Σ (F − G)²·Δ of the sums so far, each of the whole; 0 where either is silent. */
function cramer(b: Builder, p: NodeId, q: NodeId, places: readonly number[]): NodeId {
  const [sum, other] = [p, q].map((x) => b.node('laneSum', [x])) as [NodeId, NodeId];
  const upTo = (x: NodeId, total: NodeId): NodeId =>
    div(b, b.node('cumulate', [x]), atLeast(b, total, SILENCE));
  const apart = square(b, sub(b, upTo(p, sum), upTo(q, other)));
  const steps = places.map((place, k) => (places[k + 1] ?? place) - place);
  const cost = b.node('laneSum', [mul(b, apart, b.node('const', [], steps))]);
  const isLoud = b.node('and', [
    b.node('gt', [sum, b.real(SILENCE)]),
    b.node('gt', [other, b.real(SILENCE)]),
  ]);
  return b.node('select', [isLoud, cost, b.real(0)]);
}

export const TRANSPORT = {
  transport: row({
    options,
    takes: 'sound',
    formula: 'mean W₂²(p, q), p = max(|T|² − gate·max |T|², 0), q = |E|², each over its sum',
    unit: 'octaves², or kHz²; without the square for `w1` and `cramer`',
    doc: `optimal transport between spectra: finds a frequency from afar, with a gradient of twice the distance. Hears no level. \`order\`: \`w2\` (default), the squared 2-Wasserstein distance, \`w1\`, or \`cramer\`, Σ (F − G)²·Δ of the sums so far, which is smooth; \`axis\`: \`log\` (default), octaves, without the bin of 0 Hz, or \`linear\`, kHz; \`gate\`: 0.001, of the target alone, 0.01 in noise, 0.4 for the strongest partial; \`spectrum\`: \`power\` (default) or \`magnitude\`. A patch that makes its own frames has the operation \`transport\`, and \`frequencyLoss\`, which ends in a Newton step. ${SAME}`,
    build: (o, sampleRate) =>
      framewise((b, e, t, { size }) => {
        const { order = 'w2', gate = GATE, spectrum = 'power' } = o;
        const { first, places } = placesOf(o, size, sampleRate);
        const [q, heard] = [e, t].map((one) => {
          const power = b.node('slice', [powerOf(b, one)], [first, places.length]);
          return spectrum === 'power' ? power : b.node('sqrt', [power]);
        }) as [NodeId, NodeId];
        const p = gated(b, heard, gate);
        if (order === 'cramer') return cramer(b, p, q, places);
        const along = b.node('const', [], places);
        return b.node('transport', [p, q, along], [order === 'w1' ? 1 : 2]);
      }, o),
    wrong: misframed('transport'),
  }),
} as const;
