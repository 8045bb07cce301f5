/**
 * What `livegrad.lib` adds to Faust, one row for each of its functions.
 *
 * To libfaust they are foreign functions that it knows nothing of, so they come out of it as they were
 * written, by the name `lg_` and the row's. Invariant: the text of the library, its documentation and
 * what `shapes.ts`, `marks.ts` and `graph.ts` make of a call follow from the rows, and losses, their
 * options and what works on frames from the tables of patches: they mean the same in both.
 * Tested: test/server/faust/library.test.ts.
 */

import { z } from 'zod';
import { LEARN_SCALES } from '../control.ts';
import type { LearnScale } from '../control.ts';
import { LOSS_KINDS, rowOf } from '../learn/losses/table.ts';
import type { LossKind } from '../learn/losses/table.ts';
import { orderWith } from '../patch/surrogates.ts';
import type { Build } from '../patch/terms.ts';
import { VECTOR_OPS } from '../patch/vectors.ts';
import type { VectorOp } from '../patch/vectors.ts';

/** What a call is to the compiler. All but the last three are the signal that they are given. */
export type Does =
  | { readonly kind: 'mark'; readonly as: 'estimate' | 'target' }
  /** Asks for a loss between its operands; is the first of them. */
  | { readonly kind: 'loss'; readonly loss: LossKind }
  | { readonly kind: 'weight' }
  /** Of the loss that it is given: a number, a list of numbers by one call each, or a word. */
  | {
      readonly kind: 'option';
      readonly field: string;
      readonly type: 'number' | 'list' | 'flag';
    }
  | { readonly kind: 'word'; readonly field: string; readonly word: string }
  /** Of the control that it is given; `true`: as the control is shown. */
  | { readonly kind: 'learn'; readonly scale: true | LearnScale }
  | { readonly kind: 'align' }
  /** Works lane by lane, on frames as on samples. */
  | { readonly kind: 'lanewise'; readonly build: Build }
  /** A node of a patch with lanes: as many constants as it names fields, then its operands. */
  | {
      readonly kind: 'lanes';
      readonly op: VectorOp;
      readonly fields: readonly string[];
      readonly fixed: Readonly<Record<string, string | number>>;
    };

export const GROUPS = {
  marks: 'What is learnt from what',
  losses: 'Losses',
  options: 'Options of losses',
  gradients: 'Gradients',
  frames: 'Frames and spectra',
  lanes: 'Lanes of frames',
  tracking: 'Where something is: frequencies and delays',
} as const;
export type Group = keyof typeof GROUPS;

export interface Parameter {
  readonly name: string;
  readonly doc: string;
  /** To libfaust. */
  readonly type: 'int' | 'float';
}

export interface Extension {
  readonly name: string;
  readonly group: Group;
  readonly doc: string;
  readonly parameters: readonly Parameter[];
  readonly does: Does;
  /** Operands to try it with, as they stand in the text of a program with the inputs x and y. */
  readonly example: readonly string[];
}

const PREFIX = 'lg_';

/** As libfaust prints it. */
export const foreignName = (name: string): string => `${PREFIX}${name}`;

const signal = (name: string, doc: string): Parameter => ({ name, doc, type: 'float' });

// --- marks and gradients -----------------------------------------------------------------------

const ANY = 'any signal';
const SLIDER = 'hslider("gain", 0.5, 0, 1, 0.01)';

