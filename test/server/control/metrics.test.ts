/**
 * The page for Prometheus: read by a strict parser of its text format, by promtool where that is
 * installed, and compared with the state of record.
 */

import { spawnSync } from 'node:child_process';
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { MAX_SERIES } from '../../../server/control/metrics.ts';
import { which } from '../../../server/launch/paths.mjs';
import { bench, example, type Bench, type BenchOptions } from './fake.ts';

let open: Bench | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

interface Family {
  readonly type: string;
  readonly help: string;
  /** By name and labels, as they stand on the line. */
  readonly samples: Map<string, number>;
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const SAMPLE = new RegExp(`^(${NAME})(\\{(?:${LABEL}(?:,${LABEL})*)?\\})? (\\S+)$`, 'u');
const NUMBER = /^(NaN|[+-]Inf|[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)$/u;

/** Text format 0.0.4, every line of it, with what promtool asks of names. */
function parse(text: string): Map<string, Family> {
  expect(text.endsWith('\n')).toBe(true);
  const families = new Map<string, Family>();
  let family: (Family & { name: string }) | undefined;
  let help: { name: string; text: string } | undefined;
  for (const line of text.split('\n').slice(0, -1)) {
    if (line === '') continue;
    const described = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`, 'u').exec(line);
    if (described !== null) {
      const [, what, name = '', rest = ''] = described;
      expect(families.has(name), `${name} is described once`).toBe(false);
      if (what === 'HELP') {
        help = { name, text: rest };
        continue;
      }
      expect(help?.name, `${name} has its help first`).toBe(name);
      expect(['counter', 'gauge', 'histogram', 'summary']).toContain(rest);
      expect(name.endsWith('_total'), name).toBe(rest === 'counter');
      expect(name).not.toMatch(/milli|micro|minutes|hours|kilo|percent|gauge|counter|histogram/u);
      family = { name, type: rest, help: help?.text ?? '', samples: new Map() };
      families.set(name, family);
      continue;
    }
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? expect.unreachable(line);
    const suffixes = family?.type === 'histogram' ? '(_bucket|_sum|_count)' : '(_sum|_count)?';
    expect(name, line).toMatch(new RegExp(`^${family?.name}${suffixes}$`, 'u'));
    expect(value, line).toMatch(NUMBER);
    expect(family?.samples.has(name + labels), `${line} stands once`).toBe(false);
    family?.samples.set(name + labels, Number(value.replace('Inf', 'Infinity')));
  }
  return families;
}

async function start(options: BenchOptions = {}) {
  open = await bench(options);
  const { http } = open;
  const scrape = async () => {
    const reply = await http.inject('/metrics');
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    return { text: reply.body, families: parse(reply.body) };
  };
  const sample = async (key: string): Promise<number | undefined> =>
    (await scrape()).families.get(/^\w+/u.exec(key)?.[0] ?? '')?.samples.get(key);
  return Object.assign(open, { scrape, sample });
}

test('every line follows the text format, and says what the state of record says', async () => {
  const { scrape, engine, session } = await start();
  engine.set({ xruns: 3, lateBlocks: 2, nanBlocks: 1, restarts: 4, latency: 480 });
  engine.crank({ step: 187, loss: 0.25, learningRate: 0.5 });
  const { families } = await scrape();
  const value = (key: string): number | undefined =>
    families.get(/^\w+/u.exec(key)?.[0] ?? '')?.samples.get(key);
  expect(value('livegrad_build_info{version="0.0.0"}')).toBe(1);
  expect(value(`livegrad_patch_info{patch="gain",mode="${session.state.artifact?.mode}"}`)).toBe(1);
  expect(value('livegrad_ready')).toBe(1);
  expect(value('livegrad_engine_state{state="running"}')).toBe(1);
  expect(value('livegrad_engine_state{state="degraded"}')).toBe(0);
  expect(value('livegrad_engine_load_ratio{statistic="p99"}')).toBe(0.2);
  expect(value('livegrad_engine_xruns_total')).toBe(3);
  expect(value('livegrad_engine_late_blocks_total')).toBe(2);
  expect(value('livegrad_engine_nan_blocks_total')).toBe(1);
  expect(value('livegrad_engine_restarts_total')).toBe(4);
  expect(value('livegrad_engine_sample_rate_hertz')).toBe(48000);
  expect(value('livegrad_engine_round_trip_seconds')).toBe(0.01);
  expect(value('livegrad_output_muted')).toBe(1);
  expect(value('livegrad_training_running')).toBe(1);
  expect(value('livegrad_training_step')).toBe(187);
  expect(value('livegrad_training_loss')).toBe(0.25);
  expect(value('livegrad_training_learning_rate')).toBe(0.5);
  expect(value('livegrad_training_gradient_norm')).toBe(0.25);
  expect(value('livegrad_parameter_gradient{id="gain",kind="learnable"}')).toBe(-0.25);
  expect(value('livegrad_parameter_value{id="hidden/gain",kind="slider"}')).toBe(
    session.state.values.get('hidden/gain'),
  );
  expect(value('livegrad_parameter_frozen{id="gain",kind="learnable"}')).toBe(0);
  const compiled = families.get('livegrad_compile_duration_seconds')?.samples;
  expect(compiled?.get('livegrad_compile_duration_seconds_count{outcome="compiled"}')).toBe(1);
  expect(families.get('process_cpu_seconds_total')?.type).toBe('counter');
  expect(families.get('process_resident_memory_bytes')?.samples.size).toBe(1);
});

const promtool = which('promtool');

test('promtool, where it is installed, has nothing to object to', async () => {
  const { scrape, engine } = await start();
  engine.crank();
  const { text } = await scrape();
  if (promtool === null) return;
  const checked = spawnSync(promtool, ['check', 'metrics'], { input: text, encoding: 'utf8' });
  expect([checked.status, checked.stdout + checked.stderr]).toEqual([0, '']);
});

test('what is not known has no sample, and one that was known goes', async () => {
  const { sample, scrape, engine, session } = await start();
  expect(await sample('livegrad_training_loss')).toBeUndefined();
  engine.crank();
  expect(await sample('livegrad_training_loss')).toBeGreaterThan(0);
  await session.setPatch(example('one-pole'), undefined);
  expect(await sample('livegrad_parameter_value{id="gain",kind="learnable"}')).toBeUndefined();
  expect((await scrape()).families.get('livegrad_patch_info')?.samples.size).toBe(1);
});

test('compilations are counted by what became of them', async () => {
  const { http, scrape } = await start();
  await http.inject({ method: 'POST', url: '/api/v1/patch/check', payload: { example: 'gain' } });
  await http.inject({ method: 'POST', url: '/api/v1/patch/check', payload: { format: 'none' } });
  const { families } = await scrape();
  const { samples } = families.get('livegrad_compile_duration_seconds')!;
  const count = (outcome: string): number | undefined =>
    samples.get(`livegrad_compile_duration_seconds_count{outcome="${outcome}"}`);
  expect([count('compiled'), count('refused')]).toEqual([2, 1]);
  const bucket = 'livegrad_compile_duration_seconds_bucket{le="+Inf",outcome="compiled"}';
  expect(samples.get(bucket)).toBe(2);
});

test('sockets are counted, and telemetry that a client did not get stays counted', async () => {
  const host = await start({ queueLimit: 64 * 1024 });
  const { sample, engine, sockets } = host;
  const url = `${(await host.listen()).replace('http', 'ws')}/api/v1/ws`;
  const socket = new WebSocket(url);
  await new Promise((resolve) => socket.once('open', resolve));
  expect(await sample('livegrad_sockets')).toBe(1);
  expect(await sample('livegrad_telemetry_dropped_frames_total')).toBe(0);
  const subscribe = { topics: ['params'], rate: 60 };
  socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscribe', params: subscribe }));
  await new Promise((resolve) => socket.once('message', resolve));
  socket.pause();
  const params = new Float64Array(16_000);
  const now = vi.spyOn(performance, 'now');
  let time = performance.now();
  for (let k = 0; k < 1000 && sockets.dropped === 0; k++) {
    now.mockReturnValue((time += 17));
    engine.crank({ params });
    if (k % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  now.mockRestore();
  socket.terminate();
  await expect.poll(() => sockets.count).toBe(0);
  expect(await sample('livegrad_sockets')).toBe(0);
  expect(await sample('livegrad_telemetry_dropped_frames_total')).toBe(sockets.dropped);
  expect(sockets.dropped).toBeGreaterThan(0);
});

test('a large patch has a bounded number of series, and counts whole', async () => {
  const { sample, engine, session, scrape } = await start({ patch: example('echo-canceller') });
  engine.crank();
  const sliders = Object.keys(session.state.patch.sliders).length;
  const learnables = session.state.values.size - sliders;
  expect(learnables).toBeGreaterThan(MAX_SERIES);
  const { families } = await scrape();
  expect(families.get('livegrad_parameter_value')?.samples.size).toBe(MAX_SERIES);
  expect(await sample('livegrad_parameters{kind="learnable"}')).toBe(learnables);
  const norm = Math.hypot(...Array.from({ length: learnables }, (_, i) => 0.25 * (i + 1)));
  expect(await sample('livegrad_training_gradient_norm')).toBeCloseTo(norm, 6);
});

test('with a token metrics ask for it, health does not', async () => {
  const { http } = await start({ token: 'secret' });
  expect((await http.inject('/metrics')).statusCode).toBe(401);
  const headers = { authorization: 'Bearer secret' };
  expect((await http.inject({ url: '/metrics', headers })).statusCode).toBe(200);
  expect((await http.inject('/readyz')).statusCode).toBe(200);
});

test('a page of another site does not read the metrics', async () => {
  const { http } = await start();
  const headers = { host: '127.0.0.1:8440', origin: 'https://evil.example' };
  expect((await http.inject({ url: '/metrics', headers })).statusCode).toBe(403);
});
