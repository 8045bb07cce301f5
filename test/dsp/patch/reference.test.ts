/**
 * The operation tables of `dsp/patch/README.md` are written from the op table: this test compares
 * them. UPDATE_GOLDEN=1 rewrites what stands between the markers.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ACTIVATION_NAMES } from '../../../dsp/blocks/activations.ts';
import { INITS } from '../../../dsp/blocks/initial.ts';
import { WINDOWS } from '../../../dsp/blocks/spectra.ts';
import { OPS } from '../../../dsp/ir/ops.ts';
import type { OpSpec, Signature } from '../../../dsp/ir/ops.ts';
import { GUARDS } from '../../../dsp/learn/guards.ts';
import {
  SCHEDULES,
  SCHEDULE_KINDS,
  fieldsOf,
  neededOf,
} from '../../../dsp/learn/schedules/kinds.ts';
import { LOSS_KINDS, rowOf } from '../../../dsp/learn/losses/table.ts';
import { FRAME_OP_NAMES, isFrameOp } from '../../../dsp/patch/frames.ts';
import { FILTERS } from '../../../dsp/patch/filters.ts';
import { ELEMENTARY } from '../../../dsp/patch/functions.ts';
import { OSCILLATORS } from '../../../dsp/patch/oscillators.ts';
import { PLAIN_OPS, nodeOps } from '../../../dsp/patch/names.ts';
import { RESPONSES } from '../../../dsp/patch/responses.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import { TRACKING_OP_NAMES, isTrackingOp } from '../../../dsp/patch/tracking.ts';
import type { PatchFunction } from '../../../dsp/patch/terms.ts';
import {
  ORDERS,
  ORDER_GRADIENTS,
  ROUNDINGS,
  ROUNDING_GRADIENTS,
} from '../../../dsp/patch/surrogates.ts';
import { VECTOR_OPS, VECTOR_OP_NAMES } from '../../../dsp/patch/vectors.ts';
import type { VectorOp } from '../../../dsp/patch/vectors.ts';
import { tableOf } from '../../support/markdown.ts';

const FILE = new URL('../../../dsp/patch/README.md', import.meta.url);
const [BEGIN, END] = ['<!-- operations -->\n', '<!-- end -->'] as const;
const BEGIN_LOSSES = '<!-- losses -->\n';
const BEGIN_SCHEDULES = '<!-- schedules -->\n';
const BEGIN_GUARDS = '<!-- guards -->\n';

const TYPES: Readonly<Record<Signature, string>> = {
  real: 'real',
  int: 'int',
  same: 'all real or all int → the same',
  select: 'int, then two alike → as those',
  'real→real': 'real → real',
  'real,real→real': 'real, real → real',
  'real,real,real→real': 'real, real, real → real',
  'real→int': 'real → int',
  'int→real': 'int → real',
  'int→int': 'int → int',
  'same→int': 'all real or all int → int, 0 or 1',
  'reals→real': 'reals → real',
  'real,int→real': 'real, int → real',
  'real,int,int→real': 'real, int, int → real',
  'real,real,int,int→real': 'real, real, int, int → real',
  'pairs→real': 'real and int in turn → real',
};

/** The derivatives that a node may choose instead. */
const choiceOf = (op: string): string[] =>
  [
    [ROUNDINGS, ROUNDING_GRADIENTS],
    [ORDERS, ORDER_GRADIENTS],
  ].flatMap(([ops, gradients]) =>
    (ops as readonly string[]).includes(op)
      ? [`or by choice: ${gradients!.map((g) => `\`${g}\``).join(', ')}`]
      : [],
  );

const LETTERS = ['a', 'b', 'c'];

function functionTable(functions: Readonly<Record<string, PatchFunction>>): string {
  const rows = Object.entries(functions).map(([name, { arity, names = LETTERS, doc }]) => [
    `\`${name}(${names.slice(0, arity).join(', ')})\``,
    doc.replaceAll('|', '\\|'),
  ]);
  return tableOf([['function', 'result'], ...rows]);
}

/** Nodes of vectors, layers and frames. */
function vectorTable(ops: readonly VectorOp[]): string {
  const rows = ops.map((op) => {
    const { operands, fields = '', doc } = VECTOR_OPS[op];
    return [`\`${op}\``, operands.join(', '), fields, doc];
  });
  return tableOf([['op', 'in', 'fields', 'result'], ...rows]);
}

test('every name of an operand belongs to one', () => {
  for (const functions of [ELEMENTARY, OSCILLATORS, FILTERS, RESPONSES]) {
    for (const { arity, names } of Object.values<PatchFunction>(functions)) {
      expect(names?.length ?? arity).toBe(arity);
    }
  }
});

