/** Programs in Faust (`.dsp`) wherever a command takes a patch. */

import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { startDaemon } from '../../support/daemon.ts';
import type { Daemon } from '../../support/daemon.ts';
import { environment, livegrad, livegradJson, MAIN, textFile } from './run.ts';
import type { ErrorDocument } from './run.ts';

/** A low-pass that learns where another one has its cutoff. */
const LOW_PASS = `import("stdfaust.lib");
cutoff = hslider("cutoff[unit:Hz][scale:log][learn:1]", 1000, 50, 12000, 1);
hidden = hslider("hidden[unit:Hz][scale:log]", 3000, 50, 12000, 1);
process = _ <: fi.lowpass(2, hidden), fi.lowpass(2, cutoff);
`;
const WRONG = LOW_PASS.replace('lowpass(2, cutoff)', 'lowpas(2, cutoff)');

describe('check', () => {
  it('says what a program is, called like its file', async () => {
    const file = textFile('low pass.dsp', LOW_PASS);
    const { exit, document } = await livegradJson('check', file);
    expect({ exit, document }).toMatchObject({
      exit: 0,
      document: { patch: 'low-pass', ok: true, sliders: ['hidden'], params: ['cutoff'] },
    });
    expect((await livegrad(['check', file])).stdout).toContain(': out2 is to become out1 (mse)\n');
  });

  it('says that nothing is compared where there is something to learn', async () => {
    const three = LOW_PASS.replace('process = _ <:', 'process = _ <: _,');
    const { stdout } = await livegrad(['check', textFile('three.dsp', three)]);
    expect(stdout).toContain('1 sliders, 1 learnable, no training: nothing says what');
  });

  it('shows the line that is wrong', async () => {
    const file = textFile('wrong.dsp', WRONG);
    const { exit, stderr } = await livegrad(['check', file]);
    expect(exit).toBe(1);
    expect(stderr).toMatch(`error ${file}:4: FAUST_SYNTAX  "fi.lowpas" is not defined\n`);
    expect(stderr).toContain(
      '\n     4 | process = _ <: fi.lowpass(2, hidden), fi.lowpas(2, cutoff);',
    );
    const { document } = await livegradJson<ErrorDocument>('check', file);
    expect(document.error.diagnostics).toMatchObject([
      { code: 'FAUST_SYNTAX', path: '', line: 4, file, excerpt: WRONG.split('\n')[3] },
    ]);
  });

  it('takes a document with a program, and points at both', async () => {
    const document = { format: 'livegrad.patch/1', name: 'doc', faust: { code: LOW_PASS } };
    const right = textFile('right.json', JSON.stringify(document));
    expect((await livegradJson('check', right)).document).toMatchObject({ patch: 'doc' });
    const wrong = textFile('wrong.json', JSON.stringify({ ...document, faust: { code: WRONG } }));
    const { stderr } = await livegrad(['check', wrong]);
    expect(stderr).toMatch(/wrong\.json:1:\d+: FAUST_SYNTAX .*\(line 4 of the program\)/);
  });

  it('imports from the folder of the file, and from those that are named', async () => {
    const file = textFile(
      'main.dsp',
      'import("own.lib"); import("other.lib"); process = own, other;',
    );
    const folder = dirname(file);
    mkdirSync(join(folder, 'more'));
    writeFileSync(join(folder, 'own.lib'), 'own = _;');
    writeFileSync(join(folder, 'more', 'other.lib'), 'other = _;');
    const alone = await livegradJson<ErrorDocument>('check', file);
    expect(alone.document.error.diagnostics[0]).toMatchObject({ code: 'FAUST_LIBRARY' });
    const named = await livegradJson('check', file, '--faust-libraries', join(folder, 'more'));
    expect(named.document).toMatchObject({ inputs: 2, outputs: 2 });
    const { exit } = await livegrad(['check', file], {
      LIVEGRAD_FAUST_LIBRARIES: join(folder, 'more'),
    });
    expect(exit).toBe(0);
  });
});

it('compile prints the normal form, and every other stage', async () => {
  const file = textFile('low.dsp', LOW_PASS);
  const form = await livegradJson<{ print: { text: string } }>('compile', file, '--print', 'faust');
  expect(form.document.print.text).toMatch(/^ID_0 = float\(fSamplingFreq\);$/m);
  expect(form.document.print.text).toMatch(/^SIG = \(.*\);$/m);
  // Constants, too, are those of the precision.
  const double = await livegradJson<{ print: { text: string } }>(
    'compile',
    file,
    '--print',
    'faust',
    '--precision',
    'double',
  );
  expect(form.document.print.text).toMatch(/\b3\.1415927\b/);
  expect(double.document.print.text).toMatch(/\b3\.14159265358979/);
  for (const stage of ['ir', 'wat']) {
    expect((await livegradJson('compile', file, '--print', stage)).exit).toBe(0);
  }
  const nodes = await livegradJson<ErrorDocument>('compile', 'gain', '--print', 'faust');
  expect(nodes.document.error.code).toBe('CLI_NOT_FAUST');
});

