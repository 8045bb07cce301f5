/**
 * The loss of a frequency, and the sine that follows one: exact gradients, steps that go all the way,
 * silence, and whatever else may be heard.
 */

import { describe, expect, test } from 'vitest';
import { continuedSine, frequencyLoss } from '../../../dsp/blocks/frequency.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { NodeId } from '../../../dsp/ir/graph.ts';
import type { Instance } from '../../../dsp/run/instance.ts';
import { MEAN, agree } from '../../support/gradients.ts';
import {
  assembled,
  compiledInstance,
  plainProgram,
  trainingProgram,
} from '../../support/program.ts';
import { numbers, play } from '../../support/vectors.ts';

const SAMPLE_RATE = 48000;
const SIZE = 4096;
const HOP = 256;

/** A program that learns the octaves of input 1, a step every frame. */
function learner(): Instance {
  const b = new Builder('stream');
  const frame = b.node('frames', [b.node('input', [], [0])], [HOP, SIZE]);
  const estimate = frequencyLoss(b, frame, b.node('param', [], [0]), { sampleRate: SAMPLE_RATE });
  const stream = b.finish([{ name: 'out:0', node: b.real(0) }]);
  const loss = (...[over, e]: Parameters<typeof MEAN>): NodeId =>
    over.node('mul', [over.node('sum', [e]), over.real(1)]);
  const objective = { terms: [{ estimate, target: null, loss }], window: HOP, params: 1 };
  const sizes = { inputs: 1, sliders: 0, params: 1 };
  return compiledInstance(assembled(trainingProgram(stream, objective, 'reverse', sizes), HOP));
}

const instance = learner();

/** Loss and gradient of the last frame of a sound. */
function measured(octaves: number, sound: (n: number) => number) {
  instance.reset();
  instance.params[0] = octaves;
  play(instance, { frames: SIZE, blocks: [HOP], input: (_, n) => sound(n) });
  return { loss: instance.loss, gradient: instance.gradients[0]! };
}

const sine =
  (frequency: number, amplitude = 0.3) =>
  (n: number): number =>
    amplitude * Math.sin((2 * Math.PI * frequency * n) / SAMPLE_RATE + 0.7);

describe('the loss of a frequency', () => {
  test.each([
    [440, 441],
    [440, 438],
    [10000, 10004],
    [150, 152],
  ])('of %d Hz at %d Hz, within a bin, is the distance in octaves squared', (target, at) => {
    const distance = Math.log2(at / target);
    const { loss, gradient } = measured(Math.log2(at), sine(target));
    // What a Newton step leaves is of third order.
    expect(Math.sqrt(loss) / Math.abs(distance)).toBeCloseTo(1, 1);
    expect(gradient / (2 * distance)).toBeCloseTo(1, 1);
  });

  test.each([
    [440, 9000],
    [15000, 120],
    [1000, 1100],
    [80, 5000],
    [3000, 2500],
  ])('of %d Hz at %d Hz leads all the way by a step of the rate ½', (target, at) => {
    const { loss, gradient } = measured(Math.log2(at), sine(target));
    expect(Math.sqrt(loss)).toBeCloseTo(Math.abs(Math.log2(at / target)), 1);
    const left = Math.log2(at / target) - 0.5 * gradient;
    expect(Math.abs(left)).toBeLessThan(0.01 * Math.abs(Math.log2(at / target)) + 0.005);
  });

  test('leads back from beyond what can be heard', () => {
    for (const [octaves, direction] of [
      [15, 1],
      [14.7, 1],
      [2, -1],
    ] as const) {
      expect(Math.sign(measured(octaves, sine(1000)).gradient)).toBe(direction);
    }
  });

  test('has the slope that differences show, in both modes and in code', () => {
    for (const [octaves, gate] of [
      [12.9, 0.4],
      [13.6, 0.01],
    ] as const) {
      const b = new Builder('stream');
      const frame = b.node('frames', [b.node('input', [], [0])], [32, 64]);
      const options = { sampleRate: SAMPLE_RATE, gate };
      const param = b.node('param', [], [0]);
      const estimate = b.node('overlap', [frequencyLoss(b, frame, param, options)], [32]);
      const run = { input: (_: number, n: number) => sine(2500)(n) + 0.1 * sine(9000)(n) };
      const made = { b, estimate, target: b.real(0), params: 1, window: 128, loss: MEAN };
      const { gradients } = agree('frequency', { ...made, run, at: [octaves] });
      expect(gradients[0]).toBeGreaterThan(0);
    }
  });

  test('does not hear how loud a sound is', () => {
    const [quiet, loud] = [0.001, 300].map((level) => measured(9, sine(440, level)));
    expect(loud!.loss / quiet!.loss).toBeCloseTo(1, 3);
    expect(loud!.gradient / quiet!.gradient).toBeCloseTo(1, 3);
  });

  test('is 0, with no slope, in silence and below the floor', () => {
    for (const sound of [() => 0, sine(440, 5e-5), () => 1e-5]) {
      const { loss, gradient } = measured(9, sound);
      expect([loss, Math.abs(gradient)]).toEqual([0, 0]);
    }
  });

  test('is finite for whatever is heard, at both ends of the range', () => {
    const noise = numbers(SIZE, 3);
    const sounds = [() => 1, (n: number) => noise[n]!, (n: number) => (n === 4000 ? 1 : 0)];
    for (const sound of [...sounds, (n: number) => (n % 2) - 0.5, sine(24000), sine(3)]) {
      for (const octaves of [0, 4.3, 14.5, 14.6]) {
        const { loss, gradient } = measured(octaves, sound);
        expect(Number.isFinite(loss) && Number.isFinite(gradient)).toBe(true);
      }
    }
  });
});

describe('the sine that goes on after a frame', () => {
  const LANES = 512;

  function follow(frequency: number, sound: (n: number) => number): number[][] {
    const b = new Builder('stream');
    const frame = b.node('frames', [b.node('input', [], [0])], [HOP, SIZE]);
    const octaves = b.node('slider', [], [0]);
    const sine = continuedSine(b, frame, octaves, LANES, { sampleRate: SAMPLE_RATE });
    const hann = Array.from({ length: LANES }, (_, n) => Math.sin((Math.PI * n) / LANES) ** 2);
    const faded = b.node('mul', [sine, b.node('const', [], hann)]);
    const y = b.node('overlap', [faded], [HOP]);
    const stream = b.finish([{ name: 'out:0', node: y }]);
    const program = plainProgram(stream, { inputs: 1, sliders: 1, params: 0 });
    const made = compiledInstance(assembled(program, HOP));
    made.sliders[0] = Math.log2(frequency);
    return play(made, { frames: 3 * SIZE, blocks: [HOP], input: (_, n) => sound(n) });
  }

  test.each([41, 440, 9876.5, 19999])('is the sound itself, of %d Hz, without a delay', (f) => {
    const [out] = follow(f, sine(f)) as [number[]];
    for (let n = SIZE + LANES; n < 3 * SIZE; n += 7) {
      expect(Math.abs(out[n]! - sine(f)(n))).toBeLessThan(2e-3);
    }
  });

  test('is silent in silence', () => {
    expect(Math.max(...follow(440, () => 0)[0]!.map(Math.abs))).toBe(0);
  });
});
