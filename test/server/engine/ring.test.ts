/**
 * The measurement ring against its specification: a queue that refuses when full. Once as a
 * model-based property in one thread, once with a real producer thread.
 */
import { Worker } from 'node:worker_threads';

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { Ring } from '../../../server/engine/ring.ts';

test('behaves as a bounded queue for every sequence of pushes and pops', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 4 }),
      fc.array(fc.boolean(), { maxLength: 200 }),
      (length, log2Slots, moves) => {
        const slots = 2 ** log2Slots;
        const producer = Ring.create(length, slots);
        const consumer = new Ring(producer.buffer, length);
        const model: number[] = [];
        let next = 1;
        let dropped = 0;
        for (const push of moves) {
          if (push) {
            const row = producer.claim();
            expect(row === null).toBe(model.length === slots);
            if (row === null) {
              dropped++;
            } else {
              row.fill(next);
              producer.push();
              model.push(next);
            }
            next++;
          } else {
            const row = consumer.peek();
            const expected = model.shift();
            if (expected === undefined) {
              expect(row).toBeNull();
            } else {
              expect([...row!]).toEqual(new Array(length).fill(expected));
              consumer.pop();
            }
          }
        }
        expect(consumer.dropped).toBe(dropped);
      },
    ),
  );
});

test('what is claimed but not pushed is invisible to the reader', () => {
  const ring = Ring.create(2, 4);
  ring.claim()!.fill(7);
  expect(ring.peek()).toBeNull();
  ring.push();
  expect([...ring.peek()!]).toEqual([7, 7]);
});

test('goes on when its counters wrap around', () => {
  const ring = Ring.create(1, 2);
  new Int32Array(ring.buffer, 0, 2).fill(0x7fffffff);
  for (let i = 0; i < 6; i++) {
    ring.claim()![0] = i;
    ring.push();
    expect(ring.peek()![0]).toBe(i);
    ring.pop();
  }
  ring.claim();
  ring.push();
  ring.claim();
  ring.push();
  expect(ring.claim()).toBeNull();
});

test('rows pushed by another thread arrive whole and in order', async () => {
  const rows = 20_000;
  const ring = Ring.create(64, 16);
  const source = `
    import { workerData } from 'node:worker_threads';
    const { Ring } = await import(workerData.module);
    const ring = new Ring(workerData.buffer, 64);
    for (let i = 1; i <= ${rows}; ) {
      const row = ring.claim();
      if (row === null) continue;
      row.fill(i++);
      ring.push();
    }`;
  const module = new URL('../../../server/engine/ring.ts', import.meta.url).href;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: { buffer: ring.buffer, module },
  });
  const failed = new Promise<never>((_, reject) => worker.on('error', reject));
  let last = 0;
  const read = async (): Promise<void> => {
    while (last < rows) {
      for (let row = ring.peek(); row !== null; row = ring.peek()) {
        last++;
        if (!row.every((x) => x === last)) throw new Error(`row ${last} is torn: ${row.join(' ')}`);
        ring.pop();
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.race([read(), failed]);
  await worker.terminate();
  expect(last).toBe(rows);
});

test('a number of slots that is no power of two is refused', () => {
  expect(() => Ring.create(1, 3)).toThrow('power of two');
});
