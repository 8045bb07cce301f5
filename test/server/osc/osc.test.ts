/**
 * OSC and OSCQuery on real sockets: what a phone, a sequencer and a browser of address spaces do,
 * with packets written by hand, with node-osc, and with liblo's programs.
 */

import { spawn, spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import Bonjour from 'bonjour-service';
import fc from 'fast-check';
import { Client as NodeOscClient } from 'node-osc';
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { decode } from '../../../server/osc/packet.ts';
import { peersOf } from '../../../server/osc/peers.ts';
import { openOsc, type OscOptions, type OscServer } from '../../../server/osc/server.ts';
import { describeWith } from '../../support/packages.ts';
import { bench, example, type Bench, type BenchOptions } from '../control/fake.ts';
import { bundle, message } from './wire.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

type Told = readonly [address: string, value: unknown];

interface Running extends Bench {
  readonly osc: OscServer;
  readonly get: (path: string) => Promise<{ status: number; body: Record<string, unknown> }>;
}

async function start(
  options: Partial<OscOptions> = {},
  benchOptions: BenchOptions = {},
): Promise<Running> {
  const host = await bench(benchOptions);
  opened.push(() => host.close());
  const osc = await openOsc(host.host, {
    host: '127.0.0.1',
    port: 0,
    allow: [],
    replyPort: 0,
    announce: false,
    ...options,
  });
  opened.push(() => osc.close());
  return Object.assign(host, {
    osc,
    async get(path: string) {
      const reply = await fetch(`http://127.0.0.1:${osc.port}${path}`);
      const text = await reply.text();
      const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
      return { status: reply.status, body };
    },
  });
}

const toldIn = (bytes: Uint8Array): Told[] => {
  const read = decode(bytes);
  if (!read.ok) throw new Error(read.reason);
  return read.groups.flatMap(({ messages }) =>
    messages.map(({ address, args }) => [address, args[0]] as const),
  );
};

interface Phone {
  readonly socket: Socket;
  readonly port: number;
  readonly told: Told[];
  readonly send: (...packets: Buffer[]) => void;
}

/** A peer over UDP. */
async function phone(port: number): Promise<Phone> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  opened.push(() => socket.close());
  const told: Told[] = [];
  socket.on('message', (bytes) => told.push(...toldIn(bytes)));
  return {
    socket,
    port: socket.address().port,
    told,
    send: (...packets) => {
      for (const packet of packets) socket.send(packet, port, '127.0.0.1');
    },
  };
}

interface Browser {
  readonly socket: WebSocket;
  readonly told: Told[];
  readonly notices: { COMMAND: string; DATA: string }[];
  readonly command: (COMMAND: string, DATA: unknown) => void;
}

/** A peer over WebSocket. */
async function browser(port: number, options: ClientOptions = {}): Promise<Browser> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, options);
  const told: Told[] = [];
  const notices: Browser['notices'] = [];
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) told.push(...toldIn(data));
    else notices.push(JSON.parse(data.toString()) as Browser['notices'][number]);
  });
  await once(socket, 'open');
  opened.push(() => socket.terminate());
  const command = (COMMAND: string, DATA: unknown): void =>
    socket.send(JSON.stringify({ COMMAND, DATA }));
  return { socket, told, notices, command };
}

const until = (check: () => unknown): Promise<unknown> =>
  vi.waitUntil(check, { timeout: 5000, interval: 5 });
const valueOf = ({ session }: Bench, id: string): number | undefined =>
  session.state.values.get(id);

// --- OSCQuery ------------------------------------------------------------------------------------

