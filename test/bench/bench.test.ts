/**
 * Keeps the bench from rotting: every kernel that the compiler can run gives finite numbers and,
 * where there is a g++, what the native side gives; the report has the fields that it promises. No
 * time is asserted.
 */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PRECISIONS } from '../support/program.ts';
import { compilingReport, measureCompiling, totalOf } from './compiling.ts';
import { faustHead, faustJson, faustRow, faustSummary } from './faust-report.ts';
import { measureFaust } from './faust.ts';
import { KERNELS } from './kernels/index.ts';
import { measure } from './measure.ts';
import type { Measured } from './measure.ts';
import { Native, buildNative, hasCompiler } from './native.ts';
import { openOurs, signals } from './ours.ts';
import { tableRow, toJson } from './report.ts';
import { telemetryTable } from './telemetry-report.ts';
import { measureTelemetry } from './telemetry.ts';

const input = signals(Math.max(...KERNELS.map(({ frames }) => frames)));
/** Those that take seconds to compile are left to the bench itself. */
const kernels = KERNELS.filter(({ initial }) => initial.length <= 400);

describe('a kernel of the bench', () => {
  const both = kernels.flatMap((kernel) =>
    PRECISIONS.map((precision) => ({ name: kernel.name, kernel, precision })),
  );
  it.each(both)('$name learns on our side, in $precision precision', ({ kernel, precision }) => {
    const ours = openOurs(kernel, input, precision);
    if (typeof ours === 'string') throw new Error(ours);
    const { output, gradients, params } = ours.check(1);
    expect([...output, ...gradients, ...params].filter((value) => !Number.isFinite(value))).toEqual(
      [],
    );
    expect(params.some((value, k) => value !== kernel.initial[k])).toBe(kernel.window > 0);
  });
});

describe.runIf(hasCompiler())('a kernel of the bench in C', () => {
  const measured: Measured[] = [];
  let program = '';
  let native: Native;

  beforeAll(() => {
    program = buildNative();
    native = new Native(program, input);
  });
  afterAll(async () => {
    await native.close();
    rmSync(program);
  });

  it.each(kernels)('$name computes the same as ours', async (kernel) => {
    const one = await measure(kernel, native, input, { rounds: 1, seconds: 0.001 });
    measured.push(one);
    expect(one.differs, one.note ?? '').toBe(false);
    expect(one.nativeNsPerSample).toBeGreaterThan(0);
    expect(one.ratio).toBeGreaterThan(0);
  });

  it('appears in the report with every field', () => {
    const report = JSON.parse(toJson(measured)) as { kernels: object[] };
    expect(Object.keys(report)).toEqual(['node', 'cpu', 'kernels']);
    expect(report.kernels.length).toBe(kernels.length);
    for (const one of report.kernels) {
      expect(Object.keys(one)).toEqual([
        'name',
        'nsPerSample',
        'nativeNsPerSample',
        'ratio',
        'wideRatio',
        'realTimeFactor',
        'bytes',
      ]);
    }
    const columns = measured.map((one) => tableRow(one).split('|').length);
    expect(new Set(columns).size).toBe(1);
  });
});

describe('the bench of the compiler', () => {
  it('compiles graphs of every shape as large as asked, and reports them', () => {
    const measured = measureCompiling(1, 3000);
    for (const { nodes, bytes, ...times } of measured.large) {
      expect(nodes).toBeGreaterThan(2000);
      expect(nodes).toBeLessThan(4000);
      expect(bytes).toBeGreaterThan(nodes);
      expect(totalOf({ nodes, bytes, ...times })).toBeGreaterThan(0);
    }
    const rows = compilingReport(measured).split('\n');
    for (const { name } of measured.large) {
      expect(rows.some((row) => row.startsWith(`| ${name} |`))).toBe(true);
    }
  });
});

describe('the bench of Faust programs', () => {
  it('measures both sides, training and beginning, and reports every field', async () => {
    const rows = await measureFaust('wave-digital', { rounds: 1, seconds: 0.001 }, () => {});
    const report = JSON.parse(faustJson(rows)) as { programs: Record<string, unknown>[] };
    expect(Object.keys(report)).toEqual(['node', 'cpu', 'block', 'programs']);
    const [{ name, single, double, ...rest }] = report.programs as [Record<string, unknown>];
    expect(name).toBe('wave-digital');
    expect(Object.keys(rest)).toEqual(['training', 'evaluated', 'compiled']);
    for (const times of [single, double, rest] as Record<string, number>[]) {
      for (const time of Object.values(times)) expect(time).toBeGreaterThan(0);
    }
    const columns = [faustHead().split('\n')[0]!, faustRow(rows[0]!)];
    expect(new Set(columns.map((line) => line.split('|').length)).size).toBe(1);
    expect(faustSummary(rows)).toContain('of 1\n');
  });
});

describe('the bench of the control process', () => {
  it('measures a daemon alone and with clients who get every frame', async () => {
    const load = { clients: 2, params: 100, meters: 8, seconds: 1 };
    const { alone, watched } = await measureTelemetry(load);
    expect(alone).toMatchObject({ bytesPerSecond: 0, framesPerSecond: 0, dropped: 0 });
    expect(alone.share).toBeGreaterThan(0);
    expect(watched.share).toBeGreaterThan(0);
    expect(watched.dropped).toBe(0);
    expect(watched.bytesPerSecond).toBeGreaterThan(watched.framesPerSecond * 32);
    const lines = telemetryTable({ load, alone, watched }).split('\n').slice(0, 7);
    expect(new Set(lines.map((line) => line.split('|').length))).toEqual(new Set([5]));
  });
});
