/** The dashboard in Chromium against a real daemon on the virtual rig, where Chromium is here. */

import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium, type Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildDashboard, knownDashboard } from '../../server/launch/dashboard.mjs';
import { BUILD } from '../../server/launch/paths.mjs';
import { startDaemon, type Daemon } from '../support/daemon.ts';
import { describeWith } from '../support/packages.ts';

const PICTURES = join(BUILD, 'test', 'dashboard');

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

  it('weighs less than 150 kB', () => {
    const folder = join(BUILD, 'dashboard');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    const code = files.filter((name) => /\.(html|js|css)$/u.test(name));
    const bytes = code.map((name) => gzipSync(readFileSync(join(folder, name))).length);
    expect(code.length).toBeGreaterThan(2);
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(150_000);
  });

  it('shows learning, keeps two pages in step, and tells of a killed engine', async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const foreign: string[] = [];
    context.on('request', (request) => {
      if (!request.url().startsWith(daemon.address)) foreign.push(request.url());
    });
    const page = await context.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(daemon.address);
    await page.getByRole('heading', { name: /^Learning 1 parameter/u }).waitFor();
    await page.screenshot({ path: join(PICTURES, 'learn.png') });

    const other = await browser.newPage({
      viewport: { width: 390, height: 800 },
      colorScheme: 'dark',
    });
    await other.goto(daemon.address);
    for (const one of [page, other]) await one.getByRole('button', { name: 'Mixer' }).click();
    const sliders = [page, other].map((one) => one.getByRole('slider').first());
    await sliders[0]!.press('End');
    const end = await sliders[0]!.getAttribute('aria-valuemax');
    await expect.poll(() => sliders[1]!.getAttribute('aria-valuenow')).toBe(end);
    await other.screenshot({ path: join(PICTURES, 'mixer-phone.png') });

    const { engine } = (await daemon.request('GET', '/status')) as { engine: { pid: number } };
    const stale = page.locator('.page.stale').waitFor();
    process.kill(engine.pid, 'SIGKILL');
    await stale;
    await page.locator('.page:not(.stale)').waitFor();
    expect(errors).toEqual([]);
    expect(foreign.filter((url) => !/^(data|ws):/u.test(url))).toEqual([]);
  });
});
