/**
 * Auditions and snapshots of a learner with the real daemon: its engine plays, learns and is read out
 * between two blocks.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClient, type Client } from '../../clients/sdk/client.ts';
import type { Snapshot } from '../../server/api/snapshots.ts';
import { startDaemon, type Daemon } from '../support/daemon.ts';

let stateDir: string;
const clients: Client[] = [];
const daemons: Daemon[] = [];
beforeEach(() => (stateDir = mkdtempSync(join(tmpdir(), 'livegrad-'))));
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const daemon of daemons.splice(0)) await daemon.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

async function start() {
  const daemon = await startDaemon({
    LIVEGRAD_STATE_DIR: stateDir,
    LIVEGRAD_PATCH: 'lowpass',
  });
  daemons.push(daemon);
  const client = createClient({ url: daemon.address });
  clients.push(client);
  const values = async (): Promise<Record<string, number>> =>
    Object.fromEntries((await client.params.list()).params.map(({ id, value }) => [id, value]));
  const learned = async (steps: number): Promise<void> => {
    const isThere = async (): Promise<boolean> => (await client.training.get()).step > steps;
    await vi.waitUntil(isThere, { timeout: 20_000 });
  };
  /** Learning stops, and is kept under a name once that is what everyone is told. */
  const still = async (name: string): Promise<Snapshot> => {
    await client.training.stop();
    await client.snapshots.save({ name });
    const kept = await client.snapshots.get({ name });
    const wanted = { ...kept.sliders, ...kept.params };
    const isTold = async (): Promise<boolean> => isDeepStrictEqual(await values(), wanted);
    await vi.waitUntil(isTold, { timeout: 10_000 });
    return kept;
  };
  return { daemon, client, values, learned, still };
}

test('a learner is kept with its optimiser and goes on where it was, to the bit', async () => {
  const { client, values, learned, still } = await start();
  await learned(20);
  const kept = await still('half-way');
  expect((await client.snapshots.list()).snapshots).toMatchObject([{ learner: true }]);
  expect(Object.keys(kept.learner!.optimiser)).toContain('adam.mean#0');
  const { step } = kept;
  expect(step).toBeGreaterThan(20);
  const learnt = await values();
  await client.training.reset();
  expect(await values()).not.toEqual(learnt);
  await client.snapshots.load({ name: 'half-way', optimiser: true });
  expect(await values()).toEqual(learnt);
  expect((await client.training.get()).step).toBe(step);
  await client.snapshots.save({ name: 'again' });
  const again = await client.snapshots.get({ name: 'again' });
  expect(again.learner).toEqual(kept.learner);
  expect(again.params).toEqual(kept.params);
  expect(again.step).toBe(step);
  await client.training.start();
  await learned(step + 5);
});

test('A is heard again as it was, and after a daemon that was killed', async () => {
  const first = await start();
  const { client } = first;
  await first.learned(20);
  const before = await first.still('a');
  const a = await first.values();
  const some = Object.entries(a).find(([id]) => id.includes('hidden'))!;
  await client.audition.start({ patch: { example: 'gain' } });
  expect((await client.status.get()).patch).toBe('gain');
  await client.audition.rollback();
  await client.audition.start({ values: { [some[0]]: some[1] * 0.9 } });
  expect(await first.values()).not.toEqual(a);
  await client.audition.compare({});
  expect(await first.values()).toEqual(a);
  await client.audition.compare({});
  await client.audition.rollback();
  expect(await first.values()).toEqual(a);
  await client.snapshots.save({ name: 'after' });
  const after = await client.snapshots.get({ name: 'after' });
  expect([after.params, after.step, after.learner]).toEqual([
    before.params,
    before.step,
    before.learner,
  ]);
  expect((await client.status.get()).engine).toMatchObject({ state: 'running', restarts: 0 });

  await client.audition.start({ patch: { example: 'gain' } });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  process.kill(first.daemon.pid, 'SIGKILL');
  const second = await start();
  expect((await second.client.status.get()).patch).toBe('lowpass');
  expect(await second.values()).toEqual(a);
});
