/**
 * The op table: every operation of the IR, one row each.
 *
 * Invariant: a row is data. What an operation does is said once per room by a total rule table
 * keyed by `OpKind` (`interpret/rules`, `ad/partials`, `wasm/rules`), so a forgotten rule
 * does not compile.
 *
 * Semantics shared by all rooms:
 * - `real` values are binary32 or binary64, as the graph is compiled; `int` values are 32-bit
 *   two's complement and wrap. Arithmetic takes operands of one type and keeps it.
 * - Comparisons and conditions are `int`: 0 is false, all else true; a comparison gives 0 or 1.
 * - `min(a, b)` is `b < a ? b : a` and `max(a, b)` is `a < b ? b : a`: a NaN in `b` is dropped.
 * - `toInt` truncates toward zero, saturates at the 32-bit range and takes NaN to 0.
 * - An index into a line or table is held to its range.
 * - A value has a static number of lanes. Arithmetic works lane by lane; a number meets a vector as
 *   a vector of equal lanes. A matrix is a vector of columns: element (r, k) is lane k·rows + r.
 */

/** What a value is. Tangents and cotangents are always `real`, those of `int` values included. */
export type ValueType = 'real' | 'int';

/**
 * How an operation's result type follows from its operands.
 * `same`: all operands alike, and so is the result. `select`: an int, then two alike. `pairs`: a real
 * and an int in turn.
 */
export type Signature =
  | 'real'
  | 'int'
  | 'same'
  | 'select'
  | 'real→real'
  | 'real,real→real'
  | 'real,real,real→real'
  | 'real→int'
  | 'int→real'
  | 'int→int'
  | 'same→int'
  | 'reals→real'
  | 'real,int→real'
  | 'real,int,int→real'
  | 'real,real,int,int→real'
  | 'pairs→real';

/**
 * How an operation's lanes follow from its operands.
 * `one`: a number. `attr`: its last attribute says. `values`: as many as it has attributes.
 * `each`: operands have one lane or the same number of lanes, and so has the result.
 * `source`: as what is delayed. `stored`: as what is put into a line or table, at indices that are
 * numbers. `joined`: all lanes of all operands. `product`, `quotient`: of the operands' numbers of lanes.
 * `unknowns`: those of the last operand, which the first has squared. `spectrum`: real and imaginary parts of N/2 + 1 bins for N lanes;
 * `fromSpectrum`: the other way. `alike`: operands have the same number of lanes, more than one, and
 * so has the result. `measured`: the same operands, the result is a number.
 */
export type Lanes =
  | 'one'
  | 'attr'
  | 'values'
  | 'each'
  | 'source'
  | 'stored'
  | 'joined'
  | 'product'
  | 'quotient'
  | 'unknowns'
  | 'spectrum'
  | 'fromSpectrum'
  | 'alike'
  | 'measured';

export interface OpSpec {
  /** `any`: one or more. */
  readonly arity: number | 'any';
  readonly signature: Signature;
  /** `each` where it is not said. */
  readonly lanes?: Lanes;
  /** Names of the numbers that a node carries besides its operands. */
  readonly attrs: readonly string[];
  /** Rough cost in scalar f32 operations, for the cost model. */
  readonly cost: number;
  /** May a patch use it by this name as a node? */
  readonly inPatch: boolean;
  /** Convention where the derivative does not exist, or is not the mathematical one. */
  readonly convention?: string;
  readonly doc: string;
}

/** Masses to transport that are less than this together are silence: to scale them would overflow. */
export const SILENCE = 1e-24;

/** What an attribute is where it is left out, at the end of the list. */
export const ATTR_DEFAULTS: Readonly<Record<string, number>> = { lanes: 1, lag: 0, hop: 1 };

const leaf = (signature: Signature, attrs: readonly string[], doc: string, lanes: Lanes = 'one') =>
  ({ arity: 0, signature, lanes, attrs, cost: 1, inPatch: false, doc }) as const;

