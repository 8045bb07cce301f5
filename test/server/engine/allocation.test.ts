/** The audio loop leaves nothing behind on the heap, and the measurement would notice if it did. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

function measure(...args: string[]): { bytesPerBlock: number; step: number } {
  const script = fileURLToPath(new URL('../../support/allocation.ts', import.meta.url));
  const out = execFileSync(process.execPath, ['--expose-gc', script, ...args], {
    encoding: 'utf8',
  });
  return JSON.parse(out) as { bytesPerBlock: number; step: number };
}

test('a block of the virtual device leaves no bytes on the heap while it learns and is steered', () => {
  const { bytesPerBlock, step } = measure();
  expect(step).toBeGreaterThan(10_000);
  // A boxed number every hundredth block for each change that the test itself makes.
  expect(bytesPerBlock).toBeLessThan(8);
});

test('one view per block is detected', () => {
  expect(measure('leak').bytesPerBlock).toBeGreaterThan(64);
});

test('an exchange of programs leaves a few boxed numbers, and none for each block of a crossfade', () => {
  const exchanges = 1 / 100;
  expect(measure('exchange').bytesPerBlock).toBeLessThan(8 + 256 * exchanges);
});
