/**
 * The engine process: its main thread. Links the supervisor (IPC) to the audio thread (shared
 * memory): compiles programs, passes changes on, drains measurements sixty times a second.
 *
 * Invariants: nothing here blocks for long, because silence of half a second is taken for a
 * hang; when the supervisor goes away, so does this process, at once; it knows nothing of HTTP.
 * It never leaves by itself with an open device except through the audio thread's own closing.
 */
import { writeSync } from 'node:fs';
import { MessageChannel, Worker } from 'node:worker_threads';

import { rateIn } from '../../config/schema.ts';
import { planAdoption, wordsIn } from '../../dsp/run/adopt.ts';
import { recallLength, recalledFrom } from '../../dsp/run/recall.ts';
import { messageOf, problem } from '../audio/problem.ts';
import type { Probe } from './calibration.ts';
import { createProbe, locate } from './calibration.ts';
import { ChannelMap } from './channels.ts';
import { ProgramControls, Switches } from './controls.ts';
import { LAG_WINDOW, lagOf } from './lag.ts';
import { Pictures } from './pictures.ts';
import type { RecordLayout } from './record.ts';
import { decode, recordLayout } from './record.ts';
import { Ring } from './ring.ts';
import { rehearse } from './rehearse.ts';
import { createTone } from './tone.ts';
import { tryRevectorize } from './revectorize.ts';
import type { RecorderData, RecorderMail } from './record-worker.ts';
import { comparedIn } from './signals.ts';
import { SPARE, Tap, TapReader, tracksOf } from './tap.ts';
import type {
  Inheritance,
  Mail,
  OpenSettings,
  Ready,
  RecallRoom,
  ThreadData,
  ThreadReport,
} from './thread.ts';
import { translate } from './translate.ts';
import { UpdateRatios } from './updates.ts';
import type {
  Artifact,
  Command,
  DeviceInfo,
  Diagnostic,
  Lag,
  Loading,
  PictureRates,
  RecordEnd,
  Report,
  Steering,
  TestTone,
} from './types.ts';

/** Milliseconds between looks at the rings. */
const TICK = 1000 / 60;
const SLOTS = 16;

interface Playing {
  readonly generation: number;
  readonly artifact: Artifact | null;
  readonly controls: ProgramControls | null;
  readonly ring: Ring;
  readonly layout: RecordLayout;
  readonly updates: UpdateRatios;
  readonly recall: RecallRoom | null;
}

/** Seconds that the tap reaches back at least, where its memory allows: for pictures and the lag. */
const LOOKBACK = 2;
/** Between two measurements of the lag, ms: in between the last one counts. */
const LAG_PERIOD = 250;

const switches = new Switches();
const channels = new ChannelMap();
const { port1: mailbox, port2: threadMailbox } = new MessageChannel();
let device: DeviceInfo | null = null;
let playing: Playing | null = null;
let next: Playing | null = null;
let probe: Probe | null = null;
let tap: Tap | null = null;
let pictures: Pictures | null = null;
let rates: PictureRates = { scope: 0, spectrum: 0 };
/** Writes recordings; there once something was to be recorded. */
let recorder: Worker | null = null;
let lag: { readonly at: number; readonly program: number; readonly value: Lag } | null = null;
/** That was asked what it remembers. */
let recalling: Playing | null = null;
/** What the program remembers is asked for while it is on its way. */
let isAsked = false;
/** Are programs to be tried on eight numbers at a time? */
let revectorize: Extract<Command, { kind: 'open' }>['revectorize'] = 'off';

function send(report: Report): void {
  process.send?.(report);
}

/** Sends the last report and ends; a device that hangs on the way out must not hold us. */
function leave(report: Report | null): void {
  const end = () => process.kill(process.pid, 'SIGKILL');
  if (report === null || process.send === undefined) end();
  else process.send(report, undefined, undefined, end);
}

function prepare(artifact: Artifact): Ready {
  const module = translate(artifact.wasm);
  if (revectorize === 'off') return { artifact, module };
  const wide = tryRevectorize(artifact, module);
  send({ kind: 'revectorized', on: wide.module !== null, detail: wide.detail });
  return { artifact, module: wide.module ?? module };
}