const structure = (
  arity: number | 'any',
  lanes: Lanes,
  attrs: readonly string[],
  cost: number,
  doc: string,
) => ({ arity, signature: 'reals→real', lanes, attrs, cost, inPatch: false, doc }) as const;

const memory = (
  arity: number | 'any',
  signature: Signature,
  lanes: Lanes,
  attrs: readonly string[],
  doc: string,
) => ({ arity, signature, lanes, attrs, cost: 4, inPatch: false, doc }) as const;

const arithmetic = (arity: number, cost: number, doc: string, convention?: string) =>
  ({
    arity,
    signature: 'same',
    attrs: [],
    cost,
    inPatch: true,
    doc,
    ...(convention === undefined ? {} : { convention }),
  }) as const;

const realMaths = (cost: number, doc: string, convention?: string) =>
  ({
    arity: 1,
    signature: 'real→real',
    attrs: [],
    cost,
    inPatch: true,
    doc,
    ...(convention === undefined ? {} : { convention }),
  }) as const;

const ROUNDING = 'derivative 0: the result is piecewise constant';

const comparison = (doc: string) =>
  ({
    arity: 2,
    signature: 'same→int',
    attrs: [],
    cost: 1,
    inPatch: true,
    doc,
    convention: ROUNDING,
  }) as const;

const bitwise = (doc: string) =>
  ({
    arity: 2,
    signature: 'int→int',
    attrs: [],
    cost: 1,
    inPatch: true,
    doc,
    convention: 'none: a learnable parameter that reaches it is an error',
  }) as const;

