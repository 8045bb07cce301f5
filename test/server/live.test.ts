/** Live coding with the daemon: a file of Faust is saved, and plays; over restarts, too. */

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClient, type Change, type Client } from '../../clients/sdk/client.ts';

const main = fileURLToPath(new URL('../../server/main.ts', import.meta.url));

let directory: string;
let running: ChildProcess[] = [];
const clients: Client[] = [];

beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'livegrad-'))));
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  for (const child of running) child.kill('SIGKILL');
  running = [];
  rmSync(directory, { recursive: true, force: true });
});

/** Learns a gain of 0.3, hidden in the second slider. */
const learner = (more = ''): string => `import("half.lib");
gain = hslider("gain[learn:1]", 1, 0, 2, 0.001);
hidden = hslider("hidden", 0.3, 0, 2, 0.001);
process = _ <: *(hidden), *(gain)${more};
`;

const save = (text: string): void => writeFileSync(join(directory, 'live', 'x.dsp'), text);

interface Running {
  readonly client: Client;
  readonly log: () => string;
  end(): Promise<void>;
}

async function start(): Promise<Running> {
  const child = spawn(process.execPath, [main, '--config', 'live/host.yaml'], {
    cwd: directory,
    env: { PATH: process.env['PATH'], LIVEGRAD_AUDIO_BACKEND: 'virtual' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (data: Buffer) => {
      const found = /at (http:\S+)/.exec(data.toString())?.[1];
      if (found !== undefined) resolve(found);
    });
    child.on('exit', () => reject(new Error(stderr)));
  });
  const client = createClient({ url });
  clients.push(client);
  return {
    client,
    log: () => stderr,
    end: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    },
  };
}

beforeEach(() => {
  mkdirSync(join(directory, 'live', 'libs'), { recursive: true });
  writeFileSync(join(directory, 'live', 'libs', 'half.lib'), 'half = 0.5;\n');
  writeFileSync(
    join(directory, 'live', 'host.yaml'),
    'http: { port: 0 }\npatch: x.dsp\nfaust: { libraries: [libs] }\n',
  );
  save(learner());
});

const until = (what: () => Promise<boolean>): Promise<unknown> =>
  vi.waitUntil(what, { timeout: 20_000, interval: 50 });

const valueOf = async ({ client }: Running, id: string): Promise<number> =>
  (await client.params.get({ id })).value;

test('saving a file plays it: values and what was learned go on, errors are told and go', async () => {
  const daemon = await start();
  const { client } = daemon;
  const changes: Change[] = [];
  client.on('change', (change) => changes.push(change));
  const plays = async (code: string): Promise<boolean> =>
    (await client.patch.get()).faust?.code === code;
  expect(await client.status.get()).toMatchObject({
    patch: 'x',
    source: { diagnostics: [] },
    training: { running: true },
  });
  await until(async () => Math.abs((await valueOf(daemon, 'gain')) - 0.3) < 0.002);
  const { step } = await client.training.get();
  const { program } = await client.status.get();

  // A slider more, in a burst of saves: one compilation.
  const more = learner(' : _, *(hslider("loudness", 1, 0, 1, 0.01))');
  save(more.slice(0, 60));
  save(more);
  save(more);
  await until(() => plays(more));
  expect((await client.status.get()).program).toBe(program + 1);
  expect(Math.abs((await valueOf(daemon, 'gain')) - 0.3)).toBeLessThan(0.01);
  expect((await client.training.get()).step).toBeGreaterThanOrEqual(step);

  // An error: what played goes on, everyone is told where it is.
  const wrong = more.replace('process = _', 'process = os.osk(1)');
  save(wrong);
  await until(async () => (await client.status.get()).source.diagnostics.length > 0);
  expect((await client.status.get()).source).toMatchObject({
    file: expect.stringMatching(/x\.dsp$/) as string,
    diagnostics: [{ code: 'FAUST_SYNTAX', line: 4 }],
  });
  expect(await plays(more)).toBe(true);
  expect(daemon.log()).toMatch(/x\.dsp:4: "os" is not defined/);
  save(more);
  await until(async () => (await client.status.get()).source.diagnostics.length === 0);
  const told = changes.flatMap((change) => (change.kind === 'source.changed' ? [change.data] : []));
  expect(told.map(({ diagnostics }) => diagnostics[0]?.line ?? null)).toEqual([4, null]);
  expect((await client.status.get()).program).toBe(program + 1);

  // A library that is imported counts; one that nobody imports changes nothing.
  await client.params.set({ id: 'hidden', value: 0.6 });
  writeFileSync(join(directory, 'live', 'libs', 'other.lib'), 'x = 1;\n');
  save(learner(' * half'));
  await until(() => plays(learner(' * half')));
  await until(async () => Math.abs((await valueOf(daemon, 'gain')) - 1.2) < 0.004);
  writeFileSync(join(directory, 'live', 'libs', 'half.lib'), 'half = 0.75;\n');
  await until(async () => Math.abs((await valueOf(daemon, 'gain')) - 0.8) < 0.004);
  expect((await client.status.get()).program).toBe(program + 3);

  // Somebody plays something else: the file is let be.
  await client.patch.set('process = _ * hslider("level", 1, 0, 2, 0.1);');
  expect((await client.status.get()).source).toEqual({ file: null, diagnostics: [] });
  save(learner(' * 1'));
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect((await client.status.get()).patch).toBe('faust');
});

test('a restart goes on with source, lesson and values, also when the file was edited meanwhile', async () => {
  save(learner().replace('[learn:1]', ''));
  const first = await start();
  expect((await first.client.training.get()).settings).toBeNull();
  await first.client.params.update({
    learn: { gain: true },
    training: { loss: 'mae', schedule: { kind: 'constant', rate: 0.001 } },
  });
  await first.client.params.set({ id: 'hidden', value: 0.5 });
  await until(async () => Math.abs((await valueOf(first, 'gain')) - 0.5) < 0.01);
  await first.client.training.stop();
  const learned = await valueOf(first, 'gain');
  await first.end();

  const second = await start();
  expect(await second.client.patch.get()).toMatchObject({
    faust: { learn: { gain: 'linear' } },
    training: { loss: 'mae', schedule: { rate: 0.001 } },
  });
  expect(await valueOf(second, 'gain')).toBeCloseTo(learned, 6);
  expect(await valueOf(second, 'hidden')).toBe(0.5);
  await second.end();

  const edited = `${learner().replace('[learn:1]', '')}// edited\nextra = 1;\n`;
  save(edited.replace('*(hidden)', '*(hidden * hslider("extra", 1, 0, 1, 0.1))'));
  const third = await start();
  expect(await third.client.patch.get()).toMatchObject({
    faust: { learn: { gain: 'linear' } },
    sliders: { extra: {} },
    training: { loss: 'mae' },
  });
  expect(await valueOf(third, 'gain')).toBeCloseTo(learned, 6);
  expect(await valueOf(third, 'hidden')).toBe(0.5);
  const saved = readFileSync(join(directory, '.livegrad', 'session.json'), 'utf8');
  expect(saved).not.toContain('"form":');
});

test('a faulty file is no start, and says where it is wrong', async () => {
  save('import("stdfaust.lib");\nprocess = os.osk(440);\n');
  await expect(start()).rejects.toThrow(/x\.dsp:2: FAUST_SYNTAX/);
});
