/**
 * A Supervisor with ears: collects what it reports, waits for conditions, loads shipped examples.
 * Invariant: `close` stops it, also when the test has failed.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { compile } from '../../dsp/compile.ts';
import { EXAMPLES } from '../../dsp/examples/index.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import { parsePatch } from '../../dsp/patch/schema.ts';
import { Supervisor } from '../../server/engine/supervisor.ts';
import type {
  AudioSettings,
  EngineEvent,
  EngineStatus,
  Measurement,
  Picture,
  Program,
} from '../../server/engine/types.ts';

export const AUDIO: AudioSettings = {
  backend: 'virtual',
  input: '',
  output: '',
  sampleRate: 48000,
  blockSize: 256,
  inputChannels: 2,
  outputChannels: 2,
  inputMap: [],
  outputMap: [],
  clock: 'realtime',
  loop: false,
  realtimePriority: true,
};

export interface Supervised {
  readonly supervisor: Supervisor;
  readonly events: EngineEvent[];
  readonly states: string[];
  /** Of the signals, the oldest first. */
  readonly pictures: Picture[];
  /** The newest measurement. */
  readonly last: () => Measurement;
  /** Resolves when the condition holds; throws with what is known after `seconds`. */
  readonly until: (what: string, condition: () => boolean, seconds?: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** @param revectorize  off: an engine starts sooner and tells nothing of it */
export async function supervise(
  audio: Partial<AudioSettings> = {},
  revectorize: 'auto' | 'off' = 'off',
): Promise<Supervised> {
  const events: EngineEvent[] = [];
  const states: string[] = [];
  const pictures: Picture[] = [];
  let last: Measurement | null = null;
  const log = () => undefined;
  const supervisor = new Supervisor({
    audio: { ...AUDIO, ...audio },
    revectorize,
    lookback: 2,
    log: { debug: log, info: log, warn: log, error: log },
    onMeasurement: (measurement) => (last = measurement),
    onPicture: (picture) => pictures.push(picture),
    onStatus: ({ state }: EngineStatus) => {
      if (states.at(-1) !== state) states.push(state);
    },
    onEvent: (event) => events.push(event),
  });
  await supervisor.start();
  return {
    supervisor,
    events,
    states,
    pictures,
    last: () => {
      if (last === null) throw new Error('nothing was measured yet');
      return last;
    },
    until: async (what, condition, seconds = 10) => {
      const end = performance.now() + seconds * 1000;
      while (!condition()) {
        if (performance.now() > end) {
          const known = JSON.stringify(
            { status: supervisor.status, states, events, last },
            null,
            1,
          );
          throw new Error(`waited ${seconds} s in vain for ${what}: ${known}`);
        }
        await sleep(10);
      }
    },
    close: () => supervisor.stop(),
  };
}

export interface ProgramOptions {
  readonly sampleRate?: number;
  readonly maxBlock?: number;
  readonly latency?: number;
}

/** A patch compiled for the device, learning from its initial values. */
export function programOf(patch: Patch, options: ProgramOptions = {}): Program {
  const compiled = compile(patch, { sampleRate: 48000, maxBlock: 256, latency: 0, ...options });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  const artifact = compiled.value;
  return {
    artifact,
    sliders: artifact.sliders.map((c) => c.initial),
    params: artifact.params.map((c) => c.initial),
    frozen: artifact.params.map(() => false),
    rates: artifact.params.map(({ rate = 1 }) => rate),
    schedule: patch.training?.schedule ?? { kind: 'constant', rate: 0 },
    learning: true,
    step: 0,
  };
}

/** Plays noise at a level and learns by how much it comes back quieter on an input. */
export function attenuationPatch(channel = 1, rate = 2): Patch {
  const patch = parsePatch({
    format: 'livegrad.patch/1',
    name: 'attenuation',
    sliders: { level: { initial: 0.25, min: 0, max: 1 } },
    params: { gain: { initial: 1, min: -2, max: 2 } },
    nodes: {
      hiss: { op: 'noise', seed: 7 },
      sent: { op: 'mul', in: ['hiss', 'level'] },
      aligned: { op: 'align', in: ['sent'] },
      estimate: { op: 'mul', in: ['aligned', 'gain'] },
      heard: { op: 'input', channel },
    },
    outputs: ['sent', 'sent'],
    training: {
      estimate: 'estimate',
      target: 'heard',
      loss: 'mse',
      window: 256,
      mode: 'auto',
      optimiser: { kind: 'sgd' },
      schedule: { kind: 'constant', rate },
    },
  });
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  return patch.value;
}

export function exampleProgram(name: string, options: ProgramOptions = {}): Program {
  const patch = EXAMPLES[name];
  if (patch === undefined) throw new Error(`there is no example ${name}`);
  return programOf(patch, options);
}

/** Whether a process runs; one that ended but was not yet collected by its parent does not. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return process.platform !== 'linux';
  }
}
