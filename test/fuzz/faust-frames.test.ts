/**
 * Whatever a Faust program does with the frames of `livegrad.lib`: either a sentence that refuses it,
 * or a graph that is whole, can be compiled, and computes what the interpreter does. FUZZ_SEED=N runs
 * one seed again, FUZZ_FRAMES=N more of them.
 */

import { expect, test } from 'vitest';
import { EXTENSIONS, foreignName } from '../../dsp/faust/extensions.ts';
import { verify } from '../../dsp/ir/verify.ts';
import { optimise } from '../../dsp/passes/pipeline.ts';
import { playForm } from '../support/form.ts';
import { exactInstance, plainProgram } from '../support/program.ts';
import { random } from '../support/random-graph.ts';
import { isOneSeed, seedsOf } from '../support/seeds.ts';

const FRAMES = 96;
const NEAR = 1e-9;
/** Beyond it sums of large numbers of both signs are noise. */
const LARGE = 1e6;
const NUMBERS = ['0', '1', '2', '0.5', '-1.0', '3.0', '64', '32', '0.01'];
/** No `/`: what is not finite is zeroed by generated code, at block ends, and not by the interpreter. */
const OPERATORS = ['+', '-', '*', '<', '>=', '&'];
const FUNCTIONS = ['sin', 'tanh', 'abs', 'floor', 'int', 'float'];
const inputs = [
  (n: number): number => Math.fround(Math.sin(n * 0.7) + 0.1),
  (n: number): number => n % 5,
];

/** Lines of a form: half of them fit, by how operands are chosen. */
function formOf(seed: number): string {
  const next = random(seed);
  const pick = <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)]!;
  const lines: string[] = [];
  const add = (text: string): string => `ID_${lines.push(text) - 1}`;
  const hop = pick(['8', '16', '32']);
  const frames: string[] = [];
  const numbers = ['IN[0]', 'IN[1]'];
  for (let k = 0; k < 2; k++) frames.push(add(`lg_frames(64, ${hop}, ${pick(numbers)})`));
  const any = (): string => pick(next() < 0.8 ? frames : [...numbers, ...NUMBERS, ...frames]);
  const loop = next() < 0.5;
  if (loop) frames.push(add("ID_99'"));
  const count = 3 + Math.floor(next() * 10);
  for (let k = 0; k < count; k++) {
    const kind = next();
    if (kind < 0.3) frames.push(add(`${any()}${pick(OPERATORS)}${any()}`));
    else if (kind < 0.45) frames.push(add(`${pick(FUNCTIONS)}(${any()})`));
    else if (kind < 0.6) {
      const past = [`${any()}'`, `${any()}@3`, `prefix(2.0,${any()})`, `${any()}@int(IN[1])`];
      frames.push(add(pick(past)));
    } else if (kind < 0.65) frames.push(add(`select2(${any()},${any()},${any()})`));
    else {
      const { name, parameters, does } = pick(EXTENSIONS);
      const constants = does.kind === 'lanes' ? does.fields.length : 0;
      const args = parameters.map((_, i) => (i < constants ? pick(NUMBERS) : any()));
      frames.push(add(`${foreignName(name)}(${args.join(', ')})`));
    }
  }
  const last = frames.at(-1)!;
  const outs = [last, pick(frames)].map((frame) =>
    next() < 0.8 ? add(`lg_overlapAdd(${frame})`) : frame,
  );
  const text = lines.map((line, k) => `ID_${k} = ${line};`);
  const end = loop ? [`ID_98 = letrec(W1 = (${pick(frames)}));`, 'ID_99 = proj0(ID_98);'] : [];
  return [...text, ...end, `SIG = (${outs.join(', ')});`].join('\n');
}

/** Steps of a value that rounding may take one way or the other. */
const STEPS = /<|>=|&|floor|int\(|select2|above/u;

let whole = 0;

test.each(seedsOf('FUZZ_FRAMES', 150).map((seed) => [seed] as const))('seed %i', (seed) => {
  const text = formOf(seed);
  let made: ReturnType<typeof playForm>;
  try {
    made = playForm(text, FRAMES, { inputs });
  } catch (error) {
    // A loop that no delay closes is no form that libfaust prints.
    if (/without a delay/u.test(String(error))) return;
    throw error;
  }
  const { graph, problems, outputs } = made;
  if (problems.length > 0) {
    expect(problems.every(({ message }) => message.length > 20)).toBe(true);
    return;
  }
  whole++;
  verify(graph, 'makeGraph');
  const stream = optimise({
    ...graph,
    outputs: graph.outputs.filter(({ name }) => name.startsWith('out:')),
  });
  const program = {
    ...plainProgram(stream, { inputs: 2, sliders: 1, params: 1 }),
    precision: 'double' as const,
  };
  const instance = exactInstance(program, FRAMES);
  instance.inputs.forEach((channel, c) => {
    channel.forEach((_, n) => (channel[n] = inputs[c]!(n)));
  });
  instance.process(FRAMES);
  if (STEPS.test(text)) return;
  outputs.forEach((played, k) => {
    played.forEach((value, n) => {
      const heard = instance.outputs[k]![n]!;
      const isNear = Math.abs(heard - value) <= NEAR * Math.max(1, Math.abs(value));
      if (!isNear && Number.isFinite(value) && Math.abs(value) < LARGE) {
        expect.fail(`output ${k}, sample ${n}: ${heard} compiled, ${value} by the interpreter`);
      }
    });
  });
});

test('many of them are whole', () => {
  expect(isOneSeed || whole > 10).toBe(true);
});
