/** `train`: learns what the examples promise, twice the same, from the rig and from files. */

import { describe, expect, it } from 'vitest';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import type { Exam } from '../../../clients/cli/lesson.ts';
import { livegrad, livegradJson, noise, textFile, wavFile } from './run.ts';
import type { ErrorDocument } from './run.ts';

interface Trained {
  patch: string;
  seconds: number;
  samples: number;
  steps: number;
  loss: { first: number; last: number; best: number };
  params: Record<string, { initial: number; value: number }>;
  expect: Exam[];
  samplesPerSecond?: number;
  artifactSha256: string;
}

describe('train on a shipped example', () => {
  // All of them: lesson.test.ts.
  it.each(['gain', 'gain-dc', 'one-pole', 'equaliser'])(
    '%s learns what it expects, twice the same',
    async (name) => {
      const [one, two] = await Promise.all([
        livegradJson<Trained>('train', name),
        livegradJson<Trained>('train', name),
      ]);
      const { document } = one;
      expect(one.exit).toBe(0);
      expect(one.stderr).toBe('');
      expect(Object.keys(document)).toEqual([
        'patch',
        'seconds',
        'samples',
        'steps',
        'loss',
        'params',
        'expect',
        'samplesPerSecond',
        'artifactSha256',
      ]);
      expect(document.patch).toBe(name);
      expect(document.samples).toBe(document.seconds * 48_000);
      expect(document.expect).toHaveLength(EXAMPLES[name]!.expect.length);
      for (const e of document.expect) {
        expect(e.ok).toBe(true);
        expect(e.learned).toBe(document.params[e.param!]!.value);
        expect(e.error).toBe(Math.abs(e.learned - e.value));
        expect(e.samples).toBeLessThan(document.samples);
        expect(Math.abs(e.learned - e.value)).toBeLessThanOrEqual(e.tolerance);
      }
      expect(document.loss.last).toBeLessThan(document.loss.first / 100);
      expect(document.samplesPerSecond).toBeGreaterThan(0);
      expect(document.artifactSha256).toMatch(/^[0-9a-f]{64}$/);
      delete document.samplesPerSecond;
      delete two.document.samplesPerSecond;
      expect(two.document).toEqual(document);
    },
  );

  it('gives the same numbers whatever the block size', async () => {
    const runs = await Promise.all(
      ['1', '100', '128', '4096'].map((size) =>
        livegradJson<Trained>('train', 'one-pole', '--seconds', '0.5', '--block-size', size),
      ),
    );
    for (const { document } of runs) {
      expect(document.loss).toEqual(runs[0]!.document.loss);
      expect(document.params).toEqual(runs[0]!.document.params);
    }
  });

  it('takes another seed for the noise of the rig', async () => {
    const [one, two, same] = await Promise.all(
      ['1', '2', '1'].map((seed) =>
        livegradJson<Trained>('train', 'gain', '--seconds', '0.2', '--seed', seed),
      ),
    );
    expect(two!.document.loss.first).not.toBe(one!.document.loss.first);
    expect(same!.document.loss).toEqual(one!.document.loss);
  });

  it('learns another hidden gain, and compares with it', async () => {
    const { exit, document } = await livegradJson<Trained>(
      'train',
      'gain',
      '--set',
      'hidden/gain=0.7',
    );
    expect(exit).toBe(0);
    const learned = document.params['gain']!.value;
    expect(learned).toBeCloseTo(0.7, 3);
    expect(document.expect).toMatchObject([
      { param: 'gain', hidden: 'hidden/gain', value: 0.7, learned, tolerance: 0.001, ok: true },
    ]);
  });

  it('says with exit code 3 that what was learned is not what is expected', async () => {
    const { exit, document } = await livegradJson<Trained>('train', 'gain', '--seconds', '0.1');
    expect(exit).toBe(3);
    expect(document.expect).toMatchObject([{ param: 'gain', ok: false, samples: null }]);
  });

  it('draws starts, hidden values and noise from a seed with --random-start', async () => {
    const drawn = (seed: string) =>
      livegradJson<Trained & { seed: number }>(
        'train',
        'gain-dc',
        '--random-start',
        '--seed',
        seed,
      );
    const [one, same, two] = await Promise.all(['1', '1', '2'].map(drawn));
    for (const { exit, document } of [one!, two!]) {
      expect(exit).toBe(0);
      for (const e of document.expect) expect(e.ok).toBe(true);
    }
    expect([one!.document.seed, two!.document.seed]).toEqual([1, 2]);
    expect(same!.document.params).toEqual(one!.document.params);
    for (const k of [0, 1]) {
      expect(two!.document.expect[k]!.value).not.toBe(one!.document.expect[k]!.value);
    }
    expect(two!.document.params['gain']!.initial).not.toBe(one!.document.params['gain']!.initial);
    expect(two!.document.loss.first).not.toBe(one!.document.loss.first);
  });

  it('starts a parameter where it is told to', async () => {
    const { exit, document } = await livegradJson<Trained>('train', 'gain', '--set', 'gain=-1.5');
    expect(exit).toBe(0);
    expect(document.params['gain']!.initial).toBe(-1.5);
  });

  it('has no loss before the first window is full, and calls it unmet', async () => {
    const { exit, document } = await livegradJson<Trained>('train', 'gain', '--seconds', '0.005');
    expect(exit).toBe(3);
    expect(document).toMatchObject({ steps: 0, loss: { first: null, last: null, best: null } });
  });

  it('shows a table with a mark and the loss to people', async () => {
    const good = await livegrad(['train', 'gain']);
    expect(good.exit).toBe(0);
    expect(good.stdout).toMatch(/✔ +gain +1 +0\.3 +0\.3 ± 0\.001/);
    expect(good.stdout).toMatch(/^loss .* → /m);
    expect(good.stderr).toBe('');
    expect(good.stdout).not.toMatch(/loss grew|edge of its range/);
    const wrong = await livegrad(['train', 'gain', '--seconds', '0.1']);
    expect(wrong.exit).toBe(3);
    expect(wrong.stdout).toMatch(/✘ +gain/);
  });

  it('says when the loss grew and a parameter stands at the edge of its range', async () => {
    const onePole = structuredClone(EXAMPLES['one-pole']!);
    const guards = { leap: false, rising: false };
    const training = { ...onePole.training!, schedule: { kind: 'constant', rate: 100 }, guards };
    const file = textFile('wild.json', JSON.stringify({ ...onePole, training }));
    const { exit, stdout } = await livegrad(['train', file]);
    expect(exit).toBe(3);
    expect(stdout).toContain('The loss grew: try a lower learning rate.');
    expect(stdout).toContain('At the edge of its range: feedback.');
  });
});