test('the whole address space is JSON of the proposal, with what we add', async () => {
  const { get } = await start();
  const { status, body } = await get('/');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    FULL_PATH: '/',
    ACCESS: 0,
    CONTENTS: {
      params: {
        FULL_PATH: '/params',
        CONTENTS: {
          gain: {
            FULL_PATH: '/params/gain',
            TYPE: 'f',
            ACCESS: 3,
            VALUE: [expect.any(Number)],
            RANGE: [{ MIN: -2, MAX: 2 }],
            CLIPMODE: ['both'],
            DEFAULT: [expect.any(Number)],
            SCALE: ['linear'],
            LEARN: ['linear'],
            TAGS: ['learnable'],
          },
          hidden: { CONTENTS: { gain: { FULL_PATH: '/params/hidden/gain', LEARN: [false] } } },
        },
      },
      frozen: { CONTENTS: { gain: { TYPE: 'T', ACCESS: 3, VALUE: [false] } } },
      rates: { CONTENTS: { gain: { TYPE: 'f', VALUE: [1], CLIPMODE: ['none'] } } },
      gradients: { CONTENTS: { gain: { ACCESS: 1 } } },
      training: {
        CONTENTS: {
          running: { TYPE: 'T', VALUE: [true] },
          learningRate: { TYPE: 'f', ACCESS: 3, VALUE: [expect.any(Number)] },
          loss: { ACCESS: 1 },
          reset: { TYPE: 'I', ACCESS: 2 },
        },
      },
      output: {
        CONTENTS: {
          muted: { TYPE: 'T', VALUE: [true] },
          gain: { UNIT: ['gain.db'], RANGE: [{ MIN: -120, MAX: 24 }] },
        },
      },
    },
  });
});