async function open(command: Extract<Command, { kind: 'open' }>): Promise<void> {
  const audio = command.audio as OpenSettings;
  switches.muted = command.muted;
  switches.gainMilliDb = command.gainDb * 1000;
  channels.set(audio.inputMap, audio.outputMap);
  const data: ThreadData = {
    audio,
    switches: switches.buffer,
    channels: channels.buffer,
    mailbox: threadMailbox,
    lookback: Math.max(LOOKBACK, command.lookback),
    rig: audio.backend === 'virtual' ? await prepareRig(audio) : null,
  };
  ({ revectorize } = command);
  const worker = new Worker(new URL('./audio-worker.ts', import.meta.url), {
    workerData: data,
    transferList: [threadMailbox],
  });
  worker.on('message', (report: ThreadReport) => onThread(report, command.load));
  worker.on('error', (error) => {
    writeSync(2, `audio thread: ${error instanceof Error ? error.stack : String(error)}\n`);
    leave(null);
  });
}

/** Loaded here and not at the top: an engine on hardware starts without the compiler. */
async function prepareRig(audio: OpenSettings): Promise<Ready> {
  const [{ compile }, { RIG }] = await Promise.all([
    import('../../dsp/compile.ts'),
    import('../../dsp/examples/index.ts'),
  ]);
  const options = { sampleRate: rateIn(audio), maxBlock: audio.blockSize, latency: 0 };
  const compiled = compile(RIG, options);
  if (!compiled.ok) throw new Error(compiled.diagnostics.map((d) => d.message).join('; '));
  return prepare(compiled.value);
}

function onThread(report: ThreadReport, load: Loading | null): void {
  switch (report.kind) {
    case 'opened': {
      device = report.device;
      const layout = recordLayout(0, device.inputs, device.outputs);
      const ring = new Ring(report.ring, layout.length);
      const updates = new UpdateRatios([]);
      const none = { artifact: null, controls: null, recall: null };
      playing = { generation: 0, ...none, ring, layout, updates };
      tap = new Tap(report.tap, tracksOf(device).count);
      pictures = new Pictures(tap, device);
      pictures.watch(rates);
      const lookback = Math.max(0, tap.reach / device.sampleRate - SPARE);
      send({ kind: 'opened', device, realtime: report.realtime, lookback });
      setInterval(tick, TICK);
      if (load !== null) install(load);
      break;
    }
    case 'failed':
      leave(report);
      break;
    case 'refused':
      next = null;
      refuse(report.generation, [problem('PROGRAM_WASM', '', report.message)]);
      break;
    case 'closed':
      if (report.end === 'ended') leave({ kind: 'ended', message: 'the input file has ended' });
      else if (report.end === 'stopped') leave(null);
      else {
        const message = 'the device stopped delivering audio';
        leave({ kind: 'failed', diagnostics: [problem('AUDIO_DEVICE_LOST', 'audio', message)] });
      }
      break;
  }
}

function refuse(generation: number, diagnostics: readonly Diagnostic[]): void {
  send({ kind: 'refused', generation, diagnostics });
}

/** Everything that keeps an artifact from running on the open device. */
function misfits(artifact: Artifact, info: DeviceInfo): Diagnostic[] {
  const found: Diagnostic[] = [];
  if (artifact.sampleRate !== info.sampleRate) {
    const message = `program compiled for ${artifact.sampleRate} Hz, device runs at ${info.sampleRate} Hz`;
    found.push(problem('PROGRAM_RATE', '', message));
  }
  if (artifact.maxBlock < info.blockSize) {
    const message = `program compiled for blocks of ${artifact.maxBlock}, device delivers ${info.blockSize}`;
    found.push(problem('PROGRAM_BLOCK', '', message));
  }
  for (const direction of ['inputs', 'outputs'] as const) {
    if (artifact[direction] <= info[direction]) continue;
    const name = direction === 'inputs' ? info.input : info.output;
    const message = `program needs ${artifact[direction]} ${direction}, device "${name}" is open with ${info[direction]}`;
    const hint = `Raise audio.${direction.slice(0, -1)}Channels, or use a device with more ${direction}.`;
    found.push(problem('PROGRAM_CHANNELS', direction, message, hint));
  }
  return found;
}

function install({ generation, program }: Loading): void {
  if (device === null) return;
  const { artifact, ...start } = program;
  const wrong = misfits(artifact, device);
  if (wrong.length > 0) {
    refuse(generation, wrong);
    return;
  }
  try {
    const ready = prepare(artifact);
    const { params, meters } = artifact;
    const layout = recordLayout(params.length, device.inputs, device.outputs, meters.length);
    const ring = Ring.create(layout.length, SLOTS);
    const controls = new ProgramControls(start.sliders, params.length);
    const inherits = inheritance(ready, device, start.isOwn === true);
    const updates = new UpdateRatios(params);
    const recall = recallRoom(artifact);
    next = { generation, artifact, controls, ring, layout, updates, recall };
    const [{ buffer }, rows] = [controls, ring.buffer];
    post({
      kind: 'program',
      generation,
      ready,
      start,
      inherits,
      controls: buffer,
      ring: rows,
      recall,
    });
  } catch (error) {
    const message = `the generated code does not compile: ${messageOf(error)}`;
    refuse(generation, [problem('PROGRAM_WASM', '', message)]);
  }
}

