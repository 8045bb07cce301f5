/**
 * Three vitest projects, one after the other: `compiler` only computes and uses every processor, as
 * do tests beside it that start no daemon;
 * `unit` leaves one to the daemons that its tests start; `device` holds the tests that need a
 * clocked audio device (`*.device.test.ts`) and runs one file at a time, so that nothing else
 * competes for the processor while audio has a deadline.
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const common = { pool: 'forks', environment: 'node', hookTimeout: 60_000 } as const;
const DEVICE = 'test/**/*.device.test.ts';
const COMPILER = [
  'test/dsp/**/*.test.ts',
  'test/faust/**/*.test.ts',
  'test/fuzz/**/*.test.ts',
  'test/bench/*.test.ts',
  'test/clients/cli/{lesson,patch,train}.test.ts',
  'test/server/control/{conformance,doors}.test.ts',
];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'compiler',
          include: COMPILER,
          exclude: [DEVICE],
          testTimeout: 180_000,
          maxWorkers: availableParallelism(),
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...common,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [DEVICE, ...COMPILER],
          testTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...common,
          name: 'device',
          include: [DEVICE],
          testTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
