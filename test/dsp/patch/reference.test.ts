/**
 * The operation tables of `dsp/patch/README.md` are written from the op table: this test compares
 * them. UPDATE_GOLDEN=1 rewrites what stands between the markers.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { OPS } from '../../../dsp/ir/ops.ts';
import type { OpSpec, Signature } from '../../../dsp/ir/ops.ts';
import { LOSS_KINDS } from '../../../dsp/learn/losses.ts';
import { FUNCTIONS } from '../../../dsp/patch/functions.ts';
import { PLAIN_OPS, nodeOps, parsePatch } from '../../../dsp/patch/schema.ts';
import {
  ORDERS,
  ORDER_GRADIENTS,
  ROUNDINGS,
  ROUNDING_GRADIENTS,
} from '../../../dsp/patch/surrogates.ts';

const FILE = new URL('../../../dsp/patch/README.md', import.meta.url);
const [BEGIN, END] = ['<!-- operations -->\n', '<!-- end -->'] as const;

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

/** As prettier lays a table out, so that neither has the last word. */
function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, c) => Math.max(...rows.map((row) => row[c]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, c) => cell.padEnd(widths[c]!)).join(' | ')} |`;
  const rule = `| ${widths.map((w) => '-'.repeat(w)).join(' | ')} |`;
  return [line(rows[0]!), rule, ...rows.slice(1).map(line), ''].join('\n');
}

test('the table of operations is the op table', () => {
  const rows = PLAIN_OPS.map((op) => {
    const spec: OpSpec = OPS[op];
    const doc = spec.doc.replaceAll('|', '\\|');
    const gradient = [spec.convention ?? '', ...choiceOf(op)].join('; ');
    return [`\`${op}\``, String(spec.arity), doc, TYPES[spec.signature], gradient];
  });
  const head = ['op', 'operands', 'result', 'types', 'gradient where it needs saying'];
  const functions = Object.entries(FUNCTIONS).map(([name, { arity, doc }]) => [
    `\`${name}\``,
    String(arity),
    doc.replaceAll('|', '\\|'),
  ]);
  const others = tableOf([['function', 'operands', 'result'], ...functions]);
  const between = 'Functions of reals that are made of these:\n';
  const table = [tableOf([head, ...rows]), between, others].join('\n');
  const text = readFileSync(FILE, 'utf8');
  const [before, rest] = text.split(BEGIN) as [string, string];
  const after = rest.slice(rest.indexOf(END));
  const made = `${before}${BEGIN}\n${table}\n${after}`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(FILE, made);
  expect(text).toBe(made);
});

test('every operation and loss has its place in the reference', () => {
  const text = readFileSync(FILE, 'utf8');
  for (const name of [...nodeOps(), ...LOSS_KINDS]) expect(text).toContain(`\`${name}\``);
});

test('the example of the reference is a patch', () => {
  const text = readFileSync(FILE, 'utf8');
  const json = /```json\n([\s\S]*?)```/u.exec(text)![1]!;
  expect(parsePatch(JSON.parse(json))).toMatchObject({ ok: true });
});
