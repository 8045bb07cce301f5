/**
 * Networks on each sample, of scalar operations: a multilayer perceptron and LSTM layers.
 * Native sides: mlp.c, lstm.c.
 */
import type { PatchBuilder, Signal } from '../../../dsp/patch/builder.ts';
import { add, dot, kernel, mul, noise, recur } from './kernel.ts';
import type { Estimate, Kernel } from './kernel.ts';

const UNITS = 16;

/** Hands out consecutive pieces of the parameters. */
function pieces(params: readonly Signal[]): (count: number) => readonly Signal[] {
  let at = 0;
  return (count) => params.slice(at, (at += count));
}

/** 1-16-16-1, tanh; parameters w1[16] b1[16] w2[16][16] (to, from) b2[16] w3[16] b3. */
const mlp: Estimate = (p, x, params) => {
  const take = pieces(params);
  const tanh = (z: Signal): Signal => p.op('tanh', [z]);
  const [w1, b1, w2, b2] = [take(UNITS), take(UNITS), take(UNITS * UNITS), take(UNITS)];
  const [w3, b3] = [take(UNITS), take(1)];
  const h1 = w1.map((w, i) => tanh(add(p, mul(p, w, x), b1[i]!)));
  const h2 = b2.map((b, j) => tanh(dot(p, w2.slice(j * UNITS, (j + 1) * UNITS), h1, b)));
  return dot(p, w3, h2, b3[0]);
};

/**
 * One layer and a linear output; parameters w[4H] U[H][4H] (from, to) b[4H] v[H] v0, gates in the
 * order i f o g: z = w·x + U·h + b, c ← f·c + i·g, h ← o·tanh(c), y = v·h + v0.
 */
const lstm =
  (cells: number): Estimate =>
  (p, x, params) => {
    const take = pieces(params);
    const gates = 4 * cells;
    const [w, U, b, v] = [take(gates), take(cells * gates), take(gates), take(cells)];
    const [v0] = take(1);
    const next = recur(p, 2 * cells, (past) => {
      const [c, h] = [past.slice(0, cells), past.slice(cells)];
      const z = w.map((one, r) => {
        const column = h.map((_, k) => U[k * gates + r]!);
        return dot(p, column, h, add(p, mul(p, one, x), b[r]!));
      });
      const to = c.map((old, k) => cell(p, old, z, k, cells));
      return [...to.map((one) => one.c), ...to.map((one) => one.h)];
    });
    return dot(p, v, next.slice(cells), v0);
  };

function cell(
  p: PatchBuilder,
  c: Signal,
  z: readonly Signal[],
  k: number,
  cells: number,
): { readonly c: Signal; readonly h: Signal } {
  const gate = (index: number): Signal => p.fn('sigmoid', [z[index * cells + k]!]);
  const g = p.op('tanh', [z[3 * cells + k]!]);
  const next = add(p, mul(p, gate(1), c), mul(p, gate(0), g));
  return { c: next, h: mul(p, gate(2), p.op('tanh', [next])) };
}

const LSTM_WINDOW = 2048;

function lstms(cells: number): Kernel[] {
  const common = {
    initial: [...noise(4 * cells + 4 * cells * cells + 4 * cells + cells + 1, 5, 0.3)],
    frames: LSTM_WINDOW,
    mode: 'reverse',
    estimate: lstm(cells),
  } as const;
  return [
    kernel({
      ...common,
      name: `lstm-${cells}`,
      native: { name: 'lstm-forward', size: cells },
      window: 0,
      target: 1.6,
    }),
    kernel({
      ...common,
      name: `lstm-${cells}-train`,
      native: { name: 'lstm-train', size: cells },
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
    estimate: mlp,
    target: 1.6,
  }),
  ...lstms(16),
  ...lstms(40),
];