const MARKS: readonly Extension[] = [
  {
    name: 'estimate',
    group: 'marks',
    doc: 'The signal itself, which is to become as the one that is marked as `target`. The loss between them is that of `declare livegrad "[loss:…]"`, the mean squared error if there is none. Outputs are free for listening then',
    parameters: [signal('x', ANY)],
    does: { kind: 'mark', as: 'estimate' },
    example: ['x'],
  },
  {
    name: 'target',
    group: 'marks',
    doc: 'The signal itself, which the `estimate` is to become. A target that is not heard is kept by `attach`',
    parameters: [signal('x', ANY)],
    does: { kind: 'mark', as: 'target' },
    example: ['x'],
  },
  {
    name: 'weighted',
    group: 'marks',
    doc: 'The loss that is asked for in `loss`, times a weight. What is learnt is the sum of all losses',
    parameters: [
      signal('weight', 'a constant number'),
      signal('loss', 'what a loss of this library gave back'),
    ],
    does: { kind: 'weight' },
    example: ['0.5', 'lg.mse(x, y)'],
  },
  {
    name: 'align',
    group: 'marks',
    doc: 'The signal as late as the way through the device, out and in again, so that what is played can be compared with what is heard',
    parameters: [signal('x', 'a signal of samples')],
    does: { kind: 'align' },
    example: ['x'],
  },
  ...[undefined, ...LEARN_SCALES].map((scale): Extension => ({
    name: scale === undefined ? 'learn' : `learn_${scale}`,
    group: 'marks',
    doc:
      scale === undefined
        ? 'A slider, which is learnable: as `[learn:1]` in its label, for sliders whose label is in a library'
        : `A slider that is learnable on the scale \`${scale}\`: as \`[learn:${scale}]\` in its label`,
    parameters: [signal('slider', 'an `hslider`, `vslider` or `nentry` itself')],
    does: { kind: 'learn', scale: scale ?? true },
    example: [SLIDER],
  })),
];

const GRADIENTS: readonly Extension[] = [
  {
    name: 'detach',
    group: 'gradients',
    doc: 'The signal itself, without a gradient: what it is made of does not learn from here',
    parameters: [signal('x', ANY)],
    does: { kind: 'lanewise', build: (b, x) => b.node('detach', [x]) },
    example: ['x'],
  },
  {
    name: 'straight',
    group: 'gradients',
    doc: 'The signal `forward` with the gradient of the signal `backward` (straight through): for what has no useful slope of its own',
    parameters: [
      signal('forward', 'what it is'),
      signal('backward', 'what it is taken for in the gradient'),
    ],
    does: {
      kind: 'lanewise',
      build: (b, y, x) => b.node('withSlope', [b.node('detach', [y]), x, b.real(1)]),
    },
    example: ['floor(x)', 'x'],
  },
  {
    name: 'withSlope',
    group: 'gradients',
    doc: 'The signal `y`, whose derivative with respect to `x` is `slope`, and 0 with respect to all else',
    parameters: [signal('y', 'what it is'), signal('x', ANY), signal('slope', 'dy/dx')],
    does: {
      kind: 'lanewise',
      build: (b, y, x, slope) => b.node('withSlope', [b.node('detach', [y]), x, slope]),
    },
    example: ['floor(x)', 'x', '0.5'],
  },
  {
    name: 'above',
    group: 'gradients',
    doc: 'a > b, 0 or 1, with the derivative of a sigmoid of (a − b) / width: so a threshold can be learnt',
    parameters: [
      signal(
        'width',
        'a number above 0, in units of a and b; the slope is 1/(4·width) where they are equal',
      ),
      signal('a', ANY),
      signal('b', ANY),
    ],
    does: {
      kind: 'lanewise',
      build: (b, width, x, y) => {
        const [left, right] = [x, y].map((side) => b.node('div', [side, width]));
        const made = b.node('gt', [x, y]);
        return b.asReal(orderWith(b, 'gt', made, [left!, right!], 1));
      },
    },
    example: ['0.1', 'x', 'y'],
  },
];

// --- losses ------------------------------------------------------------------------------------

interface Option {
  readonly losses: Set<LossKind>;
  readonly words: Set<string>;
  type: 'number' | 'list' | 'flag' | undefined;
}

/** The options of all losses by their names. */
function optionsOfLosses(): ReadonlyMap<string, Option> {
  const found = new Map<string, Option>();
  const read = (option: Option, schema: unknown): void => {
    if (schema instanceof z.ZodOptional) read(option, schema.unwrap());
    else if (schema instanceof z.ZodArray) option.type = 'list';
    else if (schema instanceof z.ZodBoolean) option.type ??= 'flag';
    else if (schema instanceof z.ZodEnum)
      schema.options.map(String).forEach((word) => option.words.add(word));
    else option.type ??= 'number';
  };
  for (const kind of LOSS_KINDS) {
    for (const [field, schema] of Object.entries(rowOf(kind).options)) {
      const option = found.get(field) ?? { losses: new Set(), words: new Set(), type: undefined };
      found.set(field, option);
      option.losses.add(kind);
      read(option, schema);
    }
  }
  return found;
}

const OPTIONS_OF_LOSSES = optionsOfLosses();

