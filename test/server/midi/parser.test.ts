/** MIDI bytes as readings: halves and their order, running status, real time, and nonsense. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { messagesOf, Parser, rawOf, type Reading } from '../../../server/midi/parser.ts';

const of = (readings: readonly Reading[], kind: Reading['kind']): number[] =>
  readings.filter((one) => one.kind === kind).map((one) => one.position);

test('a control change is a share of its way, on its channel', () => {
  expect(new Parser().push([0xb2, 70, 127, 0xb2, 70, 0])).toEqual([
    { channel: 3, kind: 'cc', number: 70, position: 1, fine: false },
    { channel: 3, kind: 'cc', number: 70, position: 0, fine: false },
  ]);
});

test('running status goes on, and real-time bytes may stand anywhere', () => {
  const readings = new Parser().push([0xb0, 70, 0xf8, 127, 71, 0xfe, 0, 0xf8]);
  expect(readings.map(({ number, position }) => [number, position])).toEqual([
    [70, 1],
    [71, 0],
  ]);
});

test('system exclusive, notes, programs and pressure are passed over', () => {
  const parser = new Parser();
  expect(parser.push([0xf0, 1, 70, 127, 0xf7, 70, 127])).toEqual([]);
  expect(parser.push([0x90, 60, 100, 60, 0, 0xc0, 5, 6, 0xd0, 1, 0xa0, 60, 1])).toEqual([]);
  expect(parser.push([0xb0, 123, 0])).toEqual([]);
});

test('pitch bend has 14 bits, the lower half first', () => {
  const readings = new Parser().push([0xe0, 0, 0, 0xe0, 127, 127, 0xe0, 1, 64]);
  expect(of(readings, 'bend')).toEqual([0, 1, 8193 / 16383]);
});

describe('a pair of control changes', () => {
  test('is one value once both halves are there, with no value in between', () => {
    const parser = new Parser();
    parser.push([0xb0, 7, 64, 0xb0, 39, 0]);
    // Down by one: 64/0 becomes 63/127, and never 63/0.
    const readings = parser.push([0xb0, 7, 63, 0xb0, 39, 127]);
    expect(of(readings, 'cc14')).toEqual([((63 << 7) | 127) / 16383]);
  });

  test('moves by its lower half alone', () => {
    const parser = new Parser();
    parser.push([0xb0, 7, 64, 0xb0, 39, 0]);
    expect(of(parser.push([0xb0, 39, 5]), 'cc14')).toEqual([((64 << 7) | 5) / 16383]);
  });

  test('without a lower half counts in 7 bits, to its end', () => {
    expect(of(new Parser().push([0xb0, 7, 127, 7, 64]), 'cc14')).toEqual([1, 64 / 127]);
  });

  test('whose lower half stays away is settled', () => {
    const parser = new Parser();
    parser.push([0xb0, 7, 64, 0xb0, 39, 1, 0xb0, 7, 65]);
    expect(parser.waits).toBe(true);
    expect(parser.settle()).toEqual([]);
    expect(of(parser.settle(), 'cc14')).toEqual([(65 << 7) / 16383]);
    expect(parser.waits).toBe(false);
    expect(parser.settle()).toEqual([]);
  });
});

test('a non-registered parameter is its number, a registered one is none of ours', () => {
  const parser = new Parser();
  const readings = parser.push([0xb0, 99, 2, 98, 5, 6, 127, 38, 127]);
  expect(readings.map(({ kind, number }) => [kind, number])).toEqual([
    ['nrpn', 261],
    ['nrpn', 261],
  ]);
  expect(of(readings, 'nrpn')).toEqual([1, 1]);
  expect(parser.push([0xb0, 101, 0, 100, 0, 6, 12, 38, 0])).toEqual([]);
  expect(of(parser.push([0xb0, 101, 127, 100, 127, 6, 127]), 'cc')).toEqual([1]);
});

test('what is said of a place is heard as that place', () => {
  const kinds = fc.constantFrom('cc', 'cc14', 'bend', 'nrpn');
  fc.assert(
    fc.property(
      kinds,
      fc.nat(16383),
      fc.nat(16383),
      fc.integer({ min: 1, max: 16 }),
      (kind, ...of) => {
        const [value, wide, channel] = of;
        const most = { cc: 97, cc14: 31, bend: 0, nrpn: 16382 }[kind];
        const number = Math.min(wide, most);
        const raw = kind === 'cc' ? value % 128 : value;
        const heard = new Parser()
          .push(messagesOf({ kind, channel, number }, raw).flat())
          .filter((one) => one.kind === kind && one.number === number)
          .at(-1);
        expect(heard).toMatchObject({ channel, number });
        expect(rawOf(kind, heard?.position ?? -1)).toBe(raw);
      },
    ),
  );
});

test('no bytes throw, and every reading is a place of a controller', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (packets) => {
      const parser = new Parser();
      for (const packet of packets) {
        for (const reading of [...parser.push(packet), ...parser.settle()]) {
          expect(reading.position).toBeGreaterThanOrEqual(0);
          expect(reading.position).toBeLessThanOrEqual(1);
          expect(reading.channel).toBeGreaterThanOrEqual(1);
          expect(reading.channel).toBeLessThanOrEqual(16);
        }
      }
    }),
  );
});
