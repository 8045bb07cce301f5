/**
 * Networks on each sample: a multilayer perceptron and LSTM layers. Native sides: mlp.c, lstm.c.
 */
import { add, kernel, noise, patched } from './kernel.ts';
import type { Estimate, Kernel } from './kernel.ts';

const UNITS = 16;

/** 1-16-16-1, tanh; on the native side w1[16] b1[16] w2[16][16] (to, from) b2[16] w3[16] b3. */
const mlp: Estimate = (p, x, [w1, b1, w2, b2, w3, b3]) => {
  const hidden = { units: UNITS, activation: 'tanh' } as const;
  const first = p.vector('dense', [x, w1!, b1!], hidden);
  const second = p.vector('dense', [first, w2!, b2!], hidden);
  return p.vector('dense', [second, w3!, b3!], { units: 1 });
};

const MLP_SIZES = [UNITS, UNITS, UNITS * UNITS, UNITS, UNITS, 1];

/** A dense layer has the output last: its second matrix is transposed. */
const mlpPlaces = (): number[] => {
  const count = MLP_SIZES.reduce((sum, size) => sum + size, 0);
  const places = Array.from({ length: count }, (_, k) => k);
  for (let to = 0; to < UNITS; to++) {
    for (let from = 0; from < UNITS; from++) {
      places[2 * UNITS + to * UNITS + from] = 2 * UNITS + from * UNITS + to;
    }
  }
  return places;
};

/**
 * One layer and a linear output; on the native side w[4H] U[H][4H] (from, to) b[4H] v[H] v0, gates in
 * the order i f o g.
 */
const lstm =
  (units: number): Estimate =>
  (p, x, [kernelWeights, recurrent, bias, v, v0]) => {
    const h = p.vector('lstm', [x, kernelWeights!, recurrent!, bias!], { units });
    return add(p, p.vector('dot', [v!, h], {}), v0!);
  };

/** The layer's gates come in the order i f g o. */
const lstmPlaces = (units: number): number[] => {
  const gated = 4 * units * (units + 2);
  const swapped = [0, 0, units, -units];
  return Array.from({ length: gated + units + 1 }, (_, k) =>
    k < gated ? k + swapped[Math.floor(k / units) % 4]! : k,
  );
};

const LSTM_WINDOW = 2048;

function lstms(units: number): Kernel[] {
  const sizes = [4 * units, 4 * units * units, 4 * units, units, 1];
  const common = {
    initial: [...noise(4 * units * (units + 2) + units + 1, 5, 0.3)],
    places: lstmPlaces(units),
    program: patched(lstm(units), sizes),
    frames: LSTM_WINDOW,
    mode: 'reverse',
  } as const;
  return [
    kernel({
      ...common,
      name: `lstm-${units}`,
      native: { name: 'lstm-forward', size: units },
      window: 0,
      target: 1.6,
    }),
    kernel({
      ...common,
      name: `lstm-${units}-train`,
      native: { name: 'lstm-train', size: units },
      window: LSTM_WINDOW,
      rate: 1e-4,
      tolerance: 1e-3,
      target: 1.1,
    }),
  ];
}

export const NETWORKS: readonly Kernel[] = [
  kernel({
    name: 'mlp-1-16-16-1',
    native: { name: 'mlp', size: 0 },
    initial: [...noise(UNITS * UNITS + 4 * UNITS + 1, 4, 0.5)],
    places: mlpPlaces(),
    program: patched(mlp, MLP_SIZES),
    target: 1.6,
  }),
  ...lstms(16),
  ...lstms(40),
];
