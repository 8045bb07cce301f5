/**
 * Counted work against work that is done: each loop of generated code says how often its body runs,
 * and code that counts its own rounds must say the same.
 */

import { describe, expect, it } from 'vitest';
import { compile, programOf } from '../../../dsp/compile.ts';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { Program } from '../../../dsp/ir/program.ts';
import { mse } from '../../../dsp/learn/losses/pointwise.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import { generate } from '../../../dsp/wasm/generate.ts';
import { Func, call, encode } from '../../../dsp/wasm/module.ts';
import type { Instr, Module } from '../../../dsp/wasm/module.ts';
import { workOf } from '../../../dsp/wasm/work.ts';
import { PRECISIONS, plainProgram, trainingProgram } from '../../support/program.ts';
import { random } from '../../support/random-graph.ts';
import { randomPatch } from '../../support/random-patch.ts';

/** No multiple of four: loops of four samples run over its end. */
const BLOCK = 62;
const SIZES = { inputs: 1, sliders: 0, params: 0 };
const options = { sampleRate: 48_000, maxBlock: BLOCK, latency: 0 };

interface Loop {
  readonly func: string;
  readonly rounds: number;
}

/** The module with a counter at the head of each loop, from `base` on. */
function counted(module: Module): { module: Module; loops: Loop[]; base: number } {
  const base = module.pages * 65536;
  const loops: Loop[] = [];
  const functions = module.functions.map((func) => {
    const copy = new Func(func.name, func.params, { internal: func.internal });
    for (const type of func.locals) copy.fresh(type);
    const outer: number[] = [];
    let times = 1;
    for (const instr of func.body) {
      copy.emit(instr);
      const [mnemonic, rounds] = instr;
      if (mnemonic === 'end') times = outer.pop()!;
      if (mnemonic === 'block' || mnemonic === 'if' || mnemonic === 'loop') outer.push(times);
      if (mnemonic !== 'loop') continue;
      times *= rounds ?? NaN;
      const at: Instr = ['i32.const', base + 4 * loops.length];
      copy.emit(at, at, ['i32.load', 0], ['i32.const', 1], ['i32.add'], ['i32.store', 0]);
      loops.push({ func: func.name, rounds: times });
    }
    return copy;
  });
  return { module: { ...module, functions, pages: module.pages + 1 }, loops, base };
}

/** Functions that are called from outside. */
const GRAPHS: ReadonlySet<string> = new Set(['stream', 'loss', 'backward', 'update']);

/** In either precision. @param calls  of each transform, a block */
function check(program: Program, calls = 0): void {
  for (const precision of PRECISIONS) checkOne({ ...program, precision }, calls);
}

/** Runs whole blocks, then what comes after a window. */
function checkOne(program: Program, calls: number): void {
  const { module, loops, base } = counted(generate(program, BLOCK).module);
  expect(loops.filter(({ rounds }) => Number.isNaN(rounds))).toEqual([]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(encode(module)));
  const run = exports as unknown as Record<string, (...args: number[]) => void>;
  const { buffer } = exports['memory'] as unknown as { readonly buffer: ArrayBuffer };
  const done = new Uint32Array(buffer, base, loops.length);
  run['reset']!();
  // So many that every hop ends with the last of them.
  const blocks = 1920;
  for (let k = 0; k < blocks; k++) run['stream']!(0, 0, 4 * BLOCK);
  run['backward']!();
  run['update']!();
  loops.forEach(({ func, rounds }, k) => {
    if (func === 'peak' || func === 'course') return;
    const isRoutine = !GRAPHS.has(func);
    // A transform is called as often as whoever calls it says: looked at where that is known.
    if (isRoutine && calls === 0) return;
    const runs = isRoutine ? blocks * calls : func === 'stream' ? blocks : 1;
    expect(done[k]! / runs, `loop ${k}, in ${func}`).toBeCloseTo(rounds, 6);
  });
}

