/**
 * The dashboard on a real clocked full-duplex sound device, once: muted at first, unmuted and measured
 * from the page, seen to learn the attenuation of a box between what is played and what is heard, and
 * to come back after its engine died.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildDashboard, knownDashboard } from '../../server/launch/dashboard.mjs';
import { BUILD } from '../../server/launch/paths.mjs';
import { coloured } from '../support/browser.ts';
import { startDaemon, type Daemon } from '../support/daemon.ts';
import { Jack } from '../support/jack.ts';
import { describeWith } from '../support/packages.ts';
import { attenuationPatch } from '../support/supervised.ts';

const ATTENUATION = 0.37;
const PICTURES = join(BUILD, 'test', 'dashboard');
const NEEDED = ['jackd2', 'libportaudio2', 'ecasound', 'naudiodon', 'chromium'] as const;

describeWith(NEEDED, 'the dashboard of a host on a sound card', () => {
  let jack: Jack;
  let daemon: Daemon;
  let browser: Browser;
  let page: Page;
  const folder = mkdtempSync(join(tmpdir(), 'livegrad-e2e-'));

  beforeAll(async () => {
    expect(knownDashboard() ?? buildDashboard(process.execPath)).toEqual({ ok: true });
    mkdirSync(PICTURES, { recursive: true });
    const file = join(folder, 'box.json');
    writeFileSync(file, JSON.stringify(attenuationPatch(2, 1.3)));
    jack = await Jack.start({ period: 256 });
    const box = await jack.attenuator(ATTENUATION);
    daemon = await startDaemon({
      LIVEGRAD_AUDIO_BACKEND: 'portaudio',
      LIVEGRAD_AUDIO_INPUT: box,
      LIVEGRAD_AUDIO_OUTPUT: 'loopback',
      LIVEGRAD_AUDIO_BLOCK_SIZE: '256',
      LIVEGRAD_PATCH: file,
    });
    browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox'],
    });
    page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
    page.setDefaultTimeout(20_000);
    await page.goto(`${daemon.address}/#learn`);
  });

  afterAll(async () => {
    await browser?.close();
    await daemon?.stop();
    await jack?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const gain = async (): Promise<number> =>
    Number(
      await page.getByRole('slider', { name: 'gain', exact: true }).getAttribute('aria-valuenow'),
    );
  const learned = (): Promise<void> =>
    expect
      .poll(async () => Math.abs((await gain()) / ATTENUATION - 1), { timeout: 30_000 })
      .toBeLessThan(0.05);

  test('it waits while it is muted, is unmuted and measured, and is seen to learn', async () => {
    await page.getByRole('heading', { name: /^Waiting to learn/u }).waitFor();
    await page.getByRole('button', { name: 'Unmute', exact: true }).click();
    await page.getByRole('button', { name: 'Mute', exact: true }).waitFor();
    await page.getByRole('link', { name: 'Device' }).click();
    await expect
      .poll(
        async () => {
          await page.getByRole('button', { name: 'Measure it' }).click();
          return page.getByText(/frames, [\d.]+ ms, taken into account/u).isVisible();
        },
        { timeout: 40_000, interval: 4000 },
      )
      .toBe(true);
    await page.getByRole('link', { name: 'Learn' }).click();
    await page.getByRole('button', { name: 'Reset' }).click();
    // What came back too late may have tripped a guard before it was measured.
    const start = page.getByRole('button', { name: 'Start', exact: true });
    if (await start.isVisible()) await start.click();
    await page.getByRole('heading', { name: /^Learning 1 parameter/u }).waitFor();
    await learned();
    await page.screenshot({ path: join(PICTURES, 'loopback-learn.png') });
  });

  test('what is heard and what is expected are drawn, and in line', async () => {
    await page.getByRole('link', { name: 'Signal' }).click();
    for (const name of ['--c0', '--c1'] as const) {
      await expect
        .poll(() => coloured(page, name, '[aria-label="Scope"]'), { timeout: 15_000 })
        .toBeGreaterThan(20);
    }
    await page.getByText('Target and estimate are in line.').waitFor();
    await page.screenshot({ path: join(PICTURES, 'loopback-signal.png') });
  });

  test('a killed engine is told of, and comes back with what it had learned', async () => {
    await page.getByRole('link', { name: 'Learn' }).click();
    const { engine } = (await daemon.request('GET', '/status')) as { engine: { pid: number } };
    const stale = page.locator('.page.stale').waitFor();
    process.kill(engine.pid, 'SIGKILL');
    await stale;
    await page.locator('.page:not(.stale)').waitFor();
    await learned();
    await page.getByRole('link', { name: 'Device' }).click();
    await page
      .getByText(/^crashed: /u)
      .first()
      .waitFor();
  });
});
