/** The map of channels: set by clients, refused in words, and kept for the next start. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ChannelFile } from '../../../server/control/channel-file.ts';
import { bench, silent, type Bench } from './fake.ts';

let stateDir: string;
let open: Bench | undefined;
beforeEach(() => (stateDir = mkdtempSync(join(tmpdir(), 'livegrad-'))));
afterEach(async () => {
  await open?.close();
  open = undefined;
  rmSync(stateDir, { recursive: true, force: true });
});

test('a map is taken at once, kept, and told', async () => {
  open = await bench({ stateDir });
  const { engine, session, http } = open;
  const kinds: string[] = [];
  session.listen(({ kind }) => kinds.push(kind));
  const put = (payload: object) =>
    http.inject({ method: 'PUT', url: '/api/v1/devices/channels', payload });
  const taken = (await put({ inputs: [2, 1] })).json<{ engine: object; revision: number }>();
  expect(taken).toMatchObject({ engine: { inputMap: [2, 1], outputMap: [] } });
  expect(engine.calls.at(-1)).toBe('keep 2,1 ');
  expect(kinds).toEqual(['engine.changed']);
  await put({ outputs: [2, 1] });
  expect(engine.status).toMatchObject({ inputMap: [2, 1], outputMap: [2, 1] });
  const { revision } = session;
  const wrong: readonly [object, RegExp][] = [
    [{ inputs: [1, 3] }, /inputs: expected channels from 1 to 2, got 3/u],
    [{ outputs: [1, 1] }, /channel 1 is named twice/u],
    [{ inputs: [0] }, /inputs\[0\]/u],
  ];
  for (const [payload, message] of wrong) {
    const reply = await put(payload);
    expect(reply.json<{ detail: string }>().detail).toMatch(message);
  }
  expect(session.revision).toBe(revision);
  await session.select({ blockSize: 128 }, undefined);
  await put({ inputs: [], outputs: [] });
  expect(engine.status).toMatchObject({ inputMap: [], outputMap: [] });
});

test('the map outlives the daemon, until the configuration says something else', async () => {
  const configured = { inputMap: [1, 2], outputMap: [] };
  const file = new ChannelFile(stateDir, configured, silent);
  expect(file.read()).toEqual(configured);
  await file.write({ inputMap: [2, 1], outputMap: [2, 1] });
  expect(new ChannelFile(stateDir, configured, silent).read()).toEqual({
    inputMap: [2, 1],
    outputMap: [2, 1],
  });
  const other = { inputMap: [], outputMap: [] };
  expect(new ChannelFile(stateDir, other, silent).read()).toEqual(other);
  writeFileSync(join(stateDir, 'channels.json'), '{');
  expect(new ChannelFile(stateDir, configured, silent).read()).toEqual(configured);
});