describe('rounds', () => {
  const some = 'gain gain-dc one-pole loopback dense equaliser iir lowpass multi compressor reverb';
  const filters = 'echo-canceller room-equaliser';
  it.each(`${some} ${filters}`.split(' '))('%s: every loop runs as often as it says', (name) => {
    const isLong = filters.includes(name);
    for (const mode of isLong ? (['reverse'] as const) : (['forward', 'reverse'] as const)) {
      const program = programOf(EXAMPLES[name]!, { ...options, mode });
      if (program.ok) check(program.value);
      // An optimiser may want the other mode.
      else expect(program.diagnostics.map(({ code }) => code)).toEqual(['PATCH_OPTIMISER']);
    }
  });

  it('transforms of frames run as often as they say', () => {
    const b = new Builder('stream');
    const frame = b.node('frames', [b.node('input', [], [0])], [60, 256]);
    const bins = b.node('tanh', [b.node('rfft', [frame])]);
    const y = b.node('overlap', [b.node('rfftT', [bins])], [60]);
    const program = plainProgram(optimise(b.finish([{ name: 'out:0', node: y }])), SIZES);
    check(program, BLOCK / 60);
  });

  it('matrix products and the sums of their gradients run as often as they say', () => {
    const [rows, columns] = [19, 30];
    const b = new Builder('stream');
    const last = b.node('frames', [b.node('input', [], [0])], [1, columns]);
    const weights = b.node('param', [], [0, rows * columns]);
    const once = b.node('matvec', [weights, last]);
    const y = b.node('laneSum', [b.node('matvecT', [weights, b.node('tanh', [once])])]);
    const target = b.node('input', [], [1]);
    const stream = b.finish([{ name: 'out:0', node: y }]);
    const objective = {
      terms: [{ estimate: y, target, loss: mse }],
      window: 600,
      params: rows * columns,
    };
    const sizes = { inputs: 2, sliders: 0, params: rows * columns };
    check(trainingProgram(stream, objective, 'reverse', sizes));
  });

  it('tables, what is written into them and their gradients run as often as they say', () => {
    const b = new Builder('stream');
    const x = b.node('input', [], [0]);
    const learnt = b.node('param', [], [0, 37]);
    const index = b.node('toInt', [b.node('mul', [x, b.real(9)])]);
    const start = b.node('const', [], [1, 2, 3, 4, 5, 6]);
    const read = b.node('lookup', [learnt, index]);
    const y = b.node('rwtable', [start, read, index, b.int(2)]);
    const target = b.node('input', [], [1]);
    const wide = b.feedback('real', 3, 0.5, 5);
    b.close(wide, b.node('mul', [wide, x]));
    const stream = b.finish([
      { name: 'out:0', node: y },
      { name: 'out:1', node: b.node('laneSum', [wide]) },
    ]);
    const objective = { terms: [{ estimate: y, target, loss: mse }], window: 600, params: 37 };
    check(trainingProgram(stream, objective, 'reverse', { inputs: 2, sliders: 0, params: 37 }));
  });

  it('random patches run as often as they say', () => {
    let compiled = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const patch = parsePatch(randomPatch(random(seed), { smooth: false, mode: 'auto' }).json);
      const program = patch.ok ? programOf(patch.value, options) : patch;
      if (!program.ok) continue;
      check(program.value);
      compiled++;
    }
    expect(compiled).toBeGreaterThan(10);
  });
});

describe('work', () => {
  it('counts loops by their rounds, and what is called with who calls it', () => {
    const main = new Func('main', []);
    const routine = new Func('routine', [], { internal: true });
    main.emit(['i32.const', 0], ['drop']);
    main.begin('vector');
    main.emit(
      ['block'],
      ['loop', 16],
      ['i32.const', 0],
      ['f32.load', 0],
      ['drop'],
      ['end'],
      ['end'],
    );
    main.begin('frame');
    main.emit(['loop', 0.5], call(1), ['end']);
    routine.emit(['loop', 8], ['i32.const', 1], ['i32.const', 2], ['i32.add'], ['drop'], ['end']);
    const work = workOf({ functions: [main, routine], pages: 1, data: [] }, main, 4);
    expect(work).toMatchObject({
      upkeep: { instructions: 0.5, arithmetic: 0, memory: 0 },
      vector: { instructions: 12, arithmetic: 0, memory: 4 },
      frame: { instructions: (0.5 + 0.5 * 32) / 4, arithmetic: 1, memory: 0 },
    });
  });

  it('divides the memory without a rest, and gives the same numbers every time', () => {
    for (const patch of Object.values(EXAMPLES)) {
      const [one, two] = [compile(patch, options), compile(patch, options)];
      if (!one.ok || !two.ok) throw new Error(patch.name);
      const { memory, memoryBytes } = one.value.report;
      expect(Object.values(memory).reduce((sum, bytes) => sum + bytes, 0)).toBe(memoryBytes);
      expect(two.value).toEqual(one.value);
    }
  });
});