test('attributes are asked for one by one, with the errors of the proposal', async () => {
  const { get, osc } = await start();
  expect(await get('/params/hidden/gain?RANGE')).toEqual({
    status: 200,
    body: { RANGE: [{ MIN: expect.any(Number), MAX: expect.any(Number) }] },
  });
  expect((await get('/output/muted?VALUE')).body).toEqual({ VALUE: [true] });
  expect((await get('/params?TYPE')).body).toEqual({});
  expect((await get('/training/loss?VALUE')).body).toEqual({});
  expect((await get('/training/reset?VALUE')).status).toBe(204);
  expect((await get('/params/gain?EXTENDED_TYPE')).status).toBe(204);
  expect((await get('/params/gain?NONSENSE')).status).toBe(400);
  expect((await get('/params/gainnn?VALUE')).status).toBe(404);
  expect((await get('/%zz')).status).toBe(400);
  const info = (await get('/whatever?HOST_INFO')).body;
  expect(info).toMatchObject({
    NAME: expect.stringContaining('livegrad'),
    OSC_PORT: osc.port,
    OSC_TRANSPORT: 'UDP',
    EXTENSIONS: {
      ACCESS: true,
      VALUE: true,
      RANGE: true,
      CLIPMODE: true,
      LISTEN: true,
      HTML: false,
    },
  });
  const put = await fetch(`http://127.0.0.1:${osc.port}/params/gain`, { method: 'PUT' });
  expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

const shown = (): Patch => ({
  ...example('gain'),
  name: 'shown',
  meters: { level: { in: 'estimate', min: 0, max: 1, unit: 'V' } },
  ui: [
    {
      group: 'vertical',
      label: 'My synth',
      items: [
        { control: 'gain', label: 'loud / soft', doc: 'how loud it is' },
        {
          group: 'tab',
          label: '',
          items: [
            {
              control: 'hidden/gain',
              label: 'loud / soft',
              style: 'menu',
              choices: [
                ['a', 0.5],
                ['b', 1],
              ],
            },
            { meter: 'level', label: 'level' },
          ],
        },
      ],
    },
  ],
});

test('the tree follows the groups that the patch shows', async () => {
  const { get, engine } = await start({}, { patch: shown() });
  expect((await get('/params/My_synth/loud_soft')).body).toMatchObject({
    DESCRIPTION: 'how loud it is',
    TAGS: ['learnable'],
  });
  expect((await get('/params/My_synth/loud_soft_2')).body).toMatchObject({
    TAGS: ['slider'],
    RANGE: [{ VALS: [0.5, 1] }],
  });
  expect((await get('/frozen/My_synth/loud_soft')).status).toBe(200);
  engine.crank();
  expect((await get('/meters/My_synth/level')).body).toMatchObject({
    ACCESS: 1,
    UNIT: ['V'],
    VALUE: [0.5],
  });
});

test('a socket that listens is told at once, when it moves, and not when it says so itself', async () => {
  const host = await start();
  const one = await browser(host.osc.port);
  const two = await browser(host.osc.port);
  for (const peer of [one, two]) peer.command('LISTEN', '/params/hidden/gain');
  await until(() => one.told.length === 1 && two.told.length === 1);
  expect(one.told).toEqual([['/params/hidden/gain', Math.fround(valueOf(host, 'hidden/gain')!)]]);

  one.socket.send(message('/params/hidden/gain', 'f', 1.5));
  await until(() => two.told.length === 2);
  expect(two.told[1]).toEqual(['/params/hidden/gain', 1.5]);
  await sleep(350);
  expect(one.told).toHaveLength(1);

  host.session.setParams({ values: { 'hidden/gain': 0.25 } }, undefined);
  await until(() => one.told.length === 2 && two.told.length === 3);
  two.command('IGNORE', '/params/hidden/gain');
  await until(() => host.osc.counts.refused === 0);
  await sleep(30);
  host.session.setParams({ values: { 'hidden/gain': 0.75 } }, undefined);
  await until(() => one.told.length === 3);
  expect(two.told).toHaveLength(3);
});

test('what is learned is told as it moves', async () => {
  const { osc, engine } = await start();
  const peer = await browser(osc.port);
  for (const path of ['/params/gain', '/training/step', '/gradients/gain'])
    peer.command('LISTEN', path);
  await until(() => peer.told.length === 2);
  engine.program?.params.splice(0, 1, 0.5);
  engine.frames = 48_000;
  engine.crank();
  await until(() => peer.told.length === 5);
  expect(Object.fromEntries(peer.told)).toEqual({
    '/params/gain': 0.5,
    '/training/step': 3,
    '/gradients/gain': -0.25,
  });
});

test('another patch is another address space: what came and went is said, and heard on', async () => {
  const { osc, session } = await start();
  const peer = await browser(osc.port);
  peer.command('LISTEN', '/params/gain');
  await until(() => peer.told.length === 1);
  await session.setPatch(example('gain-dc'), undefined);
  await until(() => peer.notices.at(-1)?.DATA === '/');
  expect(peer.notices).toContainEqual({ COMMAND: 'PATH_ADDED', DATA: '/params/dc' });
  expect(peer.notices.at(-1)).toEqual({ COMMAND: 'PATH_CHANGED', DATA: '/' });
  peer.notices.length = 0;
  await session.setPatch(example('gain'), undefined);
  await until(() => peer.notices.at(-1)?.DATA === '/');
  expect(peer.notices).toContainEqual({ COMMAND: 'PATH_REMOVED', DATA: '/params/dc' });
  peer.told.length = 0;
  session.setParams({ values: { gain: 1.25 } }, undefined);
  await until(() => peer.told.some(([path, value]) => path === '/params/gain' && value === 1.25));
});

test('commands that make no sense are counted and change nothing', async () => {
  const { osc } = await start();
  const peer = await browser(osc.port);
  peer.command('LISTEN', '/nowhere');
  peer.command('LISTEN', 7);
  peer.command('SHOUT', '/params/gain');
  peer.socket.send('not json');
  peer.socket.send('null');
  peer.socket.send(Buffer.from('no osc'));
  await until(() => osc.counts.refused === 5 && osc.counts.malformed === 1);
  expect(peer.told).toEqual([]);
});

test('a web page of another site, or by a foreign name, gets nothing', async () => {
  const { osc } = await start();
  const status = (headers: Record<string, string>): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: osc.port, path: '/', headers }, (reply) => {
        reply.resume();
        resolve(reply.statusCode);
      });
      asked.on('error', reject).end();
    });
  expect(await status({ host: `127.0.0.1:${osc.port}` })).toBe(200);
  expect(await status({ host: 'evil.example' })).toBe(403);
  expect(await status({ origin: 'https://evil.example' })).toBe(403);
  await expect(browser(osc.port, { origin: 'https://evil.example' })).rejects.toThrow('403');
});

