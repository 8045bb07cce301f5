/**
 * Random patch documents for the fuzz tests: what a user could upload, so everything that the
 * front end makes of a document is in it. Coupled and nested recursions, delays of everything with
 * starting values, ints, controls and numbers as outputs, estimate or target.
 */

import { OPTIMISER_KINDS, rowOf } from '../../dsp/learn/optimisers/table.ts';
import { PATCH_FORMAT } from '../../dsp/patch/schema.ts';

/** Those that take any loss, mode and window. */
const BY_GRADIENT = OPTIMISER_KINDS.filter((kind) => rowOf(kind).measures === undefined);

type Json = Record<string, unknown>;

export interface RandomPatch {
  readonly json: Json;
  readonly window: number;
  readonly maxBlock: number;
  readonly latency: number;
}

export interface PatchOptions {
  readonly smooth: boolean;
  readonly mode: 'forward' | 'reverse' | 'auto' | null;
}

export function randomPatch(next: () => number, { smooth, mode }: PatchOptions): RandomPatch {
  const below = (n: number): number => Math.floor(next() * n);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const chance = (p: number): boolean => next() < p;

  const nodes: Record<string, Json> = {
    x: { op: 'input', channel: 1 },
    x2: { op: 'input', channel: 2 },
  };
  const reals = ['x', 'x2', 's0', 's1', 'p0', 'p1', 'p2'];
  const ints: string[] = [];
  let count = 0;
  const add = (node: Json, into: string[] | null = reals): string => {
    const id = `n${count++}`;
    nodes[id] = node;
    into?.push(id);
    return id;
  };
  const real = (): string | number =>
    chance(0.12) ? pick([0.5, -0.75, 1, 0, 2, -1, 0.1]) : pick(reals);
  const int = (): string | number =>
    ints.length === 0 || chance(0.15) ? pick([0, 1, -3, 7, 12345, 31]) : pick(ints);
  const init = (values: readonly number[]): Json => (chance(0.4) ? { init: pick(values) } : {});
  /** Kept between −1 and 1. */
  const bounded = (id: string): string => {
    if (!smooth) return add({ op: 'max', in: [-1, add({ op: 'min', in: [1, id] }, null)] });
    return add({ op: 'div', in: [id, atLeastOne(id)] });
  };
  const atLeastOne = (id: string | number): string =>
    add({ op: 'add', in: [1, add({ op: 'mul', in: [id, id] }, null)] }, null);

  /** An index that no parameter moves, so that a difference quotient sees no jump. */
  const index = (size: number): string =>
    add({ op: 'add', in: [0.37, add({ op: 'mul', in: ['x2', size] }, null)] }, null);
  const addMemory = (): void => {
    const kind = next();
    const size = 1 + below(9);
    const values = Array.from({ length: size }, () => below(9) / 8 - 0.5);
    if (kind < 0.5) {
      const max = pick([1, 2, 3, 8, 60]);
      const interpolation = pick(['none', 'linear', 'cubic', 'allpass']);
      const frames = smooth ? index(2 * max) : real();
      // A literal may be out of range, which is an error of its own.
      const held = typeof frames === 'number' ? 1 : frames;
      add({ op: 'delayBy', in: [real(), held], max, interpolation });
    } else if (kind < 0.75) {
      const interpolation = pick(['none', 'linear', 'cubic']);
      const content = chance(0.5) ? { values } : { waveform: 'triangle', size };
      const learnt = pick(['v0', 'w2', add({ op: 'mul', in: ['v0', 'p0'] }, null)]);
      const made = chance(0.5)
        ? { in: [chance(0.5) && !smooth ? real() : index(6), learnt] }
        : { in: [index(6)], ...content };
      bounded(add({ op: 'table', ...made, interpolation, wrap: chance(0.5) }, null));
    } else {
      const content = chance(0.5) ? { values } : { size };
      const place = (): string | number => (smooth || ints.length === 0 ? index(12) : pick(ints));
      add({ op: 'rwTable', in: [real(), place(), place()], ...content });
    }
  };

  /** A bank of three: what has state, its lanes' operands being their own. */
  const addBank = (): void => {
    const x = pick([real(), 'v0', add({ op: 'mul', in: ['v0', real()] }, null)]);
    const three = (values: readonly number[]): string =>
      add({ op: 'vector', values: values.map((v) => v * (1 + below(3))) }, null);
    const values = Array.from({ length: 6 }, () => below(9) / 8 - 0.5);
    const places = add({ op: 'mul', in: [index(4), three([1, -0.5, 0.3])] }, null);
    const interpolation = pick(['none', 'linear', 'cubic']);
    const bank = pick<Json>([
      { op: pick(['lowpass', 'svfBandpass']), in: [x, three([200, 900, 3000]), 0.7] },
      { op: 'biquad', in: [x, 0.3, 'v0', -0.1, three([-0.2, 0.1, 0.3]), 0.4] },
      { op: pick(['onePole', 'dcBlocker']), in: [x, three([0.2, -0.3, 0.1])] },
      { op: 'runningMean', in: [add({ op: 'mul', in: [x, 'v0'] }, null)], frames: 3 },
      { op: 'delayBy', in: [x, places], max: 8, interpolation: pick(['linear', 'allpass']) },
      { op: 'delayBy', in: [add({ op: 'mul', in: [x, 'v0'] }, null), index(9)], max: 5 },
      { op: 'table', in: [places], values, interpolation, wrap: chance(0.5) },
      { op: 'rwTable', in: [add({ op: 'mul', in: [x, 'v0'] }, null), index(5), 2], size: 4 },
      { op: 'noise', seed: below(5), lanes: 3 },
      ...(smooth
        ? []
        : [{ op: pick(['phasor', 'saw', 'triangle']), in: [three([440, -99, 3e3])] }]),
    ]);
    const y = add({ op: 'mul', in: [add(bank, null), 'v0'] }, null);
    // In an order that is the same everywhere.
    const [first, second, third] = [0, 1, 2].map((from) =>
      add({ op: 'slice', in: [y], from, lanes: 1 }, null),
    );
    const rest = add({ op: 'sub', in: [second, third] }, null);
    bounded(add({ op: 'add', in: [first, rest] }, null));
  };

  /** A few numbers as a vector, through a layer, and back to a number. */
  const addVectors = (): void => {
    const x = add({ op: 'concat', in: [real(), 'v0', real()] }, null);
    const late = add({ op: 'delay', in: [x], frames: 1 + below(4), ...init([0.5, 0]) }, null);
    const from = pick([x, late, add({ op: 'mul', in: [x, real()] }, null)]);
    const held = add({ op: 'tanh', in: [from] }, null);
    const activation = pick(['tanh', 'sigmoid', 'softsign', 'linear']);
    const layer = pick<Json>([
      { op: 'dense', in: [held, 'w0', 'v0'], units: 3, activation },
      { op: 'conv1d', in: [held, 'w1'], units: 3, taps: 2, dilation: 1 + below(5), activation },
      { op: 'conv1d', in: [real(), 'w2'], units: 3, taps: 3, activation },
      { op: 'rnn', in: [held, 'w0', 'w2', 0.1], units: 3 },
      { op: 'gru', in: [real(), 'w2', 'w3', 'w2', 'w2'], units: 3 },
    ]);
    const y = add(layer, null);
    const number = pick<Json>([
      { op: 'slice', in: [y], from: below(3), lanes: 1 },
      { op: 'sumLanes', in: [y] },
      { op: 'sumLanes', in: [add({ op: 'cumulativeSum', in: [y] }, null)] },
      { op: 'dot', in: [y, add({ op: 'softmax', in: [y] }, null)] },
    ]);
    bounded(add(number, null));
  };

  // Recursions: delays whose sources come later.
  const loops = Array.from({ length: below(5) }, () => {
    const isInt = !smooth && chance(0.25);
    const frames = pick([1, 1, 1, 2, 3, 4, 5, 7, 16, 63, 64, 65, 130, 300]);
    const node: Json = { op: 'delay', in: [0], frames };
    Object.assign(node, init(isInt ? [17, -4, 0] : [0.5, -0.25, 1, 0]));
    return { id: add(node, isInt ? ints : reals), isInt, node };
  });
  const size = 3 + below(22);
  for (let k = 0; k < size; k++) {
    const kind = next();
    if (kind < 0.35) {
      bounded(add({ op: pick(['add', 'sub', 'mul', 'mul']), in: [real(), real()] }, null));
    } else if (kind < 0.4) add({ op: 'div', in: [real(), atLeastOne(real())] });
    else if (kind < 0.44) add({ op: 'sqrt', in: [atLeastOne(real())] });
    else if (kind < 0.46) add({ op: 'neg', in: [real()] });
    else if (kind < 0.53) addMemory();
    else if (kind < 0.6) {
      const frames = pick([1, 1, 2, 3, 3, 4, 5, 6, 8, 33, 100]);
      add({ op: 'delay', in: [real()], frames, ...init([0.5, -0.25, 0, 1]) });
    } else if (kind < 0.64) {
      add({ op: 'runningMean', in: [real()], frames: pick([1, 2, 3, 5, 7, 8, 13, 64, 100]) });
    } else if (kind < 0.67) add({ op: 'align', in: [real()] });
    else if (kind < 0.7) add({ op: 'noise', seed: below(5) });
    else if (chance(0.22)) pick([addVectors, addBank])();
    else if (kind < 0.73) {
      const cutoff = pick([90, 700, 9000]);
      add(
        pick<Json>([
          {
            op: pick(['lowpass', 'svfHighpass', 'bandpass', 'svfNotch']),
            in: [real(), cutoff, 0.7],
          },
          { op: pick(['peaking', 'svfLowShelf']), in: [real(), cutoff, 1.1, pick([-6, 3])] },
          { op: 'biquad', in: [real(), 0.3, 0.2, -0.1, -0.5, 0.4] },
          { op: 'onePole', in: [real(), pick([0.5, -0.5, 0.9])] },
          { op: 'dcBlocker', in: [real(), 0.9] },
          { op: 'lerp', in: [real(), real(), 0.3] },
          { op: 'mem', in: [real()] },
          { op: 'runningSum', in: [real()], frames: pick([2, 3, 5]) },
        ]),
      );
    } else if (smooth) {
      if (kind < 0.82) add({ op: pick(['sin', 'cos', 'tanh', 'exp']), in: [real()] });
      else add({ op: 'mul', in: [real(), pick([0.3, -0.7, 0.9])] });
    } else if (kind < 0.76) add({ op: pick(['min', 'max']), in: [real(), real()] });
    else if (kind < 0.78) add({ op: 'abs', in: [real()] });
    else if (kind < 0.8) {
      add(
        pick<Json>([
          { op: pick(['floor', 'rint', 'round']), in: [real()], gradient: 'straight-through' },
          { op: 'clip', in: [real(), -0.5, 0.6] },
          { op: 'wrap', in: [real(), -0.5, 0.75] },
          { op: 'select3', in: [real(), real(), real(), real()] },
          { op: 'detach', in: [real()] },
          { op: 'withSlope', in: [real(), real(), real()] },
          { op: pick(['phasor', 'saw', 'triangle']), in: [pick([440, 3000, -100])] },
          { op: 'envelope', in: [real(), 0.001, 0.01] },
        ]),
      );
    } else if (kind < 0.85) {
      const op = pick(['lt', 'le', 'gt', 'ge', 'eq', 'ne']);
      const condition = add({ op, in: [real(), real()] }, ints);
      add({ op: 'select', in: [condition, real(), real()] });
    } else if (kind < 0.88) {
      add({ op: 'toInt', in: [add({ op: 'mul', in: [real(), 1000] }, null)] }, ints);
    } else if (ints.length > 0) {
      const op = pick([
        'add',
        'sub',
        'mul',
        'min',
        'max',
        'and',
        'or',
        'xor',
        'shl',
        'shr',
        'rem',
        'lt',
      ]);
      add({ op, in: [pick(ints), int()] }, ints);
      add({ op: 'delay', in: [pick(ints)], frames: 1 + below(9), ...init([7, -2]) }, ints);
      const low = add({ op: 'and', in: [pick(ints), 1023] }, null);
      add({ op: 'mul', in: [add({ op: 'toReal', in: [low] }, null), 1 / 1024] });
    }
  }
  for (const { id, isInt, node } of loops) {
    const others = ints.filter((other) => other !== id);
    node['in'] = [isInt ? (others.length > 0 ? pick(others) : 5) : pick(reals)];
  }
  const control = (initial: number): Json => ({ initial, min: -4, max: 4 });
  /** Only those that a node uses: a parameter that nothing uses is work for the checks alone. */
  const weights = (sizes: Readonly<Record<string, number>>): Json => {
    const used = new Set(Object.values(nodes).flatMap((node) => node['in'] ?? []));
    const made = Object.entries(sizes).filter(([id]) => used.has(id));
    return Object.fromEntries(
      made.map(([id, size], seed) => {
        const initial = { init: 'uniform', seed, scale: 0.5 };
        return [id, { ...control(0), size, initial }];
      }),
    );
  };
  const window = pick([1, 2, 3, 4, 5, 7, 13, 40, 64, 100, 257]);
  const signal = (): string => (chance(0.2) ? pick(reals) : pick(reals.slice(-4)));
  const training = {
    estimate: signal(),
    target: signal(),
    loss: smooth ? 'mse' : pick(['mse', 'mae']),
    window,
    mode,
    every: pick([1, 1, 3]),
    optimiser: { kind: pick(BY_GRADIENT) },
    schedule: { kind: 'constant', rate: 0.05 },
  };
  return {
    json: {
      format: PATCH_FORMAT,
      name: 'random',
      sliders: { s0: control(0.3), s1: control(-0.6) },
      params: {
        p0: control(0.4),
        v0: { ...control(0.3), size: 3 },
        p1: control(-0.7),
        p2: control(0.9),
        ...weights({ w0: 15, w1: 30, w2: 9, w3: 27 }),
      },
      nodes,
      outputs: Array.from({ length: below(5) }, () => (chance(0.15) ? 0.5 : pick(reals))),
      ...(mode === null ? {} : { training }),
    },
    window,
    maxBlock: pick([1, 2, 3, 5, 16, 64, 128]),
    latency: pick([0, 1, 7, 200]),
  };
}
