/**
 * The engine on a real, clocked full-duplex PortAudio device: JACK's dummy driver and its
 * loopback, through naudiodon, with an attenuator (another JACK program) between what is played
 * and what is heard. Levels, calibration, learning the attenuation, and losing the device.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { listDevices } from '../../../server/engine/supervisor.ts';
import { Jack } from '../../support/jack.ts';
import { describeWith } from '../../support/packages.ts';
import type { Supervised } from '../../support/supervised.ts';
import { alive, attenuationPatch, AUDIO, programOf, supervise } from '../../support/supervised.ts';
import { undisturbed } from '../../support/undisturbed.ts';

const ATTENUATION = 0.37;
/** Of the loss when every sample that comes back is the expected one. */
const FLOOR = 1e-9;

describeWith(['jackd2', 'libportaudio2', 'ecasound', 'naudiodon'], 'a sound card', () => {
  let jack: Jack;
  let run: Supervised | null = null;

  beforeAll(async () => {
    jack = await Jack.start({ period: 256 });
  });
  afterEach(async () => {
    await run?.close();
    run = null;
  });
  afterAll(() => jack.stop());

  const open = async (input = 'loopback'): Promise<Supervised> => {
    run = await supervise({ backend: 'portaudio', input, output: 'loopback' });
    return run;
  };

  test('is listed with its channels and its host API', async () => {
    const listed = await listDevices();
    expect(listed.ok && listed.value).toContainEqual(
      expect.objectContaining({
        name: 'loopback',
        hostApi: expect.stringContaining('JACK'),
        inputs: 2,
        outputs: 2,
        sampleRate: 48000,
        backend: 'portaudio',
      }),
    );
  });

  test('opens muted, and after unmuting the attenuation of the box is heard, calibrated and learned', async () => {
    const box = await jack.attenuator(ATTENUATION);
    const { supervisor, until, last, events } = await open(box);
    expect(supervisor.status).toMatchObject({
      state: 'running',
      backend: 'portaudio',
      device: { input: box, output: 'loopback' },
      sampleRate: 48000,
      blockSize: 256,
      muted: true,
    });
    expect(supervisor.status.realtime).not.toBeNull();
    await supervisor.load(programOf(attenuationPatch()));
    await until('a second of audio', () => last().frames > 48_000);
    expect([...last().outputPeak, ...last().inputPeak]).toEqual([0, 0, 0, 0]);

    supervisor.setOutput({ muted: false });
    await until('sound to come back', () => last().inputPeak[0]! > 0.05);
    const { frames } = last();
    await until('half a second of it', () => last().frames > frames + 24_000);
    const [sent, heard] = [last().outputRms[0]!, last().inputRms[0]!];
    expect(heard / sent).toBeGreaterThan(ATTENUATION * 0.9);
    expect(heard / sent).toBeLessThan(ATTENUATION * 1.1);

    // Whatever the host or JACK noticed: late blocks, over- and underflows, clients not finished.
    const disturbances = async (): Promise<number> => {
      const { lateBlocks, xruns } = supervisor.status;
      return lateBlocks + xruns + jack.xruns();
    };
    const latency = await undisturbed(disturbances, 30, async () => {
      await until('a running engine', () => supervisor.status.state === 'running');
      const calibrated = await supervisor.calibrate();
      if (!calibrated.ok) throw new Error(JSON.stringify(calibrated.diagnostics));
      expect(calibrated.value.confidence).toBeGreaterThan(10);
      expect(calibrated.value.latency).toBeGreaterThan(0);
      expect(calibrated.value.latency % 256).toBe(0);
      return calibrated.value.latency;
    });
    expect(supervisor.status.latency).toBe(latency);

    const loaded = await supervisor.load(programOf(attenuationPatch(), { latency }));
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.diagnostics));
    await until('the new program', () => last().program === loaded.value);
    const learned = (): Promise<void> =>
      until(
        'the attenuation to be learned',
        () => Math.abs(last().params[0]! - ATTENUATION) < 0.02 * ATTENUATION && last().loss < FLOOR,
      );
    // Every sample that comes back is the one expected: a gap would show in the loss at once.
    await undisturbed(disturbances, 60, async () => {
      await learned();
      const from = last().frames;
      let worst = 0;
      await until('four seconds without a gap', () => {
        worst = Math.max(worst, last().loss);
        return last().frames > from + 4 * 48_000;
      });
      expect(worst).toBeLessThan(FLOOR);
    });

    // A killed engine comes back with what it learned, and does not unlearn it on the way.
    let step = 0;
    const kill = async (): Promise<void> => {
      await learned();
      const { pid } = supervisor.status;
      ({ step } = last());
      process.kill(pid!, 'SIGKILL');
      await until('another engine', () => {
        return supervisor.status.pid !== pid && supervisor.status.state === 'running';
      });
    };
    const hear = async (): Promise<void> => {
      const from = last().frames;
      let strayed = 0;
      await until('two seconds of audio with the program', () => {
        const { params, program, frames: now } = last();
        if (program !== loaded.value) return false;
        strayed = Math.max(strayed, Math.abs(params[0]! - ATTENUATION));
        return now > from + 2 * 48_000;
      });
      expect(strayed).toBeLessThan(0.02 * ATTENUATION);
      expect(last().step).toBeGreaterThan(step);
      expect(last().inputPeak[0]).toBeGreaterThan(0.05);
    };
    await undisturbed(disturbances, 30, hear, kill);
    expect(
      events.map((e) => e.kind).filter((kind) => kind !== 'realtime' && kind !== 'xrun'),
    ).toEqual(Array.from({ length: supervisor.status.restarts }, () => 'crashed'));
    expect(supervisor.status.nanBlocks).toBe(0);
  }, 240_000);

  test('an unknown name is an error that lists what there is, never another device', async () => {
    run = await supervise({ backend: 'portaudio', input: 'no such thing', output: 'loopback' });
    expect(run.supervisor.status).toMatchObject({ state: 'degraded', device: null });
    expect(run.supervisor.status.reason).toMatch(/no input device "no such thing".*loopback/);
  });

  test('settings that the device refuses are an error, and it goes on with the old ones', async () => {
    const { supervisor, until, last } = await open();
    const loopback = { backend: 'portaudio', input: 'loopback', output: 'loopback' } as const;
    const selected = await supervisor.select({ ...AUDIO, ...loopback, sampleRate: 44_100 });
    expect(selected).toMatchObject({ ok: false, diagnostics: [{ code: 'AUDIO_OPEN_FAILED' }] });
    expect(!selected.ok && selected.diagnostics[0]!.message).toMatch(/44100 Hz.*sample rate/i);
    expect(supervisor.status).toMatchObject({ state: 'running', sampleRate: 48_000, muted: true });
    const { frames } = last();
    await until('more audio', () => last().frames > frames + 4800);
  });

  test('when the device is lost the host lives on, and takes it back when it returns', async () => {
    const { supervisor, until, last, events } = await open();
    const loaded = await supervisor.load(programOf(attenuationPatch()));
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.diagnostics));
    supervisor.setOutput({ muted: false });
    await until('sound', () => last().inputPeak[0]! > 0.05);

    await jack.killServer();
    await until('it to be noticed', () => supervisor.status.state === 'degraded', 15);
    expect(supervisor.status.reason).toMatch(/no input device "loopback"/);
    expect(events.map((e) => e.kind)).toContain('device-lost');

    await jack.startServer();
    await until('the device to be back', () => supervisor.status.state === 'running', 15);
    expect(events.map((e) => e.kind)).toContain('device-returned');
    await until('the program', () => last().program === loaded.value);
    await until('sound again', () => last().inputPeak[0]! > 0.05);
  });

  test('stop leaves no process, also when the sound server hangs', async () => {
    const { supervisor } = await open();
    const { pid } = supervisor.status;
    jack.freezeServer();
    await supervisor.stop();
    expect(alive(pid!)).toBe(false);
    jack.thawServer();
  });
});
