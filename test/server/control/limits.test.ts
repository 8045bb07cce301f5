/** Counting of requests and of guesses: by address, for a minute, in bounded memory. */

import { expect, test } from 'vitest';
import { digestOf } from '../../../server/control/access.ts';
import { GUESSES, Limits, networkOf, REMEMBERED } from '../../../server/control/limits.ts';

function limits(perMinute: number): {
  readonly limits: Limits;
  readonly later: (ms: number) => void;
} {
  let now = 0;
  return { limits: new Limits({ perMinute, now: () => now }), later: (ms) => void (now += ms) };
}

const times = (count: number, act: (i: number) => unknown): unknown[] =>
  Array.from({ length: count }, (_, i) => act(i));

test('a minute begins with the first request, and is told to whoever comes too often', () => {
  const { limits: counted, later } = limits(2);
  expect(times(2, () => counted.request('192.0.2.1'))).toEqual([undefined, undefined]);
  later(20_500);
  expect(counted.request('192.0.2.1')).toMatchObject({ code: 'RATE_LIMITED', retryAfter: 40 });
  expect(counted.request('192.0.2.2')).toBeUndefined();
  later(39_499);
  expect(counted.request('192.0.2.1')).toMatchObject({ retryAfter: 1 });
  later(1);
  expect(counted.request('192.0.2.1')).toBeUndefined();
});

test('no limit counts nobody', () => {
  const { limits: counted } = limits(0);
  expect(new Set(times(1000, () => counted.request('192.0.2.1')))).toEqual(new Set([undefined]));
});

test('different wrong tokens lock an address for a minute, the same one does not', () => {
  const { limits: counted, later } = limits(0);
  times(100, () => counted.wrong('192.0.2.1', digestOf('old')));
  times(GUESSES - 2, (i) => counted.wrong('192.0.2.1', digestOf(`guess ${i}`)));
  expect(counted.locked('192.0.2.1')).toBeUndefined();
  counted.wrong('192.0.2.1', digestOf('one more'));
  expect(counted.locked('192.0.2.1')).toMatchObject({ code: 'RATE_LIMITED', retryAfter: 60 });
  expect(counted.locked('192.0.2.2')).toBeUndefined();
  later(60_000);
  expect(counted.locked('192.0.2.1')).toBeUndefined();
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['::1', '0:0:0:0'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::9', '2001:db8:1:2'],
  ['2001:db8::9', '2001:db8:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['2001:db8::', '2001:db8:0:0'],
  ['socket 7', 'socket 7'],
  ['', ''],
])('%s is counted as %s', (address, counted) => {
  expect(networkOf(address)).toBe(counted);
});

test('an address cannot get round its limit by another spelling or place in its network', () => {
  const { limits: counted } = limits(1);
  counted.request('2001:db8:1:2::1');
  expect(counted.request('2001:db8:1:2:ffff::2')).toMatchObject({ code: 'RATE_LIMITED' });
  counted.request('192.0.2.1');
  expect(counted.request('::ffff:192.0.2.1')).toMatchObject({ code: 'RATE_LIMITED' });
});

test('so many are remembered, and those who ask now are the last to be forgotten', () => {
  const { limits: counted } = limits(1);
  counted.request('192.0.2.1');
  times(REMEMBERED - 1, (i) => counted.request(`socket ${i}`));
  expect(counted.request('192.0.2.1')).toMatchObject({ code: 'RATE_LIMITED' });
  times(REMEMBERED - 1, (i) => counted.request(`other ${i}`));
  expect(counted.request('192.0.2.1')).toMatchObject({ code: 'RATE_LIMITED' });
  times(REMEMBERED, (i) => counted.request(`third ${i}`));
  expect(counted.request('192.0.2.1')).toBeUndefined();
});