/** The functions that set an option. */
const settersOf = (field: string): readonly string[] => {
  const { type, words } = OPTIONS_OF_LOSSES.get(field)!;
  const plain = type === undefined ? [] : [`with_${field}`];
  return [...plain, ...[...words].map((word) => `with_${field}_${word}`)];
};

/** What a loss is called where its kind is no good name. */
const LOSS_NAMES: Readonly<Partial<Record<LossKind, string>>> = { value: 'loss' };

const lossName = (kind: LossKind): string => LOSS_NAMES[kind] ?? kind;

const LOSSES: readonly Extension[] = LOSS_KINDS.map((kind) => {
  const { takes, formula, unit, doc, options } = rowOf(kind);
  const kinds = { values: 'signals', sound: 'signals of samples', estimate: 'a signal' }[takes];
  const names = Object.keys(options);
  const named =
    names.length === 0
      ? ''
      : `. Its options: ${names
          .flatMap(settersOf)
          .map((name) => `\`${name}\``)
          .join(', ')}`;
  const what =
    kind === 'value'
      ? 'The signal itself, which is a loss: its mean is to become as small as it can'
      : `Asks for the loss ${formula} between its operands (unit: ${unit}), and gives \`e\` back. ${upper(doc)}${named}`;
  const [e, t] = [
    signal('e', `the estimate; ${kinds}`),
    signal('t', 'the target; of the same lanes and rate'),
  ];
  return {
    name: lossName(kind),
    group: 'losses',
    doc: what,
    parameters: takes === 'estimate' ? [e] : [e, t],
    does: { kind: 'loss', loss: kind },
    example: takes === 'estimate' ? ['x'] : ['x', 'y'],
  };
});

function upper(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

const ASKED = signal('loss', 'what a loss of this library gave back');

/** Values that their schemas take, where that is not 1. */
const EXAMPLE_OPTIONS: Readonly<Record<string, string>> = {
  eps: '0.001',
  preEmphasis: '0.85',
  zeroMean: '0',
  sizes: '256',
  hops: '64',
  lengths: '256',
  size: '256',
  hop: '64',
  length: '200',
  floor: '0.001',
  bands: '8',
  low: '20',
  high: '10000',
  gate: '0.01',
  compression: '0.3',
};

const OPTIONS: readonly Extension[] = [...OPTIONS_OF_LOSSES].flatMap(([field, option]) => {
  const losses = [...option.losses];
  const of = `of ${losses.map((kind) => `\`${lossName(kind)}\``).join(', ')}`;
  // A loss that has the option as it is offered.
  const asked = `lg.${lossName(losses[0]!)}(x, y)`;
  const words = [...option.words].map((word): Extension => ({
    name: `with_${field}_${word}`,
    group: 'options',
    doc: `The option \`${field}\` as \`${word}\`, ${of}`,
    parameters: [ASKED],
    does: { kind: 'word', field, word },
    example: [asked],
  }));
  const { type } = option;
  if (type === undefined) return words;
  const takes = { number: 'a constant number', flag: '0 or 1', list: 'a constant number' }[type];
  const more = type === 'list' ? '; called again it adds one more to the list' : '';
  return [
    {
      name: `with_${field}`,
      group: 'options' as const,
      doc: `The option \`${field}\` ${of}${more}`,
      parameters: [signal('value', takes), ASKED],
      does: { kind: 'option' as const, field, type },
      example: [EXAMPLE_OPTIONS[field] ?? '1', asked],
    },
    ...words,
  ];
});

// --- frames ------------------------------------------------------------------------------------

const FIELD_DOCS: Readonly<Record<string, readonly [Parameter['type'], string]>> = {
  size: ['int', 'so many samples, a constant'],
  hop: ['int', 'samples from frame to frame, a constant'],
  floor: ['float', 'a constant: what is below it counts as silence'],
  bands: ['int', 'so many bands, a constant'],
  low: ['float', 'where the first band begins, Hz, a constant'],
  high: ['float', 'where the last band ends, Hz, a constant'],
  from: ['int', 'the first lane, counted from 0, a constant'],
  lanes: ['int', 'so many lanes, a constant'],
  share: ['float', 'from 0 to 1, a constant'],
  order: ['int', '1 or 2, a constant'],
  gate: ['float', 'a share of the power of the loudest bin, a constant'],
  max: ['int', 'the longest delay in samples, a constant'],
};
/** Fields of a ramp are numbers. */
const RAMP_DOCS: typeof FIELD_DOCS = {
  from: ['float', 'the first lane, a constant'],
  to: ['float', 'the last lane, a constant'],
};