// --- OSC over UDP --------------------------------------------------------------------------------

test('a phone moves a slider, holds a parameter, and steers the training', async () => {
  const host = await start();
  const { osc, session } = host;
  const { send } = await phone(osc.port);
  send(message('/params/hidden/gain', 'f', 0.5));
  await until(() => valueOf(host, 'hidden/gain') === 0.5);
  send(message('/frozen/gain', 'T'), message('/rates/gain', 'f', 0.25));
  await until(() => session.state.frozen.has('gain') && session.state.rates.get('gain') === 0.25);
  send(message('/training/running', 'i', 0));
  await until(() => !session.state.learning);
  send(message('/training/running', 'f', 1), message('/training/learningRate', 'f', 0.125));
  await until(() => session.state.learning);
  await until(() => session.state.patch.training?.schedule.kind === 'constant');
  expect(session.state.patch.training?.schedule).toMatchObject({ rate: 0.125 });
  send(message('/output/muted', 'F'), message('/output/gain', 'd', -6));
  await until(() => !session.output().muted && session.output().gainDb === -6);
  expect(osc.counts).toMatchObject({ refused: 0, malformed: 0 });
});

test('a button undoes what a fader did, and another does it again', async () => {
  const host = await start();
  const { send } = await phone(host.osc.port);
  for (const value of [0.5, 0.75, 1]) send(message('/params/hidden/gain', 'f', value));
  await until(() => valueOf(host, 'hidden/gain') === 1);
  expect(host.session.edits().undo).toEqual(['set hidden/gain to 1']);
  send(message('/edits/undo', ''));
  await until(() => valueOf(host, 'hidden/gain') === 0.3);
  send(message('/edits/redo', 'f', 1));
  await until(() => valueOf(host, 'hidden/gain') === 1);
});

test('a button resets when it is pressed, not when it is let go', async () => {
  const { osc, engine } = await start();
  const { send } = await phone(osc.port);
  send(message('/training/reset', 'f', 1));
  await until(() => engine.calls.includes('reset'));
  send(message('/training/reset', 'f', 0), message('/training/restart', ''));
  await until(() => engine.calls.includes('restart'));
  expect(engine.calls.filter((call) => call === 'reset')).toHaveLength(1);
});

test('a bundle is one change, and one that is for later waits', async () => {
  const host = await start();
  const { osc, session } = host;
  const changes: string[] = [];
  session.listen(({ kind }) => kind !== 'edits.changed' && changes.push(kind));
  const { send } = await phone(osc.port);
  send(bundle(0, message('/params/gain', 'f', -1), message('/params/hidden/gain', 'f', 2)));
  await until(() => valueOf(host, 'gain') === -1);
  expect(valueOf(host, 'hidden/gain')).toBe(2);
  expect(changes).toEqual(['params.changed']);
  const at = Date.now() + 200;
  send(bundle(at, message('/params/gain', 'f', 0.5)));
  await until(() => valueOf(host, 'gain') === 0.5);
  expect(Date.now()).toBeGreaterThanOrEqual(at - 2);
  send(bundle(Date.now() + 3_600_000, message('/params/gain', 'f', 0.75)));
  await until(() => osc.counts.refused === 1);
});

test('a pattern means every address that it fits', async () => {
  const host = await start({}, { patch: example('gain-dc') });
  const { send } = await phone(host.osc.port);
  send(message('/frozen/{gain,dc}', 'T'));
  await until(() => host.session.state.frozen.size === 2);
  send(message('/params/hidden/*', 'f', 0.125));
  await until(() => valueOf(host, 'hidden/dc') === 0.125);
  expect(valueOf(host, 'hidden/gain')).toBe(0.125);
});

test('patterns are bounded in number', async () => {
  const { osc } = await start();
  const { send } = await phone(osc.port);
  send(bundle(0, ...Array.from({ length: 20 }, () => message('/engine/*', ''))));
  await until(() => osc.counts.refused === 12);
});

