/**
 * Signals that a patch shows as numbers: of every rate and type, beside training, in either
 * precision, and what a reset leaves of them.
 */

import { expect, test } from 'vitest';
import { compile, programOf } from '../../../dsp/compile.ts';
import type { Artifact } from '../../../dsp/artifact.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { PatchBuilder, PatchEnd } from '../../../dsp/patch/builder.ts';
import { Instance } from '../../../dsp/run/instance.ts';
import { interpreterKernel } from '../../../dsp/run/interpreter-kernel.ts';
import { PRECISIONS, compiledInstance } from '../../support/program.ts';

const OPTIONS = { sampleRate: 48000, maxBlock: 64, latency: 0 };

function compiled(write: (p: PatchBuilder) => PatchEnd): {
  readonly artifact: Artifact;
  /** Generated code and the interpreter. */
  readonly instances: readonly [Instance, Instance];
} {
  const patch = buildPatch('test', write);
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  const artifact = compile(patch.value, OPTIONS);
  if (!artifact.ok) throw new Error(JSON.stringify(artifact.diagnostics));
  const program = programOf(patch.value, OPTIONS);
  if (!program.ok) throw new Error(JSON.stringify(program.diagnostics));
  const round = artifact.value.precision === 'single' ? Math.fround : undefined;
  return {
    artifact: artifact.value,
    instances: [
      compiledInstance(artifact.value),
      new Instance(artifact.value, interpreterKernel(program.value, OPTIONS.maxBlock, round)),
    ],
  };
}

const RANGE = { min: -1000, max: 1000 };

test('a meter says what it is, in the order of the patch', () => {
  const { artifact } = compiled((p) => {
    const x = p.input(1, 'x');
    p.meter('level', x, { min: 0.001, max: 1, unit: 'V', scale: 'log', doc: 'what is heard' });
    p.meter('x', 2, RANGE);
    return {};
  });
  expect(artifact.meters).toEqual([
    { id: 'level', min: 0.001, max: 1, unit: 'V', scale: 'log', doc: 'what is heard' },
    { id: 'x', ...RANGE },
  ]);
});

test('numbers of every kind are shown as they are at the last sample', () => {
  for (const precision of PRECISIONS) {
    const { instances } = compiled((p) => {
      const x = p.input(1);
      const count = p.feedback(1, (past) => p.op('add', [past, 1]));
      const shown = {
        input: x,
        literal: 0.25,
        slider: p.slider('s', { initial: 0.5, min: 0, max: 1 }),
        value: p.op('mul', ['s' as typeof x, 3]),
        twice: p.op('mul', [x, 2]),
        same: p.op('mul', [x, 2]),
        count,
        whole: p.op('toInt', [count]),
        late: p.delay(x, 5),
        frame: p.op('add', [
          p.vector('slice', [p.vector('frames', [x], { size: 4, hop: 10 })], { from: 3, lanes: 1 }),
          0,
        ]),
      };
      for (const [id, signal] of Object.entries(shown)) p.meter(id, signal, RANGE);
      return { precision };
    });
    for (const instance of instances) {
      expect([...instance.meters]).toEqual(new Array(10).fill(0));
      let n = 0;
      const play = (frames: number): number[] => {
        for (let k = 0; k < frames; k++) instance.inputs[0]![k] = ++n;
        instance.process(frames);
        return [...instance.meters];
      };
      expect(play(7)).toEqual([7, 0.25, 0.5, 1.5, 14, 14, 7, 7, 2, 0]);
      expect(play(64)).toEqual([71, 0.25, 0.5, 1.5, 142, 142, 71, 71, 66, 70]);
      instance.sliders[0] = 1;
      expect(play(1)).toEqual([72, 0.25, 1, 3, 144, 144, 72, 72, 67, 70]);
      instance.resetState();
      expect([...instance.meters]).toEqual(new Array(10).fill(0));
      n = 0;
      expect(play(3).slice(4)).toEqual([6, 6, 3, 3, 0, 0]);
    }
  }
});

test('nothing needs to be played for a meter to be computed, and training leaves it alone', () => {
  for (const mode of ['forward', 'reverse'] as const) {
    const { instances } = compiled((p) => {
      const x = p.input(1, 'x');
      const gain = p.param('gain', { initial: 0.5, min: 0, max: 2 });
      const y = p.op('mul', [x, gain], 'y');
      p.meter('square', p.op('mul', [y, y]), RANGE);
      const schedule = { kind: 'constant', rate: 0.1 } as const;
      return { training: { estimate: y, target: 'x', loss: 'mse', window: 48, mode, schedule } };
    });
    for (const instance of instances) {
      instance.setSchedule({ kind: 'constant', rate: 0.1 });
      instance.learning = true;
      for (let block = 0; block < 30; block++) {
        instance.inputs[0]!.fill(0.5);
        instance.process(64);
      }
      expect(instance.params[0]).toBeGreaterThan(0.6);
      expect(instance.outputs).toHaveLength(0);
    }
    const [code, plain] = instances;
    expect(code.meters[0]).toBeCloseTo((0.5 * code.params[0]!) ** 2, 2);
    expect(code.meters[0]).toBeCloseTo(plain.meters[0]!, 6);
  }
});

test('a meter is stored once a run: the loops do the same work without it', () => {
  const work = (isShown: boolean): unknown => {
    const { artifact } = compiled((p) => {
      const y = p.op('tanh', [p.input(1)]);
      const slow = p.feedback(1, (past) => p.op('add', [p.op('mul', [past, 0.9]), y]));
      if (isShown) {
        p.meter('fast', y, RANGE);
        p.meter('slow', slow, RANGE);
      }
      return { outputs: [p.op('mul', [slow, 2]), p.op('mul', [y, 2])] };
    });
    const { vector, serial } = artifact.report.graphs.stream!.work;
    return { vector: vector.memory, serial: serial.memory };
  };
  const [shown, hidden] = [work(true), work(false)] as { vector: number; serial: number }[];
  for (const loop of ['vector', 'serial'] as const) {
    expect(shown![loop] - hidden![loop]).toBeLessThan(0.1);
  }
});
