/**
 * Two vitest projects: `unit` runs files side by side in forked processes; `device` holds the tests
 * that need a clocked audio device (`*.device.test.ts`) and runs after it, one file at a time, so
 * that nothing else competes for the processor while audio has a deadline.
 */
import { defineConfig } from 'vitest/config';

const common = { pool: 'forks', environment: 'node', hookTimeout: 60_000 } as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.device.test.ts'],
          testTimeout: 180_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...common,
          name: 'device',
          include: ['test/**/*.device.test.ts'],
          testTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