describe('train on sound files', () => {
  const dry = noise(24_000);
  const wet = dry.map((x) => 0.4 * x);

  it('feeds the channels of one file to the inputs', async () => {
    const both = wavFile('both.wav', 48_000, [dry, wet]);
    const { exit, document } = await livegradJson<Trained>('train', 'loopback', '--input', both);
    expect(exit).toBe(0);
    expect(document.seconds).toBe(2);
    expect(document.expect[0]!.ok).toBe(true);
  });

  it('takes the target from a second file, and both at their own rate', async () => {
    const a = wavFile('a.wav', 44_100, [dry]);
    const b = wavFile('b.wav', 44_100, [wet, dry]);
    const { exit, document } = await livegradJson<Trained>(
      'train',
      'loopback',
      '--input',
      a,
      '--target',
      b,
    );
    expect(exit).toBe(0);
    expect(document.samples).toBe(2 * 44_100);
    expect(document.params['gain']!.value).toBeCloseTo(0.4, 4);
  });

  it('makes up for the round trip of a recording', async () => {
    const late = new Float32Array(dry.length);
    late.set(wet.subarray(0, -37), 37);
    const file = wavFile('late.wav', 48_000, [dry, late]);
    const args = ['train', 'loopback', '--input', file, '--seconds', '0.5'];
    const { document } = await livegradJson<Trained>(...args, '--latency', '37');
    expect(document.params['gain']!.value).toBeCloseTo(0.4, 3);
  });

  const refused = async (...args: string[]): Promise<ErrorDocument['error']> => {
    const { exit, document } = await livegradJson<ErrorDocument>('train', ...args);
    expect(exit).toBe(1);
    return document.error;
  };

  it('refuses a target file where the target is computed by the patch', async () => {
    const a = wavFile('a.wav', 48_000, [dry]);
    const error = await refused('gain', '--input', a, '--target', a);
    expect(error.code).toBe('CLI_TARGET_NOT_INPUT');
    expect(error.message).toContain('"target", which is computed by "mul"');
  });

  it('says which input has no sound, and how to give it', async () => {
    const a = wavFile('a.wav', 48_000, [dry]);
    const error = await refused('loopback', '--input', a);
    expect(error.code).toBe('CLI_SOUND_CHANNELS');
    expect(error.message).toContain('listens to input 2: the sound has 1 channel');
    expect(error.diagnostics[0]!.hint).toContain('--target');
  });

  it('does not resample: every file of another rate is named', async () => {
    const a = wavFile('a.wav', 44_100, [dry]);
    const b = wavFile('b.wav', 48_000, [wet]);
    const asked = await refused('gain', '--input', a, '--sample-rate', '48000');
    expect(asked.code).toBe('AUDIO_FILE_RATE');
    expect(asked.message).toContain('expected 48000 Hz, got 44100 Hz');
    const mixed = await refused('loopback', '--input', a, '--target', b);
    expect(mixed.message).toContain('b.wav: expected 44100 Hz, got 48000 Hz');
  });

  it('refuses files that are missing, of another kind, or empty', async () => {
    const text = textFile('a.wav', 'not a sound');
    const empty = wavFile('empty.wav', 48_000, [new Float32Array(0)]);
    const loopback = ['loopback', '--input'];
    expect((await refused(...loopback, '/nowhere/a.wav')).code).toBe('AUDIO_FILE_UNREADABLE');
    expect((await refused(...loopback, text)).code).toBe('AUDIO_FILE_FORMAT');
    expect((await refused(...loopback, empty)).code).toBe('CLI_SOUND_EMPTY');
    const both = await refused(...loopback, text, '--target', empty);
    expect(both.diagnostics.map((d) => d.code)).toEqual(['AUDIO_FILE_FORMAT', 'CLI_SOUND_EMPTY']);
  });
});

