/**
 * The dashboard in Chromium against a real daemon on the virtual rig, where Chromium is here. Pictures
 * of every view are left in .build/test/dashboard; with UPDATE_PICTURES=1 those of the README are
 * made anew from them.
 */

import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { COALESCING } from '../../server/api/edits.ts';
import type { Frame } from '../../server/api/frame.ts';
import type { SignalList } from '../../server/api/signals.ts';
import { addToken } from '../../server/control/tokens.ts';
import { buildDashboard, knownDashboard } from '../../server/launch/dashboard.mjs';
import { BUILD, ROOT } from '../../server/launch/paths.mjs';
import { coloured, feed, saved } from '../support/browser.ts';
import { startDaemon, type Daemon } from '../support/daemon.ts';
import { describeWith } from '../support/packages.ts';

const PICTURES = join(BUILD, 'test', 'dashboard');
/** In READMEs. */
const SHOWN = new Map([
  ['learn', 'learn.png'],
  ['signal-desktop', 'signal.png'],
  ['history', 'history.png'],
]);
const DESKTOP = { viewport: { width: 1440, height: 900 } } as const;
const PHONE = {
  viewport: { width: 390, height: 844 },
  colorScheme: 'dark',
  hasTouch: true,
} as const;
const VIEWS = ['learn', 'schedule', 'mixer', 'signal', 'patch', 'device', 'history'] as const;
type View = (typeof VIEWS)[number];