export const OPS = {
  // Leaves.
  const: leaf('real', ['value'], 'a real number, or a vector of them', 'values'),
  constInt: leaf('int', ['value'], 'a 32-bit integer'),
  input: leaf('real', ['channel'], 'audio input channel, counted from 0'),
  slider: leaf('real', ['index'], 'a value set from outside, constant over a block'),
  param: leaf(
    'real',
    ['index', 'lanes'],
    'a learnable value, constant over a training window; a vector takes as many places of the bank',
    'attr',
  ),
  scalar: leaf(
    'real',
    ['index', 'lanes'],
    'numbers that another graph or the host leaves for this one',
    'attr',
  ),
  tape: leaf(
    'real',
    ['index', 'lag', 'hop', 'lanes'],
    'a signal that another graph recorded over the training window, as it was `lag` samples before',
    'attr',
  ),
  tapeInt: leaf('int', ['index', 'lag', 'hop'], 'the same for an int signal'),

  // State. The source is kept in Graph.delays, so that recursion is legal.
  delay: leaf(
    'real',
    ['frames', 'init'],
    'its source, `frames` samples ago; `init` before',
    'source',
  ),
  delayInt: leaf('int', ['frames', 'init'], 'the same for an int signal'),

  // Lines and tables. What is stored comes before it is read, so reading at 0 sees this sample.
  line: memory(
    2,
    'real,int→real',
    'stored',
    ['max'],
    'a, b samples ago, b held to 0 … max; 0 before',
  ),
  lineT: memory(
    2,
    'real,int→real',
    'stored',
    ['max'],
    'the adjoint of line: what comes after the window is 0',
  ),
  lookup: memory(2, 'real,int→real', 'one', [], 'lane b of the vector a, which is no signal'),
  scatter: memory(
    2,
    'real,int→real',
    'attr',
    ['lanes'],
    'the adjoint of lookup: a in lane b, 0 in all others',
  ),
  rwtable: memory(
    4,
    'real,real,int,int→real',
    'stored',
    [],
    'a table with a place per lane of the constant a, all lanes of a place starting there: b is put into place c, then place d is read',
  ),
  rwtableT: memory(
    3,
    'real,int,int→real',
    'stored',
    ['size'],
    'the adjoint of rwtable: a is added to place c, then place b is taken out',
  ),

  // Arithmetic.
  add: arithmetic(2, 1, 'a + b'),
  sub: arithmetic(2, 1, 'a − b'),
  mul: arithmetic(2, 1, 'a · b'),
  neg: arithmetic(1, 1, '−a'),
  abs: arithmetic(1, 1, '|a|', 'derivative 0 at 0'),
  min: arithmetic(2, 1, 'the smaller of a and b', 'at a = b the gradient goes to a'),
  max: arithmetic(2, 1, 'the larger of a and b', 'at a = b the gradient goes to a'),
  div: {
    arity: 2,
    signature: 'same',
    attrs: [],
    cost: 4,
    inPatch: true,
    doc: 'a / b, real only',
    convention: 'derivative 0 where b = 0',
  },
  sqrt: realMaths(4, '√a', 'derivative 0 at 0'),
  sin: realMaths(12, 'sin a, a in radians'),
  cos: realMaths(12, 'cos a, a in radians'),
  tan: realMaths(20, 'tan a, a in radians'),
  atan2: {
    arity: 2,
    signature: 'real,real→real',
    attrs: [],
    cost: 24,
    inPatch: true,
    doc: 'the angle of the point (b, a), in radians, in [−π, π]',
    convention: 'derivative 0 at the origin',
  },
  exp: realMaths(12, 'eᵃ, saturating near the largest and smallest normal numbers'),
  exp2: realMaths(12, '2ᵃ, saturating near the largest and smallest normal numbers'),
  ln: realMaths(
    14,
    'the natural logarithm; 0 and below count as the smallest normal number',
    'derivative 0 at 0 and below',
  ),
  tanh: realMaths(20, 'the hyperbolic tangent'),

  // Rounding.
  floor: realMaths(1, 'the largest whole number ≤ a', ROUNDING),
  ceil: realMaths(1, 'the smallest whole number ≥ a', ROUNDING),
  trunc: realMaths(1, 'a without its fraction', ROUNDING),
  rint: realMaths(1, 'the nearest whole number, halves to the even one', ROUNDING),

  // Types.
  toInt: {
    arity: 1,
    signature: 'real→int',
    attrs: [],
    cost: 1,
    inPatch: true,
    doc: 'truncated toward zero',
    convention: 'straight-through: derivative 1',
  },
  toReal: {
    arity: 1,
    signature: 'int→real',
    attrs: [],
    cost: 1,
    inPatch: true,
    doc: 'an int as a real',
  },

  // Bits.
  and: bitwise('bitwise and'),
  or: bitwise('bitwise or'),
  xor: bitwise('bitwise exclusive or'),
  shl: bitwise('a shifted left by b mod 32'),
  shr: bitwise('a shifted right by b mod 32, sign kept'),

  rem: {
    arity: 2,
    signature: 'int→int',
    attrs: [],
    cost: 8,
    inPatch: true,
    doc: 'what is left of a divided by b, with the sign of a; a where b is 0',
    convention: 'straight-through: derivative 1 to a, 0 to b',
  },

  // Comparison and choice.
  lt: comparison('a < b'),
  le: comparison('a ≤ b'),
  gt: comparison('a > b'),
  ge: comparison('a ≥ b'),
  eq: comparison('a = b'),
  ne: comparison('a ≠ b'),
  select: {
    arity: 3,
    signature: 'select',
    attrs: [],
    cost: 1,
    inPatch: true,
    doc: 'c ≠ 0 ? a : b, as select(c, a, b)',
    convention: 'the gradient goes to the chosen side, none to the condition',
  },

  // Vectors and matrices.
  concat: structure('any', 'joined', [], 1, 'the lanes of its operands, one after the other'),
  slice: structure(1, 'attr', ['from', 'lanes'], 1, '`lanes` lanes of a, counted from `from`'),
  splat: { ...structure(1, 'attr', ['lanes'], 1, 'a number in every lane'), signature: 'same' },
  laneSum: structure(1, 'one', [], 4, 'the sum of all lanes'),
  matvec: structure(2, 'quotient', [], 16, 'the matrix a times the vector b of its columns'),
  matvecT: structure(
    2,
    'quotient',
    [],
    16,
    'the matrix a, transposed, times the vector b of its rows',
  ),
  outer: structure(2, 'product', [], 4, 'the matrix a·bᵀ'),
  solve: structure(
    3,
    'unknowns',
    [],
    64,
    'x with (a + diag b)·x = c, a symmetric and not negative; an unknown that nothing decides is 0',
  ),

  // Frames: vectors that come every `hop` samples, at samples hop − 1, 2·hop − 1, …
  frames: structure(
    1,
    'attr',
    ['hop', 'lanes'],
    1,
    'the last `lanes` samples of a signal, zeros before it',
  ),
  overlap: structure(
    1,
    'one',
    ['hop'],
    1,
    'the sum of all frames, each from the sample it came at',
  ),
  framesT: structure(
    1,
    'attr',
    ['hop', 'lanes'],
    1,
    'the adjoint of overlap: `lanes` samples from here on',
  ),
  overlapT: structure(
    1,
    'one',
    ['hop'],
    1,
    'the adjoint of frames: each frame up to the sample it came at',
  ),
  rfft: structure(
    1,
    'spectrum',
    [],
    64,
    'Σₙ aₙ·e^(−2πikn/N) for the bins k = 0 … N/2: all real parts, then all imaginary parts',
  ),
  rfftT: structure(
    1,
    'fromSpectrum',
    [],
    64,
    'the transpose of rfft: Σₖ re aₖ·cos(2πkn/N) − im aₖ·sin(2πkn/N)',
  ),

  // From lane to lane.
  cumulate: structure(1, 'alike', [], 4, 'lane k: the sum of lanes 0 … k'),
  cumulateT: structure(
    1,
    'alike',
    [],
    4,
    'its transpose, lane k: the sum of lane k and all after it',
  ),
  transport: {
    ...structure(
      3,
      'measured',
      ['order'],
      64,
      'what it costs to move the masses a to the masses b, both scaled to the sum 1, at the places c in rising order: the sum of mass · distance^order, order 1 or 2, at its least; 0 where either is silent',
    ),
    convention: 'where the best way is not the only one, the slope of one of them; none to c',
  },
  transportSlope: structure(
    3,
    'alike',
    ['order'],
    64,
    'the slope of transport(a, b, c) with respect to each lane of b',
  ),

  // Marks: what a derivative does here. `passes/unmark` takes them out, so they cost nothing.
  detach: arithmetic(1, 0, 'a, as a constant to the gradient', 'derivative 0'),
  withSlope: {
    arity: 3,
    signature: 'real,real,real→real',
    attrs: [],
    cost: 0,
    inPatch: true,
    doc: 'a; a gradient written in, as withSlope(a, b, s)',
    convention: 'derivative 1 to a, s to b, 0 to s',
  },

  // Reduction.
  sum: {
    arity: 1,
    signature: 'real→real',
    attrs: [],
    cost: 1,
    inPatch: false,
    doc: 'the sum of a signal over the training window',
  },
  sumOuter: structure(2, 'product', [], 1, 'the sum of the matrix a·bᵀ over the training window'),
  sumScatter: memory(
    'any',
    'pairs→real',
    'attr',
    ['lanes'],
    'the sum of scatter(a, b) over the training window, and of further pairs',
  ),
} as const satisfies Record<string, OpSpec>;

export type OpKind = keyof typeof OPS;

/** Operations in table order. */
export const OP_KINDS = Object.keys(OPS) as readonly OpKind[];

export const isOp = (name: string): name is OpKind => Object.hasOwn(OPS, name);

/** Is it a mark on a derivative: in every run its first operand? */
export const isMark = (op: OpKind): boolean => op === 'detach' || op === 'withSlope';