it('train learns a program offline, and gradcheck agrees with its gradients', async () => {
  const file = textFile('low.dsp', LOW_PASS);
  const { exit, document } = await livegradJson<{
    params: Record<string, { value: number }>;
  }>('train', file, '--seconds', '2');
  expect(exit).toBe(0);
  expect(Math.abs(document.params['cutoff']!.value / 3000 - 1)).toBeLessThan(0.001);
  expect((await livegradJson('gradcheck', file)).exit).toBe(0);
});

it('train says what a program lacks', async () => {
  const lacks = async (code: string): Promise<string> =>
    (await livegrad(['train', textFile('still.dsp', code)])).stderr;
  expect(await lacks(LOW_PASS.replace('[learn:1]', ''))).toContain(
    'as in hslider("cutoff[learn:1]"',
  );
  const three = LOW_PASS.replace('process = _ <:', 'process = _ <: _,');
  expect(await lacks(three)).toContain('declare livegrad "[estimate:out 1]');
});

it('status names the file that a host follows, and what is wrong with it', async () => {
  const file = textFile('followed.dsp', LOW_PASS);
  const daemon = await startDaemon({ LIVEGRAD_PATCH: file });
  const status = async (): Promise<string> =>
    (await livegrad(['status', '--url', daemon.address])).stdout;
  try {
    // By its name: a client need not know the folders of the host.
    expect(await status()).toContain('followed.dsp, played at every save');
    writeFileSync(file, WRONG);
    await vi.waitUntil(() => daemon.log().includes('fi.lowpas'), { timeout: 20_000 });
    expect(await status()).toContain('followed.dsp:4 does not play as it was saved: "fi.lowpas"');
  } finally {
    await daemon.stop();
  }
});

describe('load', () => {
  let daemon: Daemon;
  beforeAll(async () => {
    daemon = await startDaemon();
  });
  afterAll(async () => {
    await daemon.stop();
  });

  const source = async (): Promise<string | undefined> =>
    ((await daemon.request('GET', '/patch')) as Patch).faust?.code;

  it('plays a program on a host, or tells the line that the host refuses', async () => {
    const file = textFile('low.dsp', LOW_PASS);
    const { stdout } = await livegrad(['load', file, '--url', daemon.address]);
    expect(stdout).toBe('playing low: 1 in, 2 out\n');
    expect(await source()).toBe(LOW_PASS);
    const wrong = textFile('low.dsp', WRONG);
    const { exit, stderr } = await livegrad(['load', wrong, '--url', daemon.address]);
    expect(exit).toBe(1);
    expect(stderr).toMatch(/low\.dsp:4: FAUST_SYNTAX .*\n +4 \| process = /);
    expect(await source()).toBe(LOW_PASS);
  });

  it('says of a library beside the file that the host does not look there', async () => {
    const file = textFile('main.dsp', 'import("beside.lib"); process = beside;');
    writeFileSync(join(dirname(file), 'beside.lib'), 'beside = _;');
    const { stderr } = await livegrad(['load', file, '--url', daemon.address]);
    expect(stderr).toContain('main.dsp:1: FAUST_LIBRARY  "beside.lib" is not there to import');
    expect(stderr).toContain(`--faust-libraries ${dirname(file)}`);
  });

  it('plays a file again when it is saved, and ends with Ctrl-C', async () => {
    const file = textFile('live.dsp', LOW_PASS);
    const child = spawn(
      process.execPath,
      [MAIN, 'load', file, '--watch', '--url', daemon.address],
      { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (data: Buffer) => (said.stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (said.stderr += data.toString()));
    const ended = new Promise((resolve) => child.once('close', resolve));
    const until = (holds: () => boolean): Promise<unknown> =>
      vi.waitUntil(holds, { timeout: 20_000, interval: 50 });
    try {
      await until(() => said.stdout.includes('playing live'));
      writeFileSync(file, WRONG);
      await until(() => said.stderr.includes('fi.lowpas'));
      expect(said.stderr).toMatch(/^\d\d:\d\d:\d\d {2}error .*live\.dsp:4: FAUST_SYNTAX/);
      const longer = LOW_PASS.replaceAll('lowpass(2', 'lowpass(4');
      writeFileSync(file, longer);
      await until(() => said.stdout.split('\n').length === 3);
      expect(await source()).toBe(longer);
    } finally {
      child.kill('SIGINT');
    }
    expect(await ended).toBe(0);
  });

  it('watches files alone, and prints no document meanwhile', async () => {
    for (const args of [['gain'], ['x.dsp', '--json']]) {
      const { exit } = await livegrad(['load', '--watch', ...args, '--url', daemon.address]);
      expect(exit).toBe(2);
    }
  });
});