const OPERAND_DOCS: Readonly<Record<string, string>> = {
  x: 'a signal of samples',
  v: 'a frame',
  a: 'a frame, or any vector',
  b: 'another one',
  spectrum: 'a spectrum, as of `rfft`',
  magnitude: 'a lane per bin',
  phase: 'a lane per bin, radians',
  bins: 'a lane per bin, as of `magnitude` or `power`',
  matrix: 'a vector, column by column',
  y: 'a vector',
  p: 'masses, of the target',
  q: 'masses, of the estimate',
  places: 'where they are, in rising order',
  frame: 'a frame of a power of two of samples',
  octaves: 'log2 of the frequency in Hz, a number',
  reference: 'a frame',
  target: 'a frame of the delayed sound',
  delay: 'samples, a number',
};

const lanes = (
  group: Group,
  op: VectorOp,
  example: readonly string[],
  fields: readonly string[] = [],
  as: { readonly name?: string; readonly fixed?: Readonly<Record<string, string>> } = {},
): Extension => {
  const { operands, doc } = VECTOR_OPS[op];
  const docs = op === 'ramp' ? { ...FIELD_DOCS, ...RAMP_DOCS } : FIELD_DOCS;
  const taken = operands[1] === '…' ? ['a', 'b'] : operands;
  return {
    name: as.name ?? op,
    group,
    doc: upper(doc),
    parameters: [
      ...fields.map((name): Parameter => {
        const [type, about] = docs[name]!;
        return { name, doc: about, type };
      }),
      ...taken.map((name) => signal(name, OPERAND_DOCS[name]!)),
    ],
    does: { kind: 'lanes', op, fields, fixed: as.fixed ?? {} },
    example,
  };
};

const FRAME = 'lg.frames(64, 32, x)';
const OTHER = 'lg.frames(64, 32, y)';
const LONG = 'lg.frames(128, 32, x)';
const OTHER_LONG = 'lg.frames(128, 32, y)';
const SPECTRUM = `lg.rfft(${FRAME})`;
const OTHER_SPECTRUM = `lg.rfft(${OTHER})`;
const BINS = `lg.magnitude(${SPECTRUM})`;
const OTHER_BINS = `lg.magnitude(${OTHER_SPECTRUM})`;
const NUMBER = `lg.sumLanes(${FRAME})`;

const WINDOW_ROWS = ['rectangular', 'hann', 'hamming', 'blackman'].map((kind): Extension => {
  const row = lanes('frames', 'window', ['64'], ['size'], { name: kind, fixed: { kind } });
  return { ...row, doc: `The window \`${kind}\`: ${VECTOR_OPS.window.doc}` };
});

