/**
 * How many instructions a function runs, counted in its code and not in the graph.
 *
 * Every instruction counts as one, those of a loop as often as its body runs (`loop` carries the
 * number); `block`, `loop`, `end` and `else` count nothing, being places to jump to. An estimate of
 * what a processor does, for comparing programs: engines keep most locals in registers, one
 * `memory.copy` moves many bytes, both ways of an `if` are counted, and a short block pays as much
 * around its loops as a full one. Cost: linear in the code.
 */

import type { Part, Work } from '../artifact.ts';
import type { Mnemonic } from './instructions.ts';
import type { Func, Module } from './module.ts';

export const PARTS = [
  'value',
  'vector',
  'serial',
  'product',
  'frame',
  'upkeep',
] as const satisfies readonly Part[];

type Sums = { -readonly [K in keyof Work]: Work[K] };

/**
 * Instructions of one run over all that a function can process, by what they are for. Functions
 * that it calls are counted with it, unless they have parts of their own.
 *
 * @param share  divides all numbers: samples of the run, for instructions per sample
 */
export function workOf(module: Module, func: Func, share: number): Readonly<Record<Part, Work>> {
  const zero = (): Sums => ({ instructions: 0, arithmetic: 0, memory: 0 });
  const sums: Record<Part, Sums> = {
    value: zero(),
    vector: zero(),
    serial: zero(),
    product: zero(),
    frame: zero(),
    upkeep: zero(),
  };
  let next = 0;
  let part: Part = 'upkeep';
  walk(func, (mnemonic, times, at, index) => {
    while (at >= (func.parts[next]?.from ?? Infinity)) part = func.parts[next++]!.part;
    const weight = times / share;
    const sum = sums[part];
    tally(sum, mnemonic, weight);
    const callee = mnemonic === 'call' ? module.functions[index]! : null;
    if (callee === null || callee.parts.length > 0) return;
    walk(callee, (inner, innerTimes) => {
      tally(sum, inner, weight * innerTimes);
    });
  });
  return sums;
}

/** Visits every instruction with how often one run executes it. */
function walk(
  func: Func,
  visit: (mnemonic: Mnemonic, times: number, at: number, immediate: number) => void,
): void {
  const open: number[] = [];
  let times = 1;
  func.body.forEach(([mnemonic, immediate], at) => {
    switch (mnemonic) {
      case 'loop':
        open.push(times);
        times *= immediate ?? 1;
        break;
      case 'block':
        open.push(times);
        break;
      case 'if':
        visit(mnemonic, times, at, 0);
        open.push(times);
        break;
      case 'end':
        times = open.pop()!;
        break;
      case 'else':
        break;
      default:
        visit(mnemonic, times, at, immediate ?? 0);
    }
  });
}

function tally(sum: Sums, mnemonic: Mnemonic, times: number): void {
  sum.instructions += times;
  const kind = kindOf(mnemonic);
  if (kind !== null) sum[kind] += times;
}

/** Null for what moves locals and constants about, and for jumps. */
function kindOf(mnemonic: Mnemonic): 'arithmetic' | 'memory' | null {
  const [type, operation = ''] = mnemonic.split('.') as [string, string?];
  if (type === 'memory' || operation.startsWith('load') || operation.startsWith('store')) {
    return 'memory';
  }
  const isNumeric = operation !== '' && type !== 'local' && operation !== 'const';
  return isNumeric || mnemonic === 'select' ? 'arithmetic' : null;
}
