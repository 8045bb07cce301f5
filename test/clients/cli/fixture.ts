/** A host as `watch` sees it, made by hand. */

import { SGD } from '../../../dsp/learn/optimisers/table.ts';
import type { Frame } from '../../../server/api/frame.ts';
import type { Meter, Param } from '../../../server/api/schemas.ts';
import type { Topic } from '../../../server/api/socket.ts';
import type { Snapshot } from '../../../clients/cli/watch/state.ts';

export const learnable = (id: string, index: number, more: Partial<Param> = {}): Param => ({
  id,
  kind: 'learnable',
  index,
  value: 0.5,
  gradient: 0,
  frozen: false,
  rate: 1,
  learn: 'linear',
  initial: 1,
  min: -2,
  max: 2,
  scale: 'linear',
  ...more,
});

export const slider = (id: string, index: number, more: Partial<Param> = {}): Param => ({
  ...learnable(id, index, more),
  kind: 'slider',
  gradient: null,
  rate: null,
  learn: null,
});

export const meter = (id: string, index: number, more: Partial<Meter> = {}): Meter => ({
  id,
  index,
  value: 0.25,
  min: 0,
  max: 1,
  scale: 'linear',
  ...more,
});

export function snapshot(
  params: readonly Param[] = [learnable('gain', 0), slider('hidden/gain', 0, { min: 0 })],
  meters: readonly Meter[] = [],
): Snapshot {
  return {
    status: {
      name: 'livegrad',
      version: '0.1.0',
      uptime: 12,
      revision: 7,
      patch: 'gain',
      program: 3,
      source: { file: null, diagnostics: [] },
      engine: {
        muted: false,
        gainDb: 0,
        state: 'running',
        pid: 4711,
        backend: 'virtual',
        device: { input: 'virtual rig', output: 'virtual rig' },
        sampleRate: 48_000,
        blockSize: 256,
        inputs: 2,
        outputs: 2,
        latency: 0,
        inputMap: [],
        outputMap: [],
        load: { mean: 0.01, p99: 0.02, max: 0.05 },
        xruns: 0,
        lateBlocks: 0,
        nanBlocks: 0,
        framesProcessed: 1e6,
        restarts: 0,
        realtime: true,
        revectorized: true,
        reason: null,
      },
      training: {
        running: true,
        waiting: false,
        step: 100,
        loss: 0.01,
        learningRate: 1,
        fault: false,
        cause: null,
      },
    },
    training: {
      running: true,
      waiting: false,
      step: 100,
      loss: 0.01,
      learningRate: 1,
      fault: false,
      cause: null,
      settings: {
        estimate: 'estimate',
        target: 'target',
        loss: 'mse',
        window: 256,
        mode: 'auto',
        optimiser: SGD,
      },
      schedule: { kind: 'constant', rate: 1 },
    },
    params,
    meters,
  };
}

export const frame = (
  topic: Topic,
  values: readonly number[],
  more: Partial<Frame> = {},
): Frame => ({
  topic,
  learning: true,
  fault: false,
  gap: false,
  sequence: 0,
  program: 3,
  time: 48_000,
  step: 200,
  values: Float32Array.from(values),
  ...more,
});
