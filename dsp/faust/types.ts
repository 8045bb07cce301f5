/**
 * Which values of a normal form are ints and which are reals.
 *
 * The text does not say it. It is the smallest solution: a value is an int unless something that it
 * is made of is real, so a recursion of ints stays one. Cost: linear.
 */

import type { ValueType } from '../ir/ops.ts';
import type { Form, FormId, FormNode } from './form.ts';

const ALWAYS_INT: ReadonlySet<string> = new Set(
  'whole int < > <= >= == != & | ^ << >> length isnan isinf'.split(' '),
);

/** As real as the operands with these places. */
const ALIKE: Readonly<Record<string, readonly number[]>> = {
  ...Object.fromEntries('+ - * % min max pow'.split(' ').map((op) => [op, [0, 1]])),
  ...Object.fromEntries('@ abs attach sigGen'.split(' ').map((op) => [op, [0]])),
  prefix: [0, 1],
  select2: [1, 2],
  hbargraph: [3],
  vbargraph: [3],
  WRTbl2p: [1],
  sigWRTbl4p: [1, 3],
  sigRDTbl: [0],
};

/** Is it an int whatever its operands are? Waveforms say it by themselves. */
const isInt = ({ op, text }: FormNode, isIntWave: (name: string) => boolean): boolean =>
  ALWAYS_INT.has(op) ||
  (op === 'symbol' && (text === 'fSamplingFreq' || text === 'count')) ||
  isIntWave(op);

/**
 * @param isIntWave  of a function's name: is it a waveform of whole numbers?
 * @returns          by number of the node
 */
export function typesOf({ nodes }: Form, isIntWave: (name: string) => boolean): ValueType[] {
  const types = nodes.map((): ValueType => 'int');
  const users = nodes.map((): FormId[] => []);
  const open: FormId[] = [];
  const become = (id: FormId): void => {
    if (types[id] === 'real') return;
    types[id] = 'real';
    open.push(...users[id]!);
  };
  nodes.forEach((node, id) => {
    const alike = ALIKE[node.op];
    for (const place of alike ?? []) users[node.args[place]!]?.push(id);
  });
  nodes.forEach((node, id) => {
    if (ALIKE[node.op] === undefined && !isInt(node, isIntWave) && node.op !== 'label') become(id);
  });
  for (let id = open.pop(); id !== undefined; id = open.pop()) become(id);
  return types;
}
