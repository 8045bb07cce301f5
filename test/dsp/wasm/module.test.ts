/**
 * The encoder against an independent assembler: the text that we print must assemble to the bytes
 * that we write.
 */

import { expect, test } from 'vitest';
import { programOf } from '../../../dsp/compile.ts';
import { EXAMPLES, RIG } from '../../../dsp/examples/index.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { generate } from '../../../dsp/wasm/generate.ts';
import { INSTRUCTIONS } from '../../../dsp/wasm/instructions.ts';
import type { Mnemonic } from '../../../dsp/wasm/instructions.ts';
import { Func, call, encode, get, printWat } from '../../../dsp/wasm/module.ts';
import type { Instr, Module } from '../../../dsp/wasm/module.ts';
import { plainProgram } from '../../support/program.ts';
import { random, randomGraph } from '../../support/random-graph.ts';
import { assemble } from '../../support/wabt.ts';

function check(module: Module): void {
  expect(hex(encode(module))).toBe(hex(assemble(printWat(module))));
}

test('every instruction has the bytes that an independent assembler gives it', () => {
  const immediates: Partial<Record<string, readonly number[]>> = {
    index: [1],
    lane: [3],
    memory: [300],
    memoryLane: [300, 3],
    i32: [-70000],
    i64: [-(2 ** 52)],
    f32: [0.1],
    f64: [-1e300],
  };
  const sixteen = Array.from({ length: 16 }, (_, k) => k);
  for (const [name, { immediate }] of Object.entries(INSTRUCTIONS)) {
    if (['block', 'loop', 'if', 'else', 'end', 'br', 'br_if', 'call'].includes(name)) continue;
    const values = immediate === 'v128' ? sixteen : (immediates[immediate] ?? []);
    const func = new Func('f', ['i32']);
    func.local('i32');
    // Unreachable code accepts any operands, so each instruction stands alone.
    func.emit(['return'], [name as Mnemonic, ...values] as Instr);
    check({ functions: [func], pages: 1, data: [] });
  }
});

test('data and functions that are not exported assemble from their printed text', () => {
  const outer = new Func('outer', ['i32']);
  const inner = new Func('inner', ['i32'], { internal: true });
  outer.emit(get(outer.param(0)), call(1));
  inner.emit(get(inner.param(0)), ['i32.const', 300], ['i32.load', 0], ['i32.store', 4]);
  const module = {
    functions: [outer, inner],
    pages: 1,
    data: [
      { address: 300, bytes: Uint8Array.from([1, 2, 3, 255]) },
      { address: 40000, bytes: Uint8Array.from({ length: 200 }, (_, k) => k) },
    ],
  };
  check(module);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(encode(module)));
  expect(Object.keys(exports)).toEqual(['memory', 'outer']);
  (exports['outer'] as (at: number) => void)(16);
  const { buffer } = exports['memory'] as { readonly buffer: ArrayBuffer };
  expect([...new Uint8Array(buffer, 20, 4)]).toEqual([1, 2, 3, 255]);
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('the examples assemble from their printed text', () => {
  for (const patch of [...Object.values(EXAMPLES), RIG]) {
    const program = programOf(patch, { sampleRate: 48000, maxBlock: 64, latency: 3 });
    if (!program.ok) throw new Error(patch.name);
    check(generate(program.value, 64).module);
  }
});

test('random programs assemble from their printed text', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const next = random(seed);
    const { builder, signals } = randomGraph(next, {
      size: 40,
      transcendental: true,
      smoothOnly: false,
    });
    const graph = builder.finish([{ name: 'out:0', node: signals.at(-1)! }]);
    const program = plainProgram(optimise(graph), { inputs: 2, sliders: 2, params: 3 });
    check(generate(program, 64).module);
  }
});