test('a value out of range is held to it or refused, as CLIPMODE says, and put right', async () => {
  const host = await start();
  const { osc, session } = host;
  const one = await phone(osc.port);
  one.send(message('/osc/listen', 's', '/params'), message('/params/gain', 'f', 99));
  await until(() => valueOf(host, 'gain') === 2);
  await until(() => one.told.some(([path, value]) => path === '/params/gain' && value === 2));
  const { revision } = session;
  one.send(
    message('/rates/gain', 'f', -1),
    message('/training/learningRate', 'f', -1),
    message('/params/gain', 'f', Number.NaN),
    message('/params/gain', 's', 'loud'),
    message('/gradients/gain', 'f', 1),
    message('/params/nothing', 'f', 1),
  );
  await until(() => osc.counts.refused === 6);
  expect(session.revision).toBe(revision);
});

test('a message without a value asks for it', async () => {
  const { osc } = await start();
  const peer = await phone(osc.port);
  peer.send(
    message('/output/gain', ''),
    message('/output/muted', ''),
    message('/engine/state', ''),
  );
  await until(() => peer.told.length === 3);
  expect(Object.fromEntries(peer.told)).toEqual({
    '/output/gain': 0,
    '/output/muted': true,
    '/engine/state': 'running',
  });
  await sleep(100);
  expect(peer.told).toHaveLength(3);
});

test('several phones hear each other, and nobody an echo', async () => {
  const host = await start();
  const [one, two, three] = await Promise.all([1, 2, 3].map(() => phone(host.osc.port)));
  for (const peer of [one!, two!]) peer.send(message('/osc/listen', 's', '/params/hidden'));
  await until(() => one!.told.length > 0 && two!.told.length > 0);
  for (const peer of [one!, two!]) peer.told.length = 0;
  one!.send(message('/params/hidden/gain', 'f', 1.25));
  await until(() => two!.told.length > 0);
  three!.send(message('/params/hidden/gain', 'f', 0.25));
  await until(() => two!.told.length > 1 && one!.told.length > 0);
  expect(two!.told).toEqual([
    ['/params/hidden/gain', 1.25],
    ['/params/hidden/gain', 0.25],
  ]);
  expect(one!.told).toEqual([['/params/hidden/gain', 0.25]]);
  one!.send(message('/osc/ignore', ''));
  await sleep(50);
  host.session.setParams({ values: { 'hidden/gain': 1 } }, undefined);
  await until(() => two!.told.length === 3);
  expect([one!.told.length, three!.told.length]).toEqual([1, 0]);
});

test('what a phone does, sockets of the API are told, and the other way round', async () => {
  const host = await start();
  const api = new WebSocket(`${(await host.listen()).replace('http', 'ws')}/api/v1/ws`);
  opened.push(() => api.terminate());
  const notified: unknown[] = [];
  api.on('message', (data: Buffer) => notified.push(JSON.parse(data.toString())));
  await once(api, 'open');
  const peer = await phone(host.osc.port);
  peer.send(message('/osc/listen', 's', '/params/hidden/gain'));
  peer.send(message('/params/hidden/gain', 'f', 0.5));
  await until(() => notified.length > 0);
  expect(notified[0]).toMatchObject({
    method: 'params.changed',
    params: { params: [{ id: 'hidden/gain', value: 0.5 }], revision: host.session.revision },
  });
  const params = { id: 'hidden/gain', value: 0.25 };
  api.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'params.set', params }));
  await until(() => peer.told.some(([, value]) => value === 0.25));
});

test('a reply port that is our own does not talk to itself', async () => {
  const free = await phone(0);
  free.socket.close();
  opened.splice(-1, 1);
  const host = await start({ port: free.port, replyPort: free.port });
  const { send } = await phone(free.port);
  send(message('/params/hidden/gain', 'f', 0.5));
  await until(() => valueOf(host, 'hidden/gain') === 0.5);
  await sleep(200);
  expect(host.osc.counts).toEqual({ taken: 1, refused: 0, malformed: 0 });
});