/** Milliseconds to copy a word in code that runs for the first time (1.2e-6 later; x86-64). */
const COPYING = 5e-6;

/** What may play when the audio thread gets the program: another version of it hands its states on. */
function inheritance(
  ready: Ready,
  { blockSize, sampleRate }: DeviceInfo,
  isOwn: boolean,
): Inheritance {
  const { artifact } = ready;
  const plans = [playing, next].flatMap((before) => {
    if (before === null || before.artifact?.name !== artifact.name) return [];
    const plan = planAdoption(before.artifact, artifact, isOwn ? 'signals' : 'all');
    return plan === null ? [] : [{ from: before.generation, plan }];
  });
  const words = Math.max(0, ...plans.map(({ plan }) => wordsIn(plan)));
  const period = (1000 * blockSize) / sampleRate;
  return { cost: (rehearse(ready) + COPYING * words) / period, plans };
}

/** Numbers that the audio thread copies in one go: a quarter of a millisecond (x86-64). */
const MAX_RECALL = 2 ** 18;

function recallRoom(artifact: Artifact): RecallRoom | null {
  const numbers = recallLength(artifact);
  if (numbers > MAX_RECALL) return null;
  return {
    words: new Int32Array(new SharedArrayBuffer(8)),
    numbers: new Float64Array(new SharedArrayBuffer(8 * numbers)),
  };
}

/** Asks the audio thread what the program remembers, once it plays; `tick` finds the answer. */
function recall(): void {
  isAsked = next !== null;
  if (isAsked) return;
  const room = playing?.recall ?? null;
  if (playing === null || room === null) {
    send({ kind: 'recalled', generation: playing?.generation ?? 0, recalled: null });
    return;
  }
  Atomics.add(room.words, 0, 1);
  recalling = playing;
}

function tellRecalled({ generation, artifact, recall: room }: Playing): void {
  if (room === null || artifact === null) return;
  if (Atomics.load(room.words, 0) !== Atomics.load(room.words, 1)) return;
  recalling = null;
  const recalled = recalledFrom(room.numbers, artifact.params.length);
  send({ kind: 'recalled', generation, recalled });
}

function post(mail: Mail): void {
  mailbox.postMessage(mail);
  switches.announceMail();
}

function tick(): void {
  if (playing !== null) drain(playing);
  if (next !== null && switches.playing === next.generation) {
    playing = next;
    next = null;
    isAsked ||= recalling !== null;
    recalling = null;
    send({ kind: 'loaded', generation: playing.generation });
    drain(playing);
  }
  draw();
  if (isAsked && next === null) recall();
  if (recalling !== null) tellRecalled(recalling);
  if (probe !== null && Atomics.load(probe.done, 0) === 1) {
    const done = probe;
    probe = null;
    if (done.outputs === null) void evaluate(done);
    else send({ kind: 'tested', diagnostics: [] });
  }
}

/** Rows are dropped, not queued, while the supervisor does not take them. */
let congested = false;

/** Notes when the supervisor does not keep up. */
function sendOften(report: Report): void {
  congested = process.send?.(report, undefined, undefined, () => (congested = false)) === false;
}

function drain({ ring, layout, updates }: Playing): void {
  for (let row = ring.peek(); row !== null; row = ring.peek()) {
    if (!congested) {
      const seen = decode(row, layout);
      const measurement = { ...seen, updates: updates.measure(seen.step, seen.params) };
      sendOften({ kind: 'measurement', measurement });
    }
    ring.pop();
  }
}

/** Pictures of the signals, for those who look. */
function draw(): void {
  if (pictures === null || playing === null || congested) return;
  const { generation, artifact } = playing;
  for (const picture of pictures.take(performance.now(), generation, comparedIn(artifact))) {
    sendOften({ kind: 'picture', picture });
  }
}

function measureLag(): Lag {
  const nothing: Lag = { delay: null, confidence: 0 };
  if (tap === null || device === null || playing === null) return nothing;
  if (comparedIn(playing.artifact) !== 'both') return nothing;
  const now = performance.now();
  const { generation: program } = playing;
  if (lag !== null && lag.program === program && now - lag.at < LAG_PERIOD) return lag.value;
  const reader = new TapReader(tap);
  const count = Math.min(LAG_WINDOW, reader.written - reader.oldest);
  const { target, estimate } = tracksOf(device);
  const heard = [new Float32Array(count), new Float32Array(count)] as const;
  if (!reader.read([target, estimate], reader.written - count, count, heard)) return nothing;
  lag = { at: now, program, value: lagOf(...heard) };
  return lag.value;
}

