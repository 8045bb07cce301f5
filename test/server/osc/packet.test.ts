/** OSC packets, byte by byte after the specification, against node-osc, and from noise. */

import fc from 'fast-check';
import { decode as decodeNodeOsc, encode as encodeNodeOsc } from 'node-osc';
import { expect, test } from 'vitest';
import { decode, encode, type Outgoing } from '../../../server/osc/packet.ts';
import { bundle, message } from './wire.ts';

test("the specification's own examples are read", () => {
  const one = Buffer.from(
    '2f6f7363696c6c61746f722f342f6672657175656e6379002c66000043dc0000',
    'hex',
  );
  expect(decode(one)).toEqual({
    ok: true,
    groups: [
      { at: 0, messages: [{ address: '/oscillator/4/frequency', types: 'f', args: [440] }] },
    ],
  });
  const two = Buffer.from(
    '2f666f6f000000002c69697366660000000003e8ffffffff68656c6c6f0000003f9df3b640b5b22d',
    'hex',
  );
  const read = decode(two);
  const args = read.ok ? (read.groups[0]?.messages[0]?.args ?? []) : [];
  expect(args.slice(0, 3)).toEqual([1000, -1, 'hello']);
  expect(args[3]).toBeCloseTo(1.234, 6);
  expect(args[4]).toBeCloseTo(5.678, 6);
});

test('every type of 1.1 is read, arrays too', () => {
  const bytes = message('/x', 'dhTFNI[ii]Ss', 0.1, -7n, 1, 2, 'sym', 'text');
  expect(decode(bytes)).toMatchObject({
    groups: [{ messages: [{ args: [0.1, -7, true, false, null, true, [1, 2], 'sym', 'text'] }] }],
  });
});

test('bundles keep their times, also within each other', () => {
  const at = Date.UTC(2030, 0, 1) + 250;
  const inner = bundle(at, message('/b', 'i', 2));
  const read = decode(bundle(0, message('/a', 'i', 1), inner, message('/c', 'i', 3)));
  expect(read).toMatchObject({
    ok: true,
    groups: [
      { at: 0, messages: [{ address: '/a' }, { address: '/c' }] },
      { at, messages: [{ address: '/b' }] },
    ],
  });
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['an address without its end', Buffer.from('/abc')],
  ['no slash', Buffer.from('abc\0,\0\0\0')],
  ['an unknown type', message('/a', 'Q')],
  ['a missing argument', message('/a', 'ii', 1)],
  ['bytes too many', Buffer.concat([message('/a', 'i', 1), Buffer.alloc(4)])],
  ['an open array', message('/a', '[i', 1)],
  ['a closed one', message('/a', 'i]', 1)],
  ['a bundle of a bad size', Buffer.concat([bundle(0), Buffer.from([0, 0, 0, 3])])],
  [
    'bundles all the way down',
    Array.from({ length: 20 }).reduce<Buffer>((b) => bundle(0, b), message('/a', '')),
  ],
  ['too many messages', bundle(0, ...Array.from({ length: 1025 }, () => message('/a', '')))],
] as const)('%s is refused', (_, bytes) => {
  expect(decode(bytes).ok).toBe(false);
});

test('whatever bytes come, reading ends with an answer', () => {
  const start = fc.constantFrom(
    message('/params/gain', 'f', 1),
    bundle(0, message('/a', 'ss', 'a', 'b')),
  );
  const noise = fc.tuple(start, fc.uint8Array({ maxLength: 40 }), fc.nat(60));
  fc.assert(
    fc.property(noise, ([bytes, junk, at]) => {
      const mixed = Buffer.concat([bytes.subarray(0, at), junk, bytes.subarray(at)]);
      expect(typeof decode(mixed).ok).toBe('boolean');
    }),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 2000) },
  );
});

test('what is sent, another implementation reads; several go as bundles that fit a frame', () => {
  const messages = Array.from({ length: 100 }, (_, k): Outgoing => ({
    address: `/params/some/long/name/${k}`,
    type: 'f',
    value: k + 0.5,
  }));
  const packets = encode(messages);
  for (const packet of packets) expect(packet.byteLength).toBeLessThanOrEqual(1400);
  const read = packets.flatMap((packet) => {
    const { elements } = decodeNodeOsc(packet) as {
      elements: { address: string; args: { value: number }[] }[];
    };
    return elements.map(({ address, args }) => [address, args[0]?.value]);
  });
  expect(read).toEqual(messages.map(({ address, value }) => [address, value]));
  const alone = encode([{ address: '/training/running', type: 'F', value: false }]);
  expect(alone.map((packet) => packet.toString('latin1'))).toEqual([
    '/training/running\0\0\0,F\0\0',
  ]);
});

test('what another implementation sends is read', () => {
  const sent = encodeNodeOsc({
    oscType: 'bundle',
    timetag: 0,
    elements: [
      { oscType: 'message', address: '/a', args: [{ type: 'f', value: 0.5 }, 7, 'x', true] },
    ],
  });
  expect(decode(sent)).toMatchObject({
    groups: [{ at: 0, messages: [{ address: '/a', types: 'fisT', args: [0.5, 7, 'x', true] }] }],
  });
});
