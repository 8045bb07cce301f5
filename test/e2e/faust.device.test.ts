/**
 * Programs in Faust on a real clocked sound device: each is uploaded by REST while audio runs, made
 * trainable from outside, learns from what comes back into the device, and is exported as a program
 * that has what was learned.
 *
 * Each plays a noise on output 1 and compares what it makes of input 1, its third output, with input
 * 2. What the inputs hear comes from a JACK program between the device's ends. The first box filters
 * channel 2 itself; for the other two the hidden effect is on output 2, and the box attenuates.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient, type Client } from '../../clients/sdk/client.ts';
import { startDaemon } from '../support/daemon.ts';
import type { Daemon } from '../support/daemon.ts';
import { Jack } from '../support/jack.ts';
import { describeWith } from '../support/packages.ts';

const CUTOFF = 3000;

interface Lesson {
  readonly code: string;
  readonly window: number;
  /** What is to be learned, and what it is to come to. */
  readonly hidden: Readonly<Record<string, number>>;
  readonly seconds: number;
}

const LESSONS: Readonly<Record<'lowpass' | 'freeverb' | 'moog', Lesson>> = {
  lowpass: {
    code: `declare name "lowpass";
import("stdfaust.lib");
cutoff = hslider("cutoff[unit:Hz][scale:log]", 1000, 50, 12000, 1);
process(dry) = n, n, fi.lowpass(2, cutoff, dry) with { n = no.noise * 0.2; };
`,
    window: 256,
    hidden: { cutoff: CUTOFF },
    seconds: 30,
  },
  freeverb: {
    code: `declare name "freeverb";
import("stdfaust.lib");
room = hslider("room", 0.6, 0, 0.98, 0.001);
damp = hslider("damp", 0.6, 0, 0.98, 0.001);
verb(feedback, damp) = re.mono_freeverb(feedback, 0.5, damp, 23);
process(dry) = n, verb(0.8, 0.25, n), verb(room, damp, dry) with { n = no.noise * 0.05; };
`,
    window: 2048,
    hidden: { room: 0.8, damp: 0.25 },
    seconds: 60,
  },
  moog: {
    code: `declare name "moog";
import("stdfaust.lib");
frequency = hslider("frequency[unit:Hz][scale:log]", 1000, 100, 8000, 1);
resonance = hslider("resonance", 0.4, 0, 0.9, 0.001);
process(dry) = n, ve.moog_vcf(0.6, 1500, n), ve.moog_vcf(resonance, frequency, dry)
with { n = no.noise * 0.2; };
`,
    window: 1024,
    hidden: { frequency: 1500, resonance: 0.6 },
    seconds: 60,
  },
};

/** Of a value that was learned. */
const TOLERANCE = 0.01;

describeWith(['jackd2', 'libportaudio2', 'ecasound', 'naudiodon'], 'Faust on a sound card', () => {
  let jack: Jack;
  let daemon: Daemon;
  let client: Client;
  let attenuator: string;

  beforeAll(async () => {
    jack = await Jack.start({ period: 256, channels: 3 });
    const box = await jack.lowPass(CUTOFF);
    attenuator = await jack.attenuator(0.37);
    daemon = await startDaemon({
      LIVEGRAD_AUDIO_BACKEND: 'portaudio',
      LIVEGRAD_AUDIO_INPUT: box,
      LIVEGRAD_AUDIO_OUTPUT: 'loopback',
      LIVEGRAD_AUDIO_OUTPUT_CHANNELS: '3',
      LIVEGRAD_AUDIO_BLOCK_SIZE: '256',
    });
    client = createClient({ url: daemon.address });
    await client.output.set({ muted: false });
  });

  afterAll(async () => {
    client?.close();
    await daemon?.stop();
    await jack?.stop();
  });

  const valueOf = async (id: string): Promise<number> => (await client.params.get({ id })).value;

  /** Uploads, teaches, waits, exports; the exported program plays with what was learned. */
  async function teach({ code, window, hidden, seconds }: Lesson): Promise<void> {
    const ids = Object.keys(hidden);
    const before = (await client.status.get()).engine.framesProcessed;
    const info = await client.patch.set(code);
    expect(info).toMatchObject({ params: [], window: 0, inputs: 1 });
    expect([...info.sliders].sort()).toEqual([...ids].sort());
    expect((await client.patch.get()).faust?.code).toBe(code);
    await client.params.update({
      learn: Object.fromEntries(ids.map((id) => [id, true])),
      training: { estimate: 'out3', target: 'in2', window, running: true },
    });
    const met = async (): Promise<boolean> => {
      for (const id of ids) {
        if (Math.abs((await valueOf(id)) / hidden[id]! - 1) > TOLERANCE) return false;
      }
      return true;
    };
    const end = performance.now() + seconds * 1000;
    while (!(await met())) {
      const { training } = await client.status.get();
      if (!training.running || performance.now() > end) {
        const { params } = await client.params.list();
        const values = params.map(({ id, value }) => `${id} ${value}`).join(', ');
        throw new Error(`${seconds} s in vain: ${values}; ${JSON.stringify(training)}`);
      }
      await sleep(100);
    }
    await client.training.stop();

    const { text, format } = await client.patch.export();
    expect(format).toBe('faust');
    const checked = await client.patch.check(text);
    expect(checked).toMatchObject({ ok: true, diagnostics: [] });
    await client.patch.set(text.replace('declare name "', 'declare name "learned '));
    for (const id of ids) {
      const { kind, initial } = await client.params.get({ id });
      expect(kind).toBe('slider');
      expect(Math.abs(initial / hidden[id]! - 1)).toBeLessThan(TOLERANCE);
    }
    const { engine } = await client.status.get();
    expect(engine).toMatchObject({ state: 'running', backend: 'portaudio', restarts: 0 });
    expect(engine.framesProcessed).toBeGreaterThan(before);
  }

  test('a low-pass learns the cutoff of a box', () => teach(LESSONS.lowpass));

  test('freeverb learns another one, through the device', async () => {
    await client.devices.select({ input: attenuator });
    await client.output.set({ muted: false });
    await teach(LESSONS.freeverb);
  });

  test('a Moog filter learns another one, through the device', () => teach(LESSONS.moog));

  test('a faulty program is refused, and what played goes on', async () => {
    const { patch, program } = await client.status.get();
    await expect(client.patch.set('process = _ : os.osc;')).rejects.toMatchObject({
      code: 'PATCH_INVALID',
      diagnostics: [{ line: 1 }],
    });
    expect(await client.status.get()).toMatchObject({ patch, program });
  });
});