test('the table of operations is the op table', () => {
  const rows = PLAIN_OPS.map((op) => {
    const spec: OpSpec = OPS[op];
    const doc = spec.doc.replaceAll('|', '\\|');
    const gradient = [spec.convention ?? '', ...choiceOf(op)].join('; ');
    return [`\`${op}\``, String(spec.arity), doc, TYPES[spec.signature], gradient];
  });
  const head = ['op', 'operands', 'result', 'types', 'gradient where it needs saying'];
  const windows = Object.entries(WINDOWS).map(([name, { doc }]) => `\`${name}\` ${doc}`);
  const parts = [
    tableOf([head, ...rows]),
    'Functions of reals that are made of these:\n',
    functionTable(ELEMENTARY),
    'Oscillators. Their phase starts at 0 and is a 32-bit integer, so it does not drift however long they run; a frequency is in Hz and below Nyquist:\n',
    functionTable(OSCILLATORS),
    'Filters and followers. Their states start at 0; a `cutoff` is in Hz and held to [10, 0.49 · sample rate], `q` to [0.01, 1000], `gainDb` to ±120, with derivative 0 outside. Below some 100 Hz use the state-variable ones: in single precision a biquad is 0.1 % off at DC for a cutoff of 100 Hz at 48 kHz, 4 % for 20 Hz (in double precision it is right):\n',
    functionTable(FILTERS),
    'Responses of filters, lane by lane: the level that a filter of the same settings has at each of many frequencies, a power of 1e-16 (−160 dB) added. They have no state:\n',
    functionTable(RESPONSES),
    'Vectors and neural layers, real; operands in brackets may be left out. A bias is a lane per output, or one number for all:\n',
    vectorTable(VECTOR_OP_NAMES.filter((op) => !isFrameOp(op) && !isTrackingOp(op))),
    'Frames and spectra, real:\n',
    vectorTable(FRAME_OP_NAMES),
    'Sums, transport, and losses that find a frequency or a delay from afar, real:\n',
    vectorTable(TRACKING_OP_NAMES),
    `Windows by the place t from 0 to 1, 1 not included: ${windows.join(', ')}.\n`,
    `Activations: ${ACTIVATION_NAMES.map((name) => `\`${name}\``).join(', ')}; \`linear\`, none at all, if not given.\n`,
    'Starting values, `{ "init": …, "seed": 0, "scale": 1, "fanIn": …, "fanOut": … }`, held to the range of the parameter:\n',
    tableOf([
      ['init', 'values'],
      ...Object.entries(INITS).map(([name, doc]) => [`\`${name}\``, doc]),
    ]),
  ];
  const table = parts.join('\n');
  kept(BEGIN, table);
});

test('the table of losses is the table of losses', () => {
  const rows = LOSS_KINDS.map((kind) => {
    const { takes, formula, unit } = rowOf(kind);
    return [`\`${kind}\``, takes, formula.replaceAll('|', '\\|'), unit];
  });
  const table = tableOf([['loss', 'takes', 'formula', 'unit'], ...rows]);
  const notes = LOSS_KINDS.map((kind) => {
    const { options, doc } = rowOf(kind);
    const fields = Object.keys(options).map((field) => `\`${field}\``);
    const named = fields.length === 0 ? '' : ` Options: ${fields.join(', ')}.`;
    return `- **\`${kind}\`**: ${doc}.${named}\n`;
  });
  kept(BEGIN_LOSSES, `${table}\n${notes.join('')}`);
});

test('the tables of schedules and guards are those of their rows', () => {
  const rows = SCHEDULE_KINDS.map((kind) => {
    const { equation, source, doc } = SCHEDULES[kind];
    const needed = neededOf(kind);
    const fields = fieldsOf(kind).map((f) => (needed.includes(f) ? `\`${f}\`` : `[\`${f}\`]`));
    return [`\`${kind}\``, fields.join(', '), equation, source, doc];
  });
  kept(BEGIN_SCHEDULES, tableOf([['kind', 'fields', 'rate', 'in PyTorch', 'says'], ...rows]));
  const guards = Object.entries(GUARDS).map(([name, [otherwise, doc]]) => [
    `\`${name}\``,
    otherwise,
    doc,
  ]);
  kept(BEGIN_GUARDS, tableOf([['field', 'if not given', 'stops learning at'], ...guards]));
});

/** A part of the file is what is made of the tables; with UPDATE_GOLDEN=1 it becomes it. */
function kept(begin: string, table: string): void {
  const text = readFileSync(FILE, 'utf8');
  const [before, rest] = text.split(begin) as [string, string];
  const after = rest.slice(rest.indexOf(END));
  const made = `${before}${begin}\n${table}\n${after}`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(FILE, made);
  expect(text).toBe(made);
}

test('every operation and loss has its place in the reference', () => {
  const text = readFileSync(FILE, 'utf8');
  for (const name of [...nodeOps(), ...LOSS_KINDS]) {
    expect(text.includes(`\`${name}\``) || text.includes(`\`${name}(`), name).toBe(true);
  }
});

test('the example of the reference is a patch', () => {
  const text = readFileSync(FILE, 'utf8');
  const json = /```json\n([\s\S]*?)```/u.exec(text)![1]!;
  expect(parsePatch(JSON.parse(json))).toMatchObject({ ok: true });
});
