/**
 * The echo canceller among people: 512 taps at 16 kHz on speech, with noise 40 dB below the echo. The
 * figure is the echo against what is left of it (ERLE), known because the room is ours. Through
 * double-talk, as loud as the echo, and pauses; after the room has changed.
 */

import { expect, test } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { Instance } from '../../../dsp/run/instance.ts';
import { describeWith } from '../../support/packages.ts';
import { SPEECH_RATE, babble, bell, power, spoken, uniform } from '../../support/speech.ts';

const BLOCK = 128;
const TAPS = 512;
const SECONDS = 15;
const NOISE = 10 ** (-40 / 20);

/** Seconds: both talk; the far end is silent and then the near end talks alone; another room. */
const DOUBLE = [5.5, 8] as const;
const PAUSE = [9, 10.5] as const;
const NEAR_ALONE = [9.3, 10.2] as const;
const MOVED = 12;

interface Scene {
  readonly far: Float64Array;
  readonly microphone: Float64Array;
  readonly echo: Float64Array;
}

const at = (seconds: number): number => Math.round(seconds * SPEECH_RATE);

/** An impulse response that dies away within 512 samples, of energy 1. */
function room(next: () => number): Float64Array {
  const h = Float64Array.from({ length: TAPS }, (_, k) => bell(next) * Math.exp(-k / 80));
  const size = Math.sqrt(power(h) * TAPS);
  return h.map((v) => v / size);
}

function sceneOf(farVoice: Float64Array, nearVoice: Float64Array, seed: number): Scene {
  const next = uniform(seed);
  const frames = at(SECONDS);
  const far = Float64Array.from({ length: frames }, (_, n) => {
    const isPause = n >= at(PAUSE[0]) && n < at(PAUSE[1]);
    return isPause ? 0 : farVoice[(n + at(0.3 * seed)) % farVoice.length]!;
  });
  const rooms = [room(next), room(next)] as const;
  const echo = Float64Array.from(far, (_, n) => {
    const h = rooms[n < at(MOVED) ? 0 : 1];
    let sum = 0;
    for (let k = 0; k < TAPS && k <= n; k++) sum += h[k]! * far[n - k]!;
    return sum;
  });
  const level = Math.sqrt(power(echo));
  const voice = level / Math.sqrt(power(nearVoice));
  const talks = [DOUBLE, NEAR_ALONE];
  const microphone = echo.map((v, n) => {
    const isNear = talks.some(([from, to]) => n >= at(from) && n < at(to));
    const near = isNear ? voice * nearVoice[n % nearVoice.length]! : 0;
    return v + near + level * NOISE * bell(next);
  });
  return { far, microphone, echo };
}

/** The estimate of the echo. */
function cancelled({ far, microphone }: Scene): { estimate: Float64Array; instance: Instance } {
  const patch = EXAMPLES['echo-canceller']!;
  const artifact = compile(patch, { sampleRate: SPEECH_RATE, maxBlock: BLOCK, latency: 0 });
  if (!artifact.ok) throw new Error('the example compiles');
  const instance = new Instance(artifact.value, new WebAssembly.Module(artifact.value.wasm));
  instance.setSchedule(patch.training!.schedule);
  instance.learning = true;
  // The room of the scene alone.
  instance.sliders.fill(0);
  const estimate = new Float64Array(far.length);
  for (let n = 0; n + BLOCK <= far.length; n += BLOCK) {
    instance.inputs[0]!.set(far.subarray(n, n + BLOCK));
    instance.inputs[1]!.set(microphone.subarray(n, n + BLOCK));
    instance.process(BLOCK);
    estimate.set(instance.outputs[1]!.subarray(0, BLOCK), n);
  }
  return { estimate, instance };
}

/** dB, from one second to another. */
function erle({ echo }: Scene, estimate: Float64Array, from: number, to: number): number {
  const [begin, end] = [at(from), at(to)];
  const heard = echo.subarray(begin, end);
  return 10 * Math.log10(power(heard) / power(heard.map((v, k) => v - estimate[begin + k]!)));
}

/** dB: what must be reached at least. */
interface Least {
  readonly after4: number;
  readonly double: number;
  readonly afterDouble: number;
  readonly afterPause: number;
}
const SPEECH: Least = { after4: 38, double: 38, afterDouble: 38, afterPause: 38 };
/** Sharper formants than those of people, and syllables of one level: harder to learn from. */
const BABBLE: Least = { after4: 28, double: 25, afterDouble: 15, afterPause: 35 };

function check(scene: Scene, least: Least): void {
  const { estimate, instance } = cancelled(scene);
  const of = (from: number, to: number): number => erle(scene, estimate, from, to);
  const figures = {
    first: of(0.5, 1),
    after4: of(4, 5.5),
    double: of(...DOUBLE),
    afterDouble: of(8, 9),
    afterPause: of(10.6, 12),
    moved: of(13.5, 15),
  };
  expect(instance.fault).toBe(0);
  const text = JSON.stringify(figures);
  expect(figures.first, text).toBeGreaterThan(15);
  expect(figures.after4, text).toBeGreaterThan(least.after4);
  expect(figures.double, text).toBeGreaterThan(least.double);
  expect(figures.afterDouble, text).toBeGreaterThan(least.afterDouble);
  expect(figures.afterPause, text).toBeGreaterThan(least.afterPause);
  expect(figures.moved, text).toBeGreaterThan(15);
}

const SEEDS = [1, 2, 3];

test.each(SEEDS)('an echo of what is like speech is cancelled, seed %i', (seed) => {
  check(sceneOf(babble(SECONDS, seed), babble(4, 100 + seed), seed), BABBLE);
});

describeWith(['espeak-ng'], 'an echo of speech', () => {
  const far = (): Float64Array =>
    spoken(
      'The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. ' +
        'It is easy to tell the depth of a well. These days a chicken leg is a rare dish. ' +
        'Rice is often served in round bowls. The juice of lemons makes fine punch.',
      'en',
    );
  const near = (): Float64Array =>
    spoken(
      'Four hours of steady work faced us. A large size in stockings is hard to sell.',
      'en+f3',
    );

  test.each(SEEDS)('is cancelled, seed %i', (seed) => {
    check(sceneOf(far(), near(), seed), SPEECH);
  });
});

test('a wall that is moved after everything was learned is learned again', () => {
  const patch = EXAMPLES['echo-canceller']!;
  const options = { sampleRate: SPEECH_RATE, maxBlock: BLOCK, latency: 0 };
  const artifact = compile(patch, options);
  if (!artifact.ok) throw new Error('echo-canceller');
  const instance = new Instance(
    artifact.value,
    new WebAssembly.Module(artifact.value.wasm.slice()),
  );
  instance.setSchedule(patch.training!.schedule);
  instance.learning = true;
  const wall = artifact.value.sliders.findIndex(({ id }) => id === 'hidden/wall');
  const next = uniform(1);
  let before = 0;
  for (const moved of [0.25, -0.2, 0.1, 0.3]) {
    instance.sliders[wall] = moved;
    for (let n = 0; n < at(3); n += BLOCK) {
      for (let k = 0; k < BLOCK; k++) {
        const far = 0.3 * bell(next);
        instance.inputs[0]![k] = far;
        instance.inputs[1]![k] = 0.4 * before + 0.001 * bell(next);
        before = far;
      }
      instance.process(BLOCK);
    }
    // Lane 311 of the taps is 200 samples ago.
    expect(instance.params[TAPS - 1 - 200]).toBeCloseTo(moved, 1);
  }
});
