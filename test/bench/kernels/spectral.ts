/**
 * Losses on spectra, through the IR: the spectral loss of patches squares its differences and leaves
 * out frames that begin before the window. Native side: stft.c, which says what exactly is computed.
 */
import { differentiate, objectiveActivity } from '../../../dsp/ad/gradient.ts';
import type { Loss } from '../../../dsp/ad/gradient.ts';
import { ok } from '../../../dsp/diagnostic.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { NodeId } from '../../../dsp/ir/graph.ts';
import { SGD } from '../../../dsp/learn/optimisers/table.ts';
import { updateGraph } from '../../../dsp/learn/optimisers/update.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { RANGE, kernel } from './kernel.ts';
import type { Kernel } from './kernel.ts';

const SIZE = 1024;
const HOP = 256;
const BINS = SIZE / 2 + 1;

/** Mean over frames and bins of | ln |Y| − ln |D| |, ln |Z| = ln(|Z|² + 1e-8) / 2. */
const logMagnitude: Loss = (b, estimate, target, window) => {
  const hann = b.node(
    'const',
    [],
    Array.from({ length: SIZE }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / SIZE)),
  );
  const level = (signal: NodeId): NodeId => {
    const frame = b.node('mul', [b.node('frames', [signal], [HOP, SIZE]), hann]);
    const spectrum = b.node('rfft', [frame]);
    const squares = [0, BINS].map((from) => {
      const part = b.node('slice', [spectrum], [from, BINS]);
      return b.node('mul', [part, part]);
    });
    return b.node('ln', [b.node('add', [b.node('add', squares), b.real(1e-8)])]);
  };
  const difference = b.node('abs', [b.node('sub', [level(estimate), level(target)])]);
  const total = b.node('sum', [b.node('laneSum', [difference])]);
  return b.node('mul', [total, b.real((0.5 * HOP) / window / BINS)]);
};

const program: Kernel['program'] = ({ name, window, initial }) => {
  const b = new Builder('stream');
  const [x, target] = [b.node('input', [], [0]), b.node('input', [], [1])];
  const estimate = b.node('mul', [b.node('param', [], [0]), x]);
  const stream = b.finish([{ name: 'out:0', node: estimate }]);
  const objective = { terms: [{ estimate, target, loss: logMagnitude }], window, params: 1 };
  const { active } = objectiveActivity(stream, objective);
  const made = differentiate(stream, objective, active, 'reverse');
  const params = initial.map((value, k) => ({ id: `p${k}`, initial: value, ...RANGE }));
  return ok({
    name,
    precision: 'single' as const,
    stream: optimise(made.stream),
    loss: null,
    backward: optimise(made.backward),
    update: optimise(updateGraph(SGD, params)),
    window,
    carry: 0,
    mode: 'reverse',
    reasons: [],
    throughDevice: false,
    inputs: 2,
    outputs: 1,
    sliders: [],
    params,
  });
};

export const SPECTRAL: readonly Kernel[] = [
  kernel({
    name: 'stft-1024-loss',
    native: { name: 'stft', size: 0 },
    initial: [0.5],
    frames: 4096,
    window: 4096,
    program,
    // A bin whose two levels agree to the last digits may count up on one side and down on the
    // other: one of the 8208 moves the gradient by about 6e-4.
    tolerance: 1e-3,
    target: 1.1,
  }),
];
