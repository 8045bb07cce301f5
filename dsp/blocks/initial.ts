/**
 * Starting values of weights: drawn at random, the same for the same seed on every machine.
 *
 * Invariant: a value depends on kind, seed, size, scale and fans alone. The generator is a 32-bit
 * counter with a mixing function; `vary` of patches draws from it as well. Matrices are columns
 * of outputs, one column per input, as everywhere in the IR.
 */

export const INITS = {
  zeros: 'all 0',
  ones: 'all `scale`',
  uniform: 'uniform in ±`scale`',
  normal: 'normal, standard deviation `scale`',
  glorot: 'uniform in ±`scale`·√(6 / (fanIn + fanOut))',
  he: 'normal, standard deviation `scale`·√(2 / fanIn)',
  lecun: 'uniform in ±`scale`·√(1 / fanIn)',
  orthogonal:
    'a matrix of fanOut · fanIn numbers whose shorter side is orthogonal, of length `scale`',
} as const;

export type InitKind = keyof typeof INITS;

export const INIT_KINDS = Object.keys(INITS) as [InitKind, ...InitKind[]];

export interface Init {
  readonly kind: InitKind;
  readonly seed: number;
  /** Factor of all of them. */
  readonly scale: number;
  /** Inputs and outputs of the layer. */
  readonly fanIn: number;
  readonly fanOut: number;
}

/**
 * `size` starting values.
 *
 * Errors: throws where an orthogonal matrix has not fanIn · fanOut numbers.
 * Cost: linear; for an orthogonal matrix of n columns about n times that.
 * Source: X. Glorot, Y. Bengio, 2010; K. He et al., 2015; A. Saxe et al., 2013 (orthogonal).
 * Tested: test/dsp/blocks/initial.test.ts (moments, ranges, orthogonality, determinism).
 */
export function initialValues(init: Init, size: number): number[] {
  const { kind, seed, scale, fanIn, fanOut } = init;
  const next = generator(seed);
  const filled = (make: () => number): number[] => Array.from({ length: size }, make);
  const uniform = (limit: number): number[] => filled(() => limit * (2 * next() - 1));
  const gaussian = normal(next);
  switch (kind) {
    case 'zeros':
      return filled(() => 0);
    case 'ones':
      return filled(() => scale);
    case 'uniform':
      return uniform(scale);
    case 'normal':
      return filled(() => scale * gaussian());
    case 'glorot':
      return uniform(scale * Math.sqrt(6 / (fanIn + fanOut)));
    case 'he':
      return filled(() => scale * Math.sqrt(2 / fanIn) * gaussian());
    case 'lecun':
      return uniform(scale * Math.sqrt(1 / fanIn));
    case 'orthogonal': {
      if (size !== fanIn * fanOut) {
        throw new Error(`an orthogonal matrix of ${fanOut} x ${fanIn} has not ${size} numbers`);
      }
      return orthogonal(fanOut, fanIn, gaussian).map((v) => scale * v);
    }
  }
}

/** Uniform in [0, 1), 2⁻³² apart: a counter in steps of the golden ratio, mixed (as SplitMix32). */
export function generator(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x85ebca6b) | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let h = state;
    h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
    h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
    return ((h ^ (h >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** Mean 0, deviation 1, by the polar method. Source: G. Marsaglia, T. Bray, 1964. */
function normal(next: () => number): () => number {
  let spare: number | null = null;
  return () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    for (;;) {
      const [u, v] = [2 * next() - 1, 2 * next() - 1];
      const square = u * u + v * v;
      if (square >= 1 || square === 0) continue;
      const length = Math.sqrt((-2 * Math.log(square)) / square);
      spare = v * length;
      return u * length;
    }
  };
}

/** Gram and Schmidt, twice over, on the vectors of the shorter side. */
function orthogonal(rows: number, columns: number, next: () => number): number[] {
  const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
  const made: Float64Array[] = [];
  while (made.length < count) {
    const vector = Float64Array.from({ length }, next);
    for (let round = 0; round < 2; round++) {
      for (const other of made) {
        let inner = 0;
        for (let k = 0; k < length; k++) inner += other[k]! * vector[k]!;
        for (let k = 0; k < length; k++) vector[k]! -= inner * other[k]!;
      }
    }
    const size = Math.hypot(...vector);
    if (size < 1e-6) continue;
    made.push(vector.map((v) => v / size));
  }
  return Array.from({ length: rows * columns }, (_, lane) => {
    const [column, row] = [Math.floor(lane / rows), lane % rows];
    return rows >= columns ? made[column]![row]! : made[row]![column]!;
  });
}
