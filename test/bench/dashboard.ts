/**
 * `npm run -s bench:dashboard`: how smoothly the dashboard draws while a patch learns, and whether it
 * grows. A real daemon on the virtual rig, Debian's Chromium with its software renderer, a page of
 * 1440 by 900 at Learn, for ten minutes each with 20 and with 100 parameters that all move. Prints
 * Markdown; `-- --seconds N` measures for another time, `-- --params 20` only that many, `-- --view
 * signal` another view, `-- --json` prints numbers, `-- --profile` what the time of ten seconds goes
 * to instead.
 *
 * Frame times are those between animation frames. Memory is the heap of JavaScript after a forced
 * collection, and nodes of the page, after a warm-up and at the end. Exit status: 1 without Chromium.
 */
import { existsSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { chromium, type CDPSession } from 'playwright-core';
import { buildDashboard, knownDashboard } from '../../server/launch/dashboard.mjs';
import { say } from '../../server/launch/paths.mjs';
import { startDaemon } from '../support/daemon.ts';

const CHROMIUM = '/usr/bin/chromium';
const SIZE = { width: 1440, height: 900 } as const;
/** Until the last minute of sparklines and losses is full, seconds; at most a tenth of the time. */
const WARM_UP = 75;
/** Tenths of a millisecond, up to half a second. */
const BUCKETS = 5000;

interface Smoothness {
  readonly params: number;
  readonly seconds: number;
  readonly frames: number;
  /** Of the time between frames, milliseconds. */
  readonly median: number;
  readonly p95: number;
  readonly worst: number;
  /** Of one processor, as far as it is JavaScript, layout and style. */
  readonly busy: number;
  readonly heapBefore: number;
  readonly heapAfter: number;
  readonly nodesBefore: number;
  readonly nodesAfter: number;
  /** Processes that wanted to run, of the last minute. */
  readonly load: number;
}

/** Counts times in buckets, so that measuring takes no memory. */
const RECORD = `
  globalThis.recorded = { frames: 0, times: new Uint32Array(${BUCKETS}) };
  (() => {
    let last = 0;
    const count = (now) => {
      if (last > 0) {
        recorded.times[Math.min(${BUCKETS - 1}, Math.round(10 * (now - last)))]++;
        recorded.frames++;
      }
      last = now;
      requestAnimationFrame(count);
    };
    requestAnimationFrame(count);
  })();
`;

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    params: { type: 'string', default: '20,100' },
    view: { type: 'string', default: 'learn' },
    json: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});
if (!existsSync(CHROMIUM)) {
  say('the bench of the dashboard draws in Chromium, and finds none');
  say('  install it (Debian: apt-get install chromium), then run it again');
  process.exit(1);
}
const built = knownDashboard() ?? buildDashboard(process.execPath);
if (!built.ok) throw new Error(`no dashboard: ${built.reason}`);

const seconds = Number(options.seconds);
const measured: Smoothness[] = [];
for (const params of options.params.split(',').map(Number)) {
  const one = await measure(params);
  if (one !== undefined) measured.push(one);
}
if (options.json) process.stdout.write(`${JSON.stringify(measured, null, 1)}\n`);
else if (!options.profile) print();

async function measure(params: number): Promise<Smoothness | undefined> {
  const daemon = await startDaemon();
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--js-flags=--expose-gc'],
  });
  try {
    await daemon.request('PUT', '/patch', patchOf(params));
    await daemon.request('POST', '/training/start');
    const page = await (await browser.newContext({ viewport: SIZE })).newPage();
    await page.goto(`${daemon.address}/#${options.view}`);
    await page.getByText('Live · ').waitFor();
    const more = page.getByRole('button', { name: /^Show \d+ more/u });
    if ((await more.count()) > 0) await more.click();
    const session = await page.context().newCDPSession(page);
    if (options.profile) {
      await profile(session);
      return undefined;
    }
    await sleep(1000 * Math.min(WARM_UP, Math.max(2, seconds / 8)));
    const before = await memory(session);
    const busyBefore = await busy(session);
    await page.evaluate(RECORD);
    await sleep(1000 * seconds);
    const { frames, times } = await page.evaluate<{ frames: number; times: number[] }>(
      '({ frames: recorded.frames, times: [...recorded.times] })',
    );
    const busyAfter = await busy(session);
    const after = await memory(session);
    return {
      params,
      seconds,
      frames,
      median: quantile(times, 0.5),
      p95: quantile(times, 0.95),
      worst: quantile(times, 1),
      busy: (busyAfter - busyBefore) / seconds,
      heapBefore: before.heap,
      heapAfter: after.heap,
      nodesBefore: before.nodes,
      nodesAfter: after.nodes,
      load: loadavg()[0] ?? 0,
    };
  } finally {
    await browser.close();
    await daemon.stop();
  }
}