test('with a reply port a phone hears there from its first message on', async () => {
  const ear = await phone(0);
  const host = await start({ replyPort: ear.port });
  const { send, told } = await phone(host.osc.port);
  send(message('/params/hidden/gain', 'f', 0.5));
  await until(() => ear.told.some(([path]) => path === '/params/gain'));
  const told2 = Object.fromEntries(ear.told);
  expect(told2).toMatchObject({ '/output/muted': true, '/frozen/gain': false });
  expect(told2).not.toHaveProperty('/params/hidden/gain');
  expect(told2).not.toHaveProperty('/gradients/gain');
  expect(told).toEqual([]);
});

test('a flood makes few changes: of what waits the newest counts', async () => {
  const host = await start();
  const { osc, session } = host;
  const before = session.revision;
  const { send } = await phone(osc.port);
  for (let k = 1; k <= 2000; k++) {
    send(message('/params/hidden/gain', 'f', k / 1024));
    if (k % 50 === 0) await sleep(1);
  }
  // The system drops what it has no room for, so the last one is said until it is heard.
  await until(() => {
    send(message('/params/hidden/gain', 'f', 0.5));
    return valueOf(host, 'hidden/gain') === 0.5;
  });
  expect(osc.counts.taken).toBeGreaterThan(100);
  expect(session.revision - before).toBeLessThan(osc.counts.taken / 4);
});

test('whatever is said, all stays in its range, and whatever is asked has an answer', async () => {
  const host = await start();
  const { osc, session, get } = host;
  const { send } = await phone(osc.port);
  const paths: string[] = [];
  const visit = (node: Record<string, unknown>): void => {
    if (node['TYPE'] !== undefined) paths.push(String(node['FULL_PATH']));
    const inside = (node['CONTENTS'] ?? {}) as Record<string, Record<string, unknown>>;
    for (const child of Object.values(inside)) visit(child);
  };
  visit((await get('/')).body);
  expect(paths.length).toBeGreaterThan(15);
  const address = fc.oneof(
    fc.constantFrom(...paths),
    fc.constantFrom('/*/*', '/params/[', '/osc/x'),
  );
  const value = fc.oneof(fc.double(), fc.integer({ min: -3, max: 3 }));
  const tags = fc.constantFrom('f', 'd', 'i', 'T', 'F', 'N', 'I', '', 'ff', '[f]', 's');
  const said = fc.tuple(address, tags, value, fc.boolean());
  const numRuns = Number(process.env['FUZZ_RUNS'] ?? 400);
  const query = fc.constantFrom('', '?VALUE', '?RANGE', '?TYPE', '?LISTEN', '?&=', '?HOST_INFO');
  await fc.assert(
    fc.asyncProperty(
      said,
      fc.tuple(fc.webPath(), query),
      async ([to, types, number, wrap], [path, ask]) => {
        const whole = Math.trunc(Math.max(-1e9, Math.min(1e9, number || 0)));
        const packet = message(to, types, types === 'i' ? whole : number, number);
        send(wrap ? bundle(0, packet, packet) : packet);
        const { status } = await get(`${path.startsWith('/') ? path : `/${path}`}${ask}`);
        expect([200, 204, 400, 404]).toContain(status);
        expect(Math.abs(session.output().gainDb + 48)).toBeLessThanOrEqual(72);
        const { sliders, params } = session.state.patch;
        for (const [id, { min, max }] of Object.entries({ ...sliders, ...params })) {
          expect(valueOf(host, id)).toBeGreaterThanOrEqual(min);
          expect(valueOf(host, id)).toBeLessThanOrEqual(max);
        }
      },
    ),
    { numRuns },
  );
  expect((await get('/')).status).toBe(200);
});