function tellRecorder(mail: RecorderMail): void {
  if (tap === null || device === null) return;
  if (recorder === null) {
    const { count: tracks } = tracksOf(device);
    const { sampleRate } = device;
    const workerData: RecorderData = { tap: tap.buffer, tracks, sampleRate };
    recorder = new Worker(new URL('./record-worker.ts', import.meta.url), { workerData });
    recorder.on('message', (end: RecordEnd) => send({ kind: 'recorded', end }));
    recorder.on('error', (error) => {
      writeSync(2, `recorder: ${error instanceof Error ? error.stack : String(error)}\n`);
      leave(null);
    });
  }
  recorder.postMessage(mail);
}

function calibrate(): void {
  if (device === null) return;
  if (probe !== null) {
    const message = 'a calibration is under way';
    send({ kind: 'uncalibrated', diagnostics: [problem('CALIBRATION_BUSY', '', message)] });
    return;
  }
  probe = createProbe(device.sampleRate, device.inputs);
  post({ kind: 'probe', probe });
}

function test(tone: TestTone): void {
  if (device === null) return;
  const missing = tone.outputs.find((output) => output >= device!.outputs);
  const found =
    probe !== null
      ? problem('CALIBRATION_BUSY', '', 'a calibration or a test is under way')
      : missing !== undefined
        ? problem(
            'TEST_OUTPUT',
            'outputs',
            `expected outputs from 1 to ${device.outputs}, got ${missing + 1}`,
          )
        : null;
  if (found !== null) {
    send({ kind: 'tested', diagnostics: [found] });
    return;
  }
  probe = createTone(device.sampleRate, tone);
  post({ kind: 'probe', probe });
}

async function evaluate(done: Probe): Promise<void> {
  const calibration = await locate(done, device!.sampleRate);
  if (calibration !== null) {
    send({ kind: 'calibrated', calibration });
    return;
  }
  const found = problem(
    'CALIBRATION_UNHEARD',
    '',
    `the probe was heard on none of the ${done.recordings.length} inputs`,
    'Connect an output to an input, and raise the gain if it is low.',
  );
  send({ kind: 'uncalibrated', diagnostics: [found] });
}

function steer(generation: number, change: Steering): void {
  const target = next?.generation === generation ? next : playing;
  const controls = target?.generation === generation ? target.controls : null;
  if (controls === null) return;
  switch (change.what) {
    case 'slider':
      controls.setSlider(change.index, change.value);
      break;
    case 'param':
      controls.setParam(change.index, change.value);
      break;
    case 'frozen':
      controls.setFrozen(change.index, change.on);
      break;
    case 'rate':
      controls.setRate(change.index, change.factor);
      break;
    case 'learning':
      controls.setLearning(change.on);
      break;
    case 'schedule':
      controls.setSchedule(change.schedule);
      break;
    case 'reset':
      controls.reset();
      break;
    case 'restart':
      controls.restart();
      break;
  }
}

function obey(command: Command): void {
  switch (command.kind) {
    case 'open':
      void open(command).catch((error: unknown) => {
        const found = problem('AUDIO_OPEN_FAILED', 'audio', messageOf(error));
        leave({ kind: 'failed', diagnostics: [found] });
      });
      break;
    case 'load':
      install(command);
      break;
    case 'steer':
      steer(command.generation, command);
      break;
    case 'output':
      switches.muted = command.muted;
      switches.gainMilliDb = command.gainDb * 1000;
      break;
    case 'channels':
      channels.set(command.inputs, command.outputs);
      break;
    case 'calibrate':
      calibrate();
      break;
    case 'watch':
      ({ rates } = command);
      pictures?.watch(rates);
      break;
    case 'lag':
      send({ kind: 'lag', lag: measureLag() });
      break;
    case 'test':
      test(command.tone);
      break;
    case 'recall':
      recall();
      break;
    case 'record':
      tellRecorder({ kind: 'begin', order: command.order });
      break;
    case 'limitRecord':
      tellRecorder({ ...command, kind: 'limit' });
      break;
    case 'endRecord':
      tellRecorder({ kind: 'stop', id: command.id });
      break;
    case 'stop':
      switches.requestStop();
      break;
  }
}

// A terminal or a service manager signals the whole group: how to end is the supervisor's word.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => leave(null));
process.on('message', obey);
send({ kind: 'ready' });