/** As many echoes as there are to be parameters, hidden ones that turn slowly, so that all move on. */
function patchOf(params: number): object {
  const hidden = Array.from({ length: params }, (_, k) => 0.5 * Math.cos(k));
  const ks = hidden.map((_, k) => k);
  const late = (k: number): readonly [string, object] => [
    `late/${k}`,
    k === 0 ? { op: 'add', in: ['x', 0] } : { op: 'delay', in: [`late/${k - 1}`], frames: 1 },
  ];
  const sum = (of: string): (readonly [string, object])[] =>
    ks
      .slice(1)
      .map((k) => [
        `${of}/sum/${k}`,
        { op: 'add', in: [k === 1 ? `${of}/part/0` : `${of}/sum/${k - 1}`, `${of}/part/${k}`] },
      ]);
  return {
    format: 'livegrad.patch/1',
    name: `bench-${params}`,
    params: Object.fromEntries(ks.map((k) => [`tap/${k}`, { initial: 0, min: -1, max: 1 }])),
    nodes: Object.fromEntries([
      ['x', { op: 'noise', seed: 1 }],
      ['turn', { op: 'sine', in: [0.05] }],
      ...ks.map(late),
      ...ks.map((k) => [`way/${k}`, { op: 'mul', in: ['turn', hidden[k]] }] as const),
      ...ks.map((k) => [`t/part/${k}`, { op: 'mul', in: [`late/${k}`, `way/${k}`] }] as const),
      ...ks.map((k) => [`e/part/${k}`, { op: 'mul', in: [`late/${k}`, `tap/${k}`] }] as const),
      ...sum('t'),
      ...sum('e'),
    ]),
    outputs: [`e/sum/${params - 1}`],
    training: {
      estimate: `e/sum/${params - 1}`,
      target: `t/sum/${params - 1}`,
      loss: 'mse',
      window: 256,
      optimiser: { kind: 'adam' },
      schedule: { kind: 'constant', rate: 0.01 },
    },
  };
}

/** Milliseconds below which a share of the times lies. */
function quantile(times: readonly number[], share: number): number {
  const all = times.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [bucket, count] of times.entries()) {
    seen += count;
    if (count > 0 && seen >= share * all) return bucket / 10;
  }
  return NaN;
}

async function memory(session: CDPSession): Promise<{ heap: number; nodes: number }> {
  for (let k = 0; k < 3; k++) await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  const { nodes } = await session.send('Memory.getDOMCounters');
  return { heap: usedSize, nodes };
}

/** Seconds of the page's main thread, by what it did. */
async function durations(session: CDPSession): Promise<ReadonlyMap<string, number>> {
  await session.send('Performance.enable');
  const { metrics } = await session.send('Performance.getMetrics');
  const known = metrics.filter(({ name }) => name.endsWith('Duration'));
  return new Map(known.map(({ name, value }) => [name, value]));
}

async function busy(session: CDPSession): Promise<number> {
  return (await durations(session)).get('TaskDuration') ?? NaN;
}

async function profile(session: CDPSession): Promise<void> {
  await sleep(5000);
  const before = await durations(session);
  await session.send('Profiler.enable');
  await session.send('Profiler.setSamplingInterval', { interval: 200 });
  await session.send('Profiler.start');
  await sleep(10_000);
  const { profile: made } = await session.send('Profiler.stop');
  const after = await durations(session);
  for (const [name, value] of after) {
    const ms = 1000 * (value - (before.get(name) ?? 0));
    process.stdout.write(`${ms.toFixed(0).padStart(6)} ms  ${name}\n`);
  }
  const self = new Map<string, number>();
  made.samples?.forEach((id, k) => {
    const frame = made.nodes.find((node) => node.id === id)?.callFrame;
    const name = `${frame?.functionName || '(anonymous)'} :${(frame?.lineNumber ?? 0) + 1}:${frame?.columnNumber ?? 0}`;
    self.set(name, (self.get(name) ?? 0) + (made.timeDeltas?.[k] ?? 0) / 1000);
  });
  const rows = [...self].sort((a, b) => b[1] - a[1]).slice(0, 25);
  process.stdout.write(
    rows.map(([name, ms]) => `${ms.toFixed(0).padStart(6)} ms  ${name}\n`).join(''),
  );
}

function print(): void {
  const machine = cpus()[0]?.model ?? 'unknown';
  const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(0)} kB`;
  const rows = measured.map((one) =>
    [
      one.params,
      one.seconds,
      (1000 / one.median).toFixed(1),
      (one.frames / one.seconds).toFixed(1),
      one.median.toFixed(1),
      one.p95.toFixed(1),
      one.worst.toFixed(1),
      `${(100 * one.busy).toFixed(0)} %`,
      `${kilobytes(one.heapBefore)} → ${kilobytes(one.heapAfter)}`,
      `${one.nodesBefore} → ${one.nodesAfter}`,
      one.load.toFixed(2),
    ].join(' | '),
  );
  const head =
    'parameters | s | frames/s, median | mean | frame, ms | p95 | worst | main thread | heap | nodes | load';
  const line = head
    .split('|')
    .map(() => '---')
    .join(' | ');
  process.stdout.write(`${machine}, ${cpus().length} cores, ${options.view}\n\n`);
  process.stdout.write([head, line, ...rows].map((row) => `| ${row} |\n`).join(''));
}