test('who is not on the list is not heard, neither over UDP nor over TCP', async () => {
  const host = await start({ allow: ['192.0.2.0/24'] });
  const before = valueOf(host, 'hidden/gain');
  const { send } = await phone(host.osc.port);
  send(message('/params/hidden/gain', 'f', 1.75));
  await expect(host.get('/')).rejects.toThrow('fetch failed');
  await sleep(50);
  expect(valueOf(host, 'hidden/gain')).toBe(before);
  expect(host.osc.counts).toEqual({ taken: 0, refused: 0, malformed: 0 });
});

test('lists of peers hold addresses and networks of both kinds', () => {
  const allowed = peersOf(['192.168.1.20', '10.0.0.0/8', 'fd00::/8']);
  expect(['192.168.1.20', '10.1.2.3', 'fd12::1', '::ffff:10.1.2.3'.slice(7)].map(allowed)).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(['192.168.1.21', '127.0.0.1', '::1', 'nonsense', undefined].map(allowed)).toEqual(
    Array.from({ length: 5 }, () => false),
  );
  expect(['127.0.0.1', '127.1.1.1', '::1', '10.0.0.1'].map(peersOf([]))).toEqual([
    true,
    true,
    true,
    false,
  ]);
});

test('a port that is taken is refused, and nothing stays open', async () => {
  const { osc, host } = await start();
  const options = { host: '127.0.0.1', allow: [], replyPort: 0, announce: false };
  await expect(openOsc(host, { ...options, port: osc.port })).rejects.toThrow('EADDRINUSE');
});

test('a client of node-osc moves a slider', async () => {
  const host = await start();
  const client = new NodeOscClient('127.0.0.1', host.osc.port);
  opened.push(() => client.close());
  await client.send('/params/hidden/gain', 0.375);
  await until(() => valueOf(host, 'hidden/gain') === 0.375);
});

test('both services are announced on the loopback, and taken back', async () => {
  const mdnsPort = 20_000 + (process.pid % 20_000);
  const { osc } = await start({ announce: true, mdnsPort });
  const ear = new Bonjour({ port: mdnsPort, interface: '127.0.0.1', bind: '0.0.0.0' } as object);
  opened.push(() => new Promise<void>((resolve) => ear.destroy(() => resolve())));
  const found = new Map<string, number>();
  for (const [type, protocol] of [
    ['oscjson', 'tcp'],
    ['osc', 'udp'],
  ] as const) {
    const search = ear.find({ type, protocol });
    search.on('up', (service: { port: number; name: string }) => {
      if (service.name.startsWith('livegrad on ')) found.set(type, service.port);
    });
    search.on('down', () => found.delete(type));
  }
  await until(() => found.size === 2);
  expect([...found.values()]).toEqual([osc.port, osc.port]);
  await osc.close();
  opened.splice(1, 1);
  await until(() => found.size === 0);
});

describeWith(['liblo-tools'], "liblo's programs", () => {
  test('oscsend moves sliders and learning rates, oscdump hears what changes', async () => {
    const host = await start();
    const { osc, session } = host;
    const send = (...words: string[]): void => {
      const sent = spawnSync('oscsend', ['127.0.0.1', String(osc.port), ...words]);
      expect(sent.status).toBe(0);
    };
    const free = await phone(osc.port);
    const { port } = free;
    free.socket.close();
    opened.splice(opened.length - 1, 1);
    const dump = spawn('oscdump', ['-L', String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
    opened.push(() => dump.kill());
    let heard = '';
    dump.stdout.setEncoding('utf8').on('data', (text: string) => (heard += text));
    await sleep(200);
    send('/osc/listen', 'is', String(port), '/params');
    await until(() => heard.includes('/params/gain f'));
    send('/params/hidden/gain', 'f', '0.5');
    await until(() => valueOf(host, 'hidden/gain') === 0.5);
    send('/params/hidden/gain', 'd', '0.75');
    await until(() => valueOf(host, 'hidden/gain') === 0.75);
    send('/training/learningRate', 'f', '0.25');
    await until(() => session.state.patch.training?.schedule.kind === 'constant');
    send('/training/running', 'F');
    await until(() => !session.state.learning);
    await until(() => heard.includes('/params/hidden/gain f 0.75'));
  });
});