describe('train refuses', () => {
  it('unknown ids and values out of range, all at once', async () => {
    const { exit, document } = await livegradJson<ErrorDocument>(
      'train',
      'gain',
      '--set',
      'hiden/gain=1',
      '--set',
      'gain=9',
      '--set',
      'hidden/gain=-1',
    );
    expect(exit).toBe(1);
    expect(document.error.diagnostics).toEqual([
      {
        code: 'CLI_CONTROL_UNKNOWN',
        path: 'hiden/gain',
        message:
          '"gain" has no slider or parameter "hiden/gain": expected one of hidden/gain, gain',
        hint: 'did you mean "hidden/gain"?',
      },
      {
        code: 'CLI_CONTROL_RANGE',
        path: 'gain',
        message: 'gain: expected a value from -2 to 2, got 9',
      },
      {
        code: 'CLI_CONTROL_RANGE',
        path: 'hidden/gain',
        message: 'hidden/gain: expected a value from 0 to 2, got -1',
      },
    ]);
  });

  it.each([
    ['--seconds', 'x'],
    ['--seconds', '0'],
    ['--seconds', ''],
    ['--sample-rate', '1'],
    ['--block-size', '0'],
    ['--block-size', '1.5'],
    ['--seed', '-1'],
    ['--set', 'gain'],
    ['--set', 'gain='],
    ['--set', '=1'],
    ['--set', 'gain=much'],
    ['--target', 'b.wav'],
  ])('%s %j as a wrong command line', async (option, value) => {
    const { exit, document } = await livegradJson<ErrorDocument>('train', 'gain', option, value);
    expect(exit).toBe(2);
    expect(document.error.code).toBe('CLI_USAGE');
    expect(document.error.message).toContain(option);
  });

  it('a patch without training, and one that listens to more than the rig plays', async () => {
    const patch = {
      format: 'livegrad.patch/1',
      name: 'wire',
      nodes: { x: { op: 'input', channel: 3 } },
      outputs: ['x'],
    };
    const wire = await livegradJson<ErrorDocument>(
      'train',
      textFile('w.json', JSON.stringify(patch)),
    );
    expect(wire.exit).toBe(1);
    expect(wire.document.error.code).toBe('CLI_NO_TRAINING');
    const file = textFile(
      'deaf.json',
      JSON.stringify({
        ...patch,
        params: { g: { initial: 0, min: 0, max: 1 } },
        nodes: { ...patch.nodes, y: { op: 'mul', in: ['x', 'g'] } },
        training: {
          estimate: 'y',
          target: 'x',
          loss: 'mse',
          window: 64,
          schedule: { kind: 'constant', rate: 1 },
        },
      }),
    );
    const deaf = await livegradJson<ErrorDocument>('train', file);
    expect(deaf.exit).toBe(1);
    expect(deaf.document.error.code).toBe('CLI_SOUND_CHANNELS');
  });

  it('to call a run learned that met a loss which is not finite', async () => {
    const file = textFile(
      'divide.json',
      JSON.stringify({
        format: 'livegrad.patch/1',
        name: 'divide',
        params: { g: { initial: 0, min: -1, max: 1 } },
        nodes: {
          x: { op: 'input', channel: 1 },
          zero: { op: 'sub', in: ['x', 'x'] },
          hole: { op: 'div', in: ['x', 'zero'] },
          y: { op: 'mul', in: ['hole', 'g'] },
        },
        training: {
          estimate: 'y',
          target: 'x',
          loss: 'mse',
          window: 64,
          schedule: { kind: 'constant', rate: 1 },
        },
      }),
    );
    const { exit, document } = await livegradJson<ErrorDocument>('train', file);
    expect(exit).toBe(3);
    expect(document.error.code).toBe('CLI_LEARNING_STOPPED');
  });
});