describeWith(['chromium'], 'the dashboard', () => {
  let daemon: Daemon;
  let browser: Browser;
  beforeAll(async () => {
    expect(knownDashboard() ?? buildDashboard(process.execPath)).toEqual({ ok: true });
    mkdirSync(PICTURES, { recursive: true });
    daemon = await startDaemon();
    browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox'],
    });
  });
  afterAll(async () => {
    await browser?.close();
    await daemon?.stop();
  });

  /** What went wrong in any page of a test. */
  const wrong: string[] = [];
  const pages: Page[] = [];
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.context().close();
    expect(wrong.splice(0)).toEqual([]);
  });

  async function open(
    view: View,
    options: BrowserContextOptions = DESKTOP,
    prepare: (page: Page) => Promise<unknown> = async () => {},
  ): Promise<Page> {
    const page = await (await browser.newContext(options)).newPage();
    pages.push(page);
    page.on('pageerror', ({ message }) => wrong.push(message));
    page.on('console', (line) => {
      // What the policy of the page forbids is said here.
      if (line.type() === 'error' && /policy/iu.test(line.text())) wrong.push(line.text());
    });
    page.on('request', (request) => {
      const isOwn =
        request.url().startsWith(daemon.address) || /^(data|blob):/u.test(request.url());
      if (!isOwn) wrong.push(`asked for ${request.url()}`);
    });
    page.setDefaultTimeout(15_000);
    await prepare(page);
    await page.goto(`${daemon.address}/#${view}`);
    await page.getByText('Live · ').waitFor();
    return page;
  }

  const shoot = async (page: Page, name: string): Promise<void> => {
    const path = join(PICTURES, `${name}.png`);
    await page.screenshot({ path });
    const shown = SHOWN.get(name);
    if (process.env['UPDATE_PICTURES'] === '1' && shown !== undefined) {
      copyFileSync(path, join(ROOT, 'clients', 'dashboard', shown));
    }
  };
  const play = (example: string) => daemon.request('PUT', '/patch', { example });
  const valueOf = async (id: string): Promise<number> =>
    ((await daemon.request('GET', `/params/${id}`)) as { value: number }).value;
  const shown = async (page: Page, name: string): Promise<number> =>
    Number(await page.getByRole('slider', { name, exact: true }).getAttribute('aria-valuenow'));

  it('weighs less than 150 kB, and what is shown first less than 60', () => {
    const folder = join(BUILD, 'dashboard');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    const code = files.filter((name) => /\.(html|js|css)$/u.test(name));
    const sizes = code.map((name) => gzipSync(readFileSync(join(folder, name))).length);
    const page = readFileSync(join(folder, 'index.html'), 'utf8');
    const first = sizes.filter((_, k) => {
      const name = code[k]!;
      return name === 'index.html' || page.includes(name);
    });
    const sum = (of: readonly number[]): number => of.reduce((all, size) => all + size, 0);
    expect(first.length).toBeGreaterThan(2);
    expect(sum(first)).toBeLessThan(60_000);
    expect(sum(sizes)).toBeLessThan(150_000);
  });

  it('says in plain words what is learned, and draws it', async () => {
    await play('one-pole');
    const page = await open('learn');
    await page
      .getByRole('heading', { name: /^Learning 1 parameter .*: loss .*; \d+ s/u })
      .waitFor();
    for (const name of ['--accent', '--second'] as const) {
      await expect.poll(() => coloured(page, name), { timeout: 5000 }).toBeGreaterThan(20);
    }
    await expect.poll(() => shown(page, 'feedback')).toBeCloseTo(0.5, 1);
    await shoot(page, 'learn');

    expect(await saved(page, 'Save CSV')).toMatch(/^seconds,loss,learning rate\n[\d.]+,/u);
    expect(await saved(page, 'Save PNG')).toMatch(/^.PNG/u);

    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('heading', { name: /^Not learning/u }).waitFor();
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.getByRole('heading', { name: /^Learning/u }).waitFor();
  });

  it('what was learned is taken back by one button', async () => {
    await play('gain-dc');
    const page = await open('learn');
    await expect.poll(() => valueOf('gain')).toBeCloseTo(0.6, 2);
    await page.getByRole('button', { name: 'Roll back' }).click();
    await page.getByRole('heading', { name: /^Not learning/u }).waitFor();
    await expect.poll(() => Promise.all(['gain', 'dc'].map(valueOf))).toEqual([1, 0]);
    await expect.poll(() => shown(page, 'gain')).toBe(1);
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.getByRole('heading', { name: /^Learning/u }).waitFor();
  });

  it('a fader is dragged, turned by the wheel, typed into, and goes back to its default', async () => {
    await play('gain');
    const page = await open('mixer');
    const other = await open('mixer', PHONE);
    const fader = page.getByRole('slider', { name: 'gain', exact: true });
    const box = (await fader.boundingBox())!;
    const at = (place: number): readonly [number, number] => [
      box.x + place * box.width,
      box.y + box.height / 2,
    ];
    await page.mouse.move(...at(0.2));
    await page.mouse.down();
    await page.mouse.move(...at(0.5));
    await page.mouse.move(...at(0.75), { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => valueOf('hidden/gain')).toBeCloseTo(1.5, 1);
    await expect.poll(() => shown(other, 'gain')).toBe(await valueOf('hidden/gain'));

    const before = await valueOf('hidden/gain');
    await page.mouse.move(...at(0.5));
    await page.mouse.wheel(0, -100);
    await expect.poll(() => valueOf('hidden/gain')).toBeGreaterThan(before);
    await fader.press('Home');
    await expect.poll(() => valueOf('hidden/gain')).toBe(0);
    await fader.press('PageUp');
    await expect.poll(() => valueOf('hidden/gain')).toBeCloseTo(0.2);
    const entry = page.getByRole('textbox', { name: 'gain, value' });
    await entry.fill('1,25');
    await entry.press('Enter');
    await expect.poll(() => valueOf('hidden/gain')).toBe(1.25);
    await fader.dblclick({ position: { x: 10, y: 10 } });
    await expect.poll(() => shown(page, 'gain')).toBeCloseTo(0.3, 3);

    const track = (await other.getByRole('slider', { name: 'gain', exact: true }).boundingBox())!;
    await other.touchscreen.tap(track.x + track.width / 2, track.y + track.height / 2);
    await expect.poll(() => valueOf('hidden/gain')).toBeCloseTo(1, 1);
    await expect.poll(() => shown(page, 'gain')).toBe(await valueOf('hidden/gain'));
    await shoot(page, 'mixer');
    await shoot(other, 'mixer-phone');
  });

  it('a knob is drawn up, finely with shift, and goes back to its default', async () => {
    await daemon.request('PUT', '/patch', {
      format: 'livegrad.patch/1',
      name: 'knob',
      sliders: { cut: { initial: 0.25, min: 0, max: 1 } },
      nodes: { x: { op: 'input', channel: 1 }, y: { op: 'mul', in: ['x', 'cut'] } },
      outputs: ['y'],
      ui: [{ control: 'cut', label: 'Cut', style: 'knob' }],
    });
    const page = await open('mixer');
    const knob = page.getByRole('slider', { name: 'Cut', exact: true });
    const box = (await knob.boundingBox())!;
    expect(Math.abs(box.width - box.height)).toBeLessThan(1);
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x, y - 100, { steps: 5 });
    await expect.poll(() => valueOf('cut')).toBeCloseTo(0.75, 2);
    await page.mouse.up();
    await page.keyboard.down('Shift');
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x, y + 100, { steps: 5 });
    await page.mouse.up();
    await page.keyboard.up('Shift');
    await expect.poll(() => valueOf('cut')).toBeCloseTo(0.7, 2);
    await shoot(page, 'mixer-knob');
    await knob.dblclick();
    await expect.poll(() => valueOf('cut')).toBe(0.25);
  });

  it('a patch is broken, said to be so at its line, mended and played', async () => {
    await play('gain');
    const page = await open('patch');
    const text = page.getByRole('textbox', { name: 'Patch', exact: true });
    const type = async (program: string): Promise<void> => {
      await text.focus();
      await page.keyboard.press('Control+a');
      await page.keyboard.insertText(program);
    };
    await type('{\n  "format": "livegrad.patch/1",\n  "name": "gain"\n  "nodes": {}\n}');
    await page.getByRole('button', { name: /^line 4 Not JSON/u }).waitFor();
    await type('gain = hslider("gain", 1, 0, 2, 0.01);\nprocess = *(gian);\n');
    await page.getByRole('button', { name: /^line 2 .*gian/u }).waitFor();
    expect(await page.getByRole('button', { name: 'Play', exact: true }).isDisabled()).toBe(true);
    await shoot(page, 'patch-faulty');
    await type('declare name "mended";\nprocess = *(hslider("gain", 0.5, 0, 2, 0.01));\n');
    await page.getByRole('heading', { name: 'What it would become' }).waitFor();
    await text.press('Control+s');
    await page.getByText('Plays as it stands here').waitFor();
    expect(await daemon.request('GET', '/status')).toMatchObject({ patch: 'mended' });
    await shoot(page, 'patch');

    // Another client's patch is taken up, but not over one's own edits.
    await play('gain-dc');
    await expect.poll(() => text.textContent()).toContain('"gain-dc"');
    await type('process = _;');
    await play('gain');
    await page.getByText('Another patch plays by now').waitFor();
    expect(await text.textContent()).toBe('process = _;');
  });

  it('a patch is drawn, moved about, kept under a name and played from there', async () => {
    await play('one-pole');
    const page = await open('patch');
    const drawing = page.getByRole('application', { name: /^Drawing of the patch/u });
    await drawing.locator('.box', { hasText: 'feedback' }).first().waitFor();
    expect(await drawing.locator('.wire.back').count()).toBeGreaterThan(0);
    const view = (): Promise<string | null> => drawing.locator('svg').getAttribute('viewBox');
    const views = [await view()];
    await drawing.focus();
    for (const key of ['ArrowRight', '+', '0']) {
      await page.keyboard.press(key);
      await expect.poll(async () => views.includes(await view())).toBe(key === '0');
      views.push(await view());
    }
    const box = (await drawing.boundingBox())!;
    await page.mouse.move(box.x + 10, box.y + 10);
    await page.mouse.down();
    await page.mouse.move(box.x + 60, box.y + 40, { steps: 3 });
    await page.mouse.up();
    await expect.poll(async () => views.includes(await view())).toBe(false);
    await drawing.locator('.box', { hasText: 'estimate' }).first().click();
    await expect.poll(() => drawing.locator('.wire.near').count()).toBeGreaterThan(0);
    expect(await page.evaluate('document.activeElement.className')).toContain('code');

    await page.getByRole('textbox', { name: 'Name in the library' }).fill('night filter');
    await page.getByRole('button', { name: 'Keep', exact: true }).click();
    await page.getByRole('button', { name: /^night filter/u }).waitFor();
    await play('gain');
    await page.getByRole('button', { name: /^night filter/u }).click();
    await expect.poll(() => daemon.request('GET', '/status')).toMatchObject({ patch: 'one-pole' });
    await page.getByRole('button', { name: 'Delete night filter' }).click();
    await page.getByRole('button', { name: 'Really delete night filter' }).click();
    await expect.poll(() => daemon.request('GET', '/library')).toEqual({ patches: [] });
  });

  it('a schedule is shaped by its points, and goes over while it runs', async () => {
    await play('gain-scheduler');
    const page = await open('schedule');
    await page.getByText(/^In use: Exponential, rate .*, [\d,]+ steps since/u).waitFor();
    await page.getByRole('combobox', { name: 'Kind' }).selectOption('Straight line');
    const end = page.getByRole('button', { name: /^End: step/u });
    const box = (await end.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x - 200, box.y - 40, { steps: 5 });
    await page.mouse.up();
    await end.press('ArrowUp');
    const label = (await end.getAttribute('aria-label'))!;
    await shoot(page, 'schedule-shaped');
    await page.getByRole('button', { name: 'Use it from now on' }).click();
    await page.getByText(/^In use: Straight line/u).waitFor();
    const { schedule } = (await daemon.request('GET', '/schedule')) as {
      schedule: { kind: string; steps: number; start: number; glide?: object };
    };
    expect(schedule).toMatchObject({ kind: 'linear', glide: {} });
    expect(label).toContain(`step ${schedule.steps},`);
    expect(schedule.start).toBeGreaterThan(0);
  });

  it('the device is opened with another block, and does as the engine says', async () => {
    await play('gain');
    const page = await open('device');
    await page.getByRole('combobox', { name: 'Block, frames' }).selectOption('512');
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    await page.getByText('48000 Hz, 512 frames').waitFor();
    expect(await daemon.request('GET', '/status')).toMatchObject({ engine: { blockSize: 512 } });

    await page.getByRole('textbox', { name: 'Outputs of the program play on' }).fill('2, 1');
    await page.keyboard.press('Enter');
    const engine = async (): Promise<unknown> =>
      ((await daemon.request('GET', '/status')) as { engine: unknown }).engine;
    await expect.poll(engine).toMatchObject({ outputMap: [2, 1] });
    // The page asks for everything anew before it writes the channels again.
    await page.waitForTimeout(1000);
    await page.getByRole('textbox', { name: 'Outputs of the program play on' }).fill('');
    await page.keyboard.press('Enter');
    await expect.poll(engine).toMatchObject({ outputMap: [] });
    const muted = page.getByRole('button', { name: 'Unmute', exact: true });
    if (await muted.isVisible()) await muted.click();
    await page.getByRole('combobox', { name: 'Output', exact: true }).last().selectOption('2');
    await page.getByRole('button', { name: 'Play it' }).click();
    await page.getByRole('button', { name: 'Playing …' }).waitFor();
    await page.getByRole('button', { name: 'Play it' }).waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
    expect(await saved(page, 'Save CSV: load')).toMatch(/^seconds,load percent\n/u);
    expect(await saved(page, 'Save PNG: load-histogram')).toMatch(/^.PNG/u);
  });

  it('values are kept, gone over to, and a step is undone for all', async () => {
    await play('gain');
    const page = await open('mixer');
    const other = await open('mixer', PHONE);
    await daemon.request('PUT', '/params/hidden/gain', { value: 1.5 });
    await page.getByRole('textbox', { name: 'Name of a snapshot' }).fill('loud');
    await page.getByRole('button', { name: 'Keep', exact: true }).click();
    // Within a second it would be one step with what was set before.
    await page.waitForTimeout(COALESCING + 100);
    await page.getByRole('slider', { name: 'gain', exact: true }).press('Home');
    await expect.poll(() => valueOf('hidden/gain')).toBe(0);
    await other.getByRole('button', { name: /^Undo: .*gain/u }).click();
    await expect.poll(() => valueOf('hidden/gain')).toBe(1.5);
    await other
      .getByRole('status')
      .getByText(/^Undone: .*gain/u)
      .waitFor();
    await page.keyboard.press('Control+Shift+z');
    await expect.poll(() => valueOf('hidden/gain')).toBe(0);
    await other.getByRole('textbox', { name: /^Morph in/u }).fill('0.3');
    await other.getByRole('button', { name: 'Morph to loud' }).click();
    await expect.poll(() => shown(page, 'gain')).toBe(1.5);
    await shoot(page, 'snapshots');
    await page.getByRole('button', { name: 'Delete loud' }).click();
    await page.getByRole('button', { name: 'Really delete loud' }).click();
    await expect.poll(() => other.getByRole('button', { name: 'Load loud' }).count()).toBe(0);
  });

  it('runs are drawn over each other, compared, saved and deleted', async () => {
    // From the start: a version of what plays would go on where that is.
    await play('gain');
    await play('one-pole');
    const page = await open('history');
    const points = async (): Promise<number> => {
      const answer = await daemon.request('GET', '/history');
      return (answer as { runs: { points: number }[] }).runs[0]?.points ?? 0;
    };
    await expect.poll(points, { timeout: 10_000 }).toBeGreaterThan(10);
    // Slower, so that one curve does not cover the other.
    await daemon.request('PUT', '/params/feedback', { rate: 0.2 });
    await daemon.request('POST', '/training/reset');
    await page.getByText('Loss of 2 runs, over seconds').waitFor({ timeout: 20_000 });
    for (const k of [0, 1] as const) {
      await expect.poll(() => coloured(page, `--c${k}`), { timeout: 10_000 }).toBeGreaterThan(20);
    }
    expect(await page.getByRole('row', { name: /^Final loss/u }).count()).toBe(1);
    expect(await page.getByRole('row', { name: /^feedback/u }).count()).toBe(1);
    await page.getByRole('application').focus();
    await page.keyboard.press('ArrowRight');
    await page.locator('.reading .at').waitFor();
    expect(await saved(page, 'Save CSV: history-loss')).toMatch(/^seconds,one-pole /u);
    expect(await saved(page, /^CSV of one-pole/u)).toMatch(/^at,step,loss,low,high,rate,feedback/u);
    expect(JSON.parse(await saved(page, /^JSON of one-pole/u))).toMatchObject({
      patch: 'one-pole',
    });
    await page.getByRole('combobox', { name: 'Curve of' }).selectOption('feedback');
    await page.getByText('feedback of 2 runs, over seconds').waitFor();
    await shoot(page, 'history');
    const all = page.getByRole('checkbox', { name: /^Draw/u });
    const count = await all.count();
    await page
      .getByRole('button', { name: /^Delete one-pole/u })
      .last()
      .click();
    await page.getByRole('button', { name: /^Really delete one-pole/u }).click();
    await expect.poll(() => all.count()).toBe(count - 1);
    await daemon.request('PUT', '/params/feedback', { rate: 1 });
  });

  it('a snapshot is heard against what plays, by the hand of either page', async () => {
    await play('gain');
    await daemon.request('POST', '/training/stop');
    await daemon.request('PUT', '/params/hidden/gain', { value: 1.6 });
    for (const [name, value] of [
      ['loud', 1.6],
      ['soft', 0.4],
    ] as const) {
      await daemon.request('PUT', '/params/hidden/gain', { value });
      await daemon.request('PUT', `/snapshots/${name}`, {});
    }
    const page = await open('history');
    const other = await open('history', PHONE);
    const way = page.getByRole('slider', { name: 'Between loud and soft' });
    await way.fill('0.5');
    await expect.poll(() => valueOf('hidden/gain')).toBeCloseTo(1, 2);
    await way.fill('0');
    await expect.poll(() => valueOf('hidden/gain')).toBe(1.6);

    await page.getByRole('combobox', { name: 'Against what plays' }).selectOption('snapshot,soft');
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.getByRole('button', { name: /^B soft/u, pressed: true }).waitFor();
    await expect.poll(() => valueOf('hidden/gain')).toBe(0.4);
    await other.getByRole('button', { name: /^A gain/u }).click();
    await page.getByRole('button', { name: /^A gain/u, pressed: true }).waitFor();
    await expect.poll(() => valueOf('hidden/gain')).toBe(1.6);
    await shoot(other, 'audition-phone');
    await shoot(page, 'audition');
    await page.getByRole('button', { name: 'Return to A' }).click();
    await other.getByRole('button', { name: 'Compare' }).waitFor();
    for (const name of ['loud', 'soft']) await daemon.request('DELETE', `/snapshots/${name}`);
    await daemon.request('POST', '/training/start');
  });

  it('signals are drawn where they are, frozen, measured and saved', async () => {
    await play('iir');
    const { signals, program } = (await daemon.request('GET', '/signals')) as SignalList;
    const ids = signals.map(({ id }) => id);
    expect(ids.slice(0, 3)).toEqual(['target', 'estimate', 'error']);
    const [points, period, bins] = [1024, 256, 513];
    let moved = 0;
    const wave = (gain: number): number[] =>
      Array.from(
        { length: points },
        (_, k) => gain * Math.sin((2 * Math.PI * (k + moved)) / period),
      );
    const frame = (topic: Frame['topic'], head: readonly number[], rows: readonly number[][]) => ({
      topic,
      learning: true,
      fault: false,
      gap: false,
      sequence: 0,
      program,
      time: 0,
      step: 0,
      values: Float32Array.from([...head, ...rows.flat()]),
    });
    const count = signals.length;
    const page = await open('signal', DESKTOP, (fresh) =>
      feed(fresh, ['scope', 'spectrum'], () => {
        moved += 7;
        const waves = ids.map((_, k) => wave([1, 0.5, 0.1][k] ?? 0.01));
        const levels = ids.map((_, k) => Array.from({ length: bins }, () => -20 * (k + 1)));
        return [
          frame('scope', [count, points, 1], waves),
          frame('spectrum', [count, bins, 46.875], levels),
        ];
      }),
    );
    const [scope, spectrum] = ['[aria-label="Scope"]', '[aria-label="Spectrum"]'] as const;
    // The plots begin after their axes: 46 pixels from the left, 20 from
    // the right, 10 from above, 24 from below.
    const width = (await page.locator(`${scope} canvas`).boundingBox())!.width;
    const at = (share: number, level: number) => ({
      x: 46 + share * (width - 46 - 20),
      y: 10 + (1 - level) * (240 - 34),
      radius: 4,
    });
    // However far it has moved, it begins where the target rises: a quarter of a period later it is
    // at its top, three quarters later at its bottom.
    const quarter = period / 4 / (0.75 * points);
    for (const [name, gain] of [
      ['--c0', 1],
      ['--c1', 0.5],
      ['--c3', 0.1],
    ] as const) {
      for (const [place, sign] of [
        [1, 1],
        [3, -1],
        [5, 1],
      ] as const) {
        const spot = at(place * quarter, 0.5 + (sign * gain) / 2);
        await expect
          .poll(() => coloured(page, name, scope, spot), { message: name })
          .toBeGreaterThan(2);
      }
      expect(await coloured(page, name, scope, at(quarter, 0.25))).toBe(0);
    }
    for (const [k, name] of (['--c0', '--c1', '--c3'] as const).entries()) {
      const spot = at(0.5, (120 - 20 * (k + 1)) / 126);
      await expect
        .poll(() => coloured(page, name, spectrum, spot), { message: name })
        .toBeGreaterThan(2);
    }
    await page.getByRole('button', { name: /^Target/u }).click();
    await expect.poll(() => coloured(page, '--c0', scope)).toBe(0);
    await page.getByRole('button', { name: /^Target/u }).click();

    await page.getByRole('button', { name: 'Freeze' }).click();
    const area = page.getByRole('application', { name: /^Spectra/u });
    await area.focus();
    await page.keyboard.press('ArrowRight');
    await page.getByText(/^[\d.]+ Hz/u).waitFor();
    await page.getByText('−20.0 dB').waitFor();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Shift+ArrowRight');
    await page.getByText(/^[\d.]+ Hz, [\d.]+ semitones away/u).waitFor();
    const before = await saved(page, 'Save CSV: scope');
    await page.waitForTimeout(200);
    expect(await saved(page, 'Save CSV: scope')).toBe(before);
    expect(before).toMatch(/^ms,target,estimate,error,in1/u);
    expect(await saved(page, 'Save PNG: spectrum')).toMatch(/^.PNG/u);
    await shoot(page, 'signal-fed');
  });

  it('tells of a killed engine, shows nothing stale as live, and comes back', async () => {
    await play('gain');
    const page = await open('learn');
    const { engine } = (await daemon.request('GET', '/status')) as { engine: { pid: number } };
    const stale = page.locator('.page.stale').waitFor();
    process.kill(engine.pid, 'SIGKILL');
    await stale;
    await page.locator('.page:not(.stale)').waitFor();
    await page.getByRole('heading', { name: /^Learning/u }).waitFor();
  });

  it('asks for a token, keeps it out of the address, and says plainly what it may not', async () => {
    const state = mkdtempSync(join(tmpdir(), 'livegrad-tokens-'));
    const token = await addToken(state, 'wall', 'view');
    if (!token.ok) throw new Error('no token was made');
    const guarded = await startDaemon({ LIVEGRAD_STATE_DIR: state });
    try {
      const page = await (await browser.newContext(DESKTOP)).newPage();
      pages.push(page);
      page.setDefaultTimeout(15_000);
      await page.goto(`${guarded.address}/#mixer`);
      const entry = page.getByLabel('This host asks for a token');
      await entry.fill('lg_wrong');
      await Promise.all([page.waitForEvent('load'), entry.press('Enter')]);
      await entry.fill(token.value);
      await entry.press('Enter');
      await page.getByText(/^Live · .* · view only$/u).waitFor();
      expect(page.url()).toBe(`${guarded.address}/#mixer`);

      const fader = page.getByRole('slider', { name: 'gain', exact: true });
      const before = await fader.getAttribute('aria-valuenow');
      await fader.press('End');
      await page.getByRole('alert').getByText('Role too low').waitFor();
      await expect.poll(() => fader.getAttribute('aria-valuenow')).toBe(before);
      await page.getByRole('button', { name: 'Dismiss' }).click();
      expect(await page.getByRole('alert').count()).toBe(0);
    } finally {
      await guarded.stop();
      rmSync(state, { recursive: true, force: true });
    }
  });

  it('nothing moves by itself more than twice a second where reduced motion is asked for', async () => {
    await play('gain-scheduler');
    const drawings = async (reducedMotion: 'reduce' | 'no-preference'): Promise<number> => {
      const page = await open('learn', { ...DESKTOP, reducedMotion }, (fresh) =>
        fresh.addInitScript(`
          globalThis.cleared = 0;
          const { clearRect } = CanvasRenderingContext2D.prototype;
          CanvasRenderingContext2D.prototype.clearRect = function (...area) {
            globalThis.cleared++;
            return clearRect.apply(this, area);
          };
        `),
      );
      await page.waitForTimeout(500);
      const before = await page.evaluate<number>('cleared');
      await page.waitForTimeout(2000);
      return (await page.evaluate<number>('cleared')) - before;
    };
    expect(await drawings('reduce')).toBeLessThanOrEqual(5);
    expect(await drawings('no-preference')).toBeGreaterThan(10);
    // What a person moves follows at once.
    const page = await open('mixer', { ...DESKTOP, reducedMotion: 'reduce' });
    const fader = page.getByRole('slider').first();
    const before = await fader.getAttribute('aria-valuenow');
    await fader.press('PageUp');
    expect(await fader.getAttribute('aria-valuenow')).not.toBe(before);
  });

  it('nothing is pushed about while it is looked at', async () => {
    await play('compressor');
    for (const options of [DESKTOP, PHONE]) {
      for (const view of VIEWS) {
        const page = await open(view, options, (fresh) =>
          fresh.addInitScript(`
            globalThis.shifts = [];
            new PerformanceObserver((list) => {
              for (const entry of list.getEntries()) if (!entry.hadRecentInput) {
                shifts.push([entry.value, ...entry.sources.map(({ node }) =>
                  (node?.outerHTML ?? node?.textContent ?? '').slice(0, 120))]);
              }
            }).observe({ type: 'layout-shift', buffered: true });
          `),
        );
        await page.waitForTimeout(1500);
        const shifts = await page.evaluate<[number, ...string[]][]>('shifts');
        const sum = shifts.reduce((all, [value]) => all + value, 0);
        const told = JSON.stringify(shifts, null, 1);
        expect(sum, `${view} ${options.viewport.width}: ${told}`).toBeLessThan(0.1);
        await page.context().close();
      }
    }
  });

  it('every view is reached and worked by the keyboard alone', async () => {
    await play('compressor');
    const page = await open('learn');
    for (const view of VIEWS) {
      await page.getByRole('link', { name: view }).focus();
      await page.keyboard.press('Enter');
      await page.locator(`nav [aria-current][href="#${view}"]`).waitFor();
      await page.waitForTimeout(300);
      // Everything that can be pressed or moved is come to by Tab.
      const missed = await page.evaluate<string[]>(`(() => {
        const all = document.querySelectorAll(
          'main :is(a[href], button, input, select, [role=slider], [role=application])',
        );
        return [...all]
          .filter((one) => one.checkVisibility() && !one.disabled && one.tabIndex < 0)
          .map((one) => one.outerHTML.slice(0, 120));
      })()`);
      expect(missed, view).toEqual([]);
    }
    await page.getByRole('link', { name: 'Learn' }).press('Enter');
    const stop = page.getByRole('button', { name: 'Stop', exact: true });
    for (let k = 0; k < 40; k++) {
      if (await page.evaluate("document.activeElement?.textContent === 'Stop'")) break;
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Start', exact: true }).waitFor();
    await page.keyboard.press('Enter');
    await stop.waitFor();
  });

  it('every view is reachable, fits a phone, and axe finds nothing serious', async () => {
    await play('one-pole');
    const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
    const looks = {
      desktop: DESKTOP,
      'desktop-dark': { ...DESKTOP, colorScheme: 'dark' },
      phone: PHONE,
      'phone-light': { ...PHONE, colorScheme: 'light' },
    } as const;
    for (const [name, options] of Object.entries(looks)) {
      const page = await open('learn', options);
      await page.evaluate(axe);
      for (const view of VIEWS) {
        await page.getByRole('link', { name: view }).click();
        await page.waitForTimeout(300);
        const found = (await page.evaluate(
          `axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ id, impact, nodes }) =>
            ({ id, impact, where: nodes.map(({ html }) => html.slice(0, 160)) })))`,
        )) as readonly { impact: string }[];
        expect(
          found.filter(({ impact }) => /serious|critical/u.test(impact)),
          view,
        ).toEqual([]);
        const width = (await page.evaluate('document.documentElement.scrollWidth')) as number;
        expect(width, view).toBeLessThanOrEqual(options.viewport.width);
        await shoot(page, `${view}-${name}`);
      }
    }
  });
});