const FRAMES: readonly Extension[] = [
  lanes('frames', 'frames', ['64', '32', 'x'], ['size', 'hop']),
  lanes('frames', 'overlapAdd', [FRAME]),
  lanes('frames', 'hold', [NUMBER]),
  ...WINDOW_ROWS,
  lanes('frames', 'rfft', [FRAME]),
  lanes('frames', 'irfft', [SPECTRUM]),
  lanes('frames', 'magnitude', [SPECTRUM]),
  lanes('frames', 'power', [SPECTRUM]),
  lanes('frames', 'logPower', [SPECTRUM]),
  lanes('frames', 'logPower', ['0.0001', SPECTRUM], ['floor'], { name: 'logPowerAbove' }),
  lanes('frames', 'phase', [SPECTRUM]),
  lanes('frames', 'polar', [BINS, OTHER_BINS]),
  lanes('frames', 'complexMul', [SPECTRUM, OTHER_SPECTRUM]),
  lanes('frames', 'mel', ['8', '0', '20000', BINS], ['bands', 'low', 'high'], { name: 'melBands' }),
  lanes('lanes', 'concat', [FRAME, OTHER]),
  lanes('lanes', 'slice', ['3', '40', FRAME], ['from', 'lanes']),
  lanes('lanes', 'splat', ['8', NUMBER], ['lanes']),
  lanes('lanes', 'ramp', ['64', '-1', '3'], ['size', 'from', 'to']),
  lanes('lanes', 'sumLanes', [FRAME]),
  lanes('lanes', 'maxLanes', [FRAME]),
  lanes('lanes', 'minLanes', [FRAME]),
  lanes('lanes', 'cumulativeSum', [FRAME]),
  lanes('lanes', 'dot', [FRAME, OTHER]),
  lanes('lanes', 'matvec', [FRAME, 'lg.slice(0, 8, lg.frames(64, 32, y))']),
  lanes('lanes', 'matvecT', [FRAME, 'lg.slice(0, 8, lg.frames(64, 32, y))']),
  lanes('lanes', 'outer', [
    'lg.slice(0, 8, lg.frames(64, 32, x))',
    'lg.slice(0, 4, lg.frames(64, 32, y))',
  ]),
  lanes('lanes', 'softmax', [FRAME]),
  lanes('tracking', 'gate', ['0.01', BINS], ['share']),
  lanes('tracking', 'transport', ['2', BINS, OTHER_BINS, 'lg.ramp(33, 0, 1)'], ['order'], {
    name: 'moveCost',
  }),
  lanes('tracking', 'frequencyLoss', [FRAME, '9']),
  lanes('tracking', 'frequencyLoss', ['0.01', '0.001', FRAME, '9'], ['gate', 'floor'], {
    name: 'frequencyLossAbove',
  }),
  lanes('tracking', 'continueSine', ['32', FRAME, '9'], ['size']),
  lanes('tracking', 'delayLoss', ['8', LONG, OTHER_LONG, '3'], ['max']),
];

// --- made of these in Faust --------------------------------------------------------------------

/** A function of the library that is no foreign one: all that it does is in its `body`. */
export interface Composed extends Omit<Extension, 'does'> {
  /** Faust; parameters by their names. */
  readonly body: string;
}

export const COMPOSED: readonly Composed[] = [
  {
    name: 'pair',
    group: 'marks',
    doc: 'Marks both signals, and is the first of them: the estimate is heard, the target is not',
    parameters: [signal('e', 'the estimate'), signal('t', 'the target')],
    body: 'attach(estimate(e), target(t))',
    example: ['x', 'y'],
  },
  {
    name: 'spectra',
    group: 'frames',
    doc: 'The spectra of frames under a Hann window',
    parameters: [
      { name: 'size', type: 'int', doc: 'a power of two of samples, from 64 to 8192, a constant' },
      { name: 'hop', type: 'int', doc: FIELD_DOCS['hop']![1] },
      signal('x', OPERAND_DOCS['x']!),
    ],
    body: 'rfft(hann(size) * frames(size, hop, x))',
    example: ['64', '16', 'x'],
  },
  {
    name: 'resynthesis',
    group: 'frames',
    doc: 'Samples of spectra, each frame under a Hann window: `spectra(size, hop) : resynthesis(size, hop)` is the signal itself, `size − 1` samples later, where the hop is a quarter of the size or less',
    parameters: [
      { name: 'size', type: 'int', doc: 'as of the spectra' },
      { name: 'hop', type: 'int', doc: 'as of the spectra' },
      signal('spectrum', OPERAND_DOCS['spectrum']!),
    ],
    body: 'overlapAdd(hann(size) * irfft(spectrum)) * (8 * hop / (3 * size))',
    example: ['64', '16', 'lg.spectra(64, 16, x)'],
  },
];

/** In the order of the library. */
export const EXTENSIONS: readonly Extension[] = [
  ...MARKS,
  ...LOSSES,
  ...OPTIONS,
  ...GRADIENTS,
  ...FRAMES,
];

const BY_NAME = new Map(EXTENSIONS.map((one) => [foreignName(one.name), one]));

/** What a foreign function of the library is, by the name that libfaust prints. */
export const extensionOf = (name: string): Extension | undefined => BY_NAME.get(name);

/** The operand that a call is the same as, if it is one. */
export function passedBy({ does }: Extension): number | undefined {
  switch (does.kind) {
    case 'mark':
    case 'loss':
    case 'word':
    case 'learn':
      return 0;
    case 'weight':
    case 'option':
      return 1;
    case 'align':
    case 'lanewise':
    case 'lanes':
      return undefined;
  }
}
