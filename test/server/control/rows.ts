/**
 * One row for each operation of the API: a call that succeeds, what everyone else is told by it, and
 * a call that meets each error that it lists.
 *
 * Invariant: total over the operations and over each one's errors by its type, so that neither can be
 * added without a row here. `conformance.test.ts` runs all of them over REST and over the socket.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { patchSchema } from '../../../dsp/patch/schema.ts';
import type { ErrorCode } from '../../../server/api/errors.ts';
import type { OPERATIONS, Input } from '../../../server/api/operations.ts';
import type { OperationId } from '../../../server/api/routes.ts';
import type { Snapshot } from '../../../server/api/snapshots.ts';
import type { ChangeKind } from '../../../server/api/socket.ts';
import { Compiler, type Compiled } from '../../../server/compile/compiler.ts';
import { dispatch } from '../../../server/control/operations.ts';
import type { PatchCompiler } from '../../../server/control/session.ts';
import { snapshotOf } from '../../../server/control/snapshot.ts';
import type { OpenPorts } from '../../../server/midi/ports.ts';
import { stateOf } from '../../../server/control/state.ts';
import { example, refusal, type Bench, type BenchOptions } from './fake.ts';

/** A host in which a call is made, and the input of the call. */
interface Scene<K extends OperationId> {
  readonly options?: () => BenchOptions;
  /** Before the call, and before anyone listens. */
  readonly arrange?: (bench: Bench) => unknown;
  readonly input: Input<K> | ((bench: Bench) => Input<K> | Promise<Input<K>>);
}

/** A call that is refused. */
interface Refusal<K extends OperationId> extends Omit<Scene<K>, 'input'> {
  /** That of the call that succeeds if not given; checked by nobody, since it may be wrong. */
  readonly input?: unknown;
  /** Of a request that only HTTP can make. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface Row<K extends OperationId> extends Scene<K> {
  /** Notifications that every other socket gets, in their order; none: it only looks. */
  readonly tells: readonly ChangeKind[];
  /** Those of them that the caller gets, too, since it caused them without asking for them. */
  readonly echoes?: readonly ChangeKind[];
  /** A step that can be undone, or a step back: everyone, the caller too, is told what comes next. */
  readonly isStep?: boolean;
  /** Notifications that come at any time, from what goes on meanwhile. */
  readonly noise?: readonly ChangeKind[];
  readonly errors: {
    readonly [C in (typeof OPERATIONS)[K]['errors'][number]]: Refusal<K>;
  };
}

type Rows = { readonly [K in OperationId]: Row<K> };

/** Without a training section, and nothing that could be learned. */
const untrained = (): BenchOptions => {
  const { training: _, ...patch } = example('gain');
  return { patch: { ...patch, expect: [] } };
};

/** Nothing but a wire. */
const wire = (): BenchOptions => ({
  patch: patchSchema.parse({
    format: 'livegrad.patch/1',
    name: 'wire',
    nodes: { x: { op: 'input', channel: 1 } },
    outputs: ['x'],
  }),
});

/** A compiler that from the second patch on gives up, or refuses. */
function moody(answer: Exclude<Compiled, { kind: 'compiled' }>, after = 1): BenchOptions {
  const compiler = new Compiler();
  let calls = 0;
  const later: PatchCompiler = {
    compile: async (json, options) => {
      if (calls++ >= after) return answer;
      const compiled = await compiler.compile(json, options);
      if (calls === after) await compiler.stop();
      return compiled;
    },
    exportFaust: async () => answer,
  };
  return { compiler: later };
}

const tired = (after?: number) => moody({ kind: 'failed', reason: 'it was told to' }, after);
const choosy = (after?: number) => {
  const diagnostics = [{ code: 'FAKE', path: 'nodes', message: 'it was told to' }];
  return moody({ kind: 'refused', diagnostics }, after);
};

const does = async (
  { host }: Bench,
  id: OperationId,
  input: unknown,
): Promise<Record<string, unknown>> => {
  const outcome = await dispatch(host, id, input, undefined, 'admin');
  if (!outcome.ok) throw new Error(outcome.problem.detail);
  return outcome.value as Record<string, unknown>;
};

const full = (bench: Bench): void => {
  bench.engine.failLoad = 'there is no room for it';
};
/** What compiling and loading can meet, wherever a patch is changed. */
const COMPILES = {
  PATCH_INVALID: { options: () => choosy() },
  COMPILE_FAILED: { options: () => tired() },
  ENGINE_REFUSED: { arrange: full },
} as const;

/** Two sides are being compared. */
const BARRED = {
  AUDITION_UNDER_WAY: { arrange: ({ session }: Bench) => session.bar('one is under way') },
} as const;

/** Another patch was played, so that undoing it compiles. */
const stepped = (bench: Bench): Promise<unknown> =>
  does(bench, 'patch.set', { example: 'one-pole' });
const undone = async (bench: Bench): Promise<void> => {
  await stepped(bench);
  await does(bench, 'edits.undo', {});
};
const STEPS_BACK = {
  ...BARRED,
  NOTHING_TO_UNDO: { arrange: () => {} },
  PATCH_INVALID: { options: () => choosy(2), arrange: stepped },
  COMPILE_FAILED: { options: () => tired(2), arrange: stepped },
  ENGINE_REFUSED: {
    arrange: async (bench: Bench) => {
      await stepped(bench);
      full(bench);
    },
  },
} as const;
const STEPS_ON = {
  ...STEPS_BACK,
  PATCH_INVALID: { options: () => choosy(3), arrange: undone },
  COMPILE_FAILED: { options: () => tired(3), arrange: undone },
  ENGINE_REFUSED: {
    arrange: async (bench: Bench) => {
      await undone(bench);
      full(bench);
    },
  },
} as const;

const kept = (bench: Bench): Promise<unknown> => does(bench, 'snapshots.save', { name: 'warm' });
const foreign = async ({ host }: Bench): Promise<void> => {
  const state = stateOf(example('one-pole'));
  await host.snapshots.write(snapshotOf(state, 'warm', new Date()));
};
/** As `kept`, with what the learner remembers. */
const remembered = (bench: Bench): Promise<unknown> => {
  const optimiser = new Float64Array();
  bench.engine.remembers = { step: 9, paceMemory: [], params: [1], optimiser };
  return kept(bench);
};
/** The patch that plays does not compile for the device of now. */
const RESUMED = {
  arrange: async (bench: Bench) => {
    await remembered(bench);
    bench.engine.set({ blockSize: 512 });
    await does(bench, 'training.stop', {});
  },
  input: { name: 'warm', optimiser: true },
} as const;

const mapped = (bench: Bench): Promise<unknown> =>
  does(bench, 'midi.map', { id: 'hidden/gain', channel: 1, kind: 'cc', number: 7 });
/** MIDI with a port that nobody moves. */
const quiet: OpenPorts = (listener) => {
  listener.opened(['knobs'], ['knobs']);
  return { send: () => {}, close: () => Promise.resolve() };
};

/** Two sides are being compared, and B is heard. */
const auditioned = (bench: Bench): Promise<unknown> =>
  does(bench, 'audition.start', { values: { 'hidden/gain': 0.125 } });
const atA = async (bench: Bench): Promise<void> => {
  await auditioned(bench);
  await does(bench, 'audition.compare', { heard: 'a' });
};
/** What ways of ending an audition meet: the side that waits has to be compiled for another device. */
const waysTo = (arrange: (bench: Bench) => Promise<unknown>) => {
  const moved = async (bench: Bench): Promise<void> => {
    await arrange(bench);
    await does(bench, 'devices.select', { blockSize: 512 });
  };
  return {
    NO_AUDITION: { arrange: () => {} },
    PATCH_INVALID: { options: () => choosy(2), arrange: moved },
    COMPILE_FAILED: { options: () => tired(2), arrange: moved },
    ENGINE_REFUSED: {
      arrange: async (bench: Bench) => {
        await arrange(bench);
        full(bench);
      },
    },
  };
};

const snapshotNow = ({ session }: Bench): Snapshot =>
  snapshotOf(session.state, 'brought', new Date('2026-01-01T00:00:00Z'));

/** A state folder in which nothing can be kept. */
const nowhere: BenchOptions = { stateDir: '/dev/null' };
/** Another patch than what plays, in the library. */
const shelved = (bench: Bench): Promise<unknown> =>
  does(bench, 'library.put', { name: 'night', patch: { example: 'one-pole' } });

/** What is kept on disk is gone. */
const lost =
  (folder: string, keep: (bench: Bench) => Promise<unknown>) =>
  async (bench: Bench): Promise<void> => {
    await keep(bench);
    rmSync(join(bench.stateDir, folder), { recursive: true });
  };
/** A folder is where the file of the name "cold" would be. */
const blocked =
  (folder: string, keep: (bench: Bench) => Promise<unknown>) =>
  async (bench: Bench): Promise<void> => {
    await keep(bench);
    const hash = createHash('sha256').update('cold').digest('hex').slice(0, 16);
    mkdirSync(join(bench.stateDir, folder, `cold-${hash}.json`));
  };

const recordedTake = (bench: Bench): Promise<unknown> =>
  does(bench, 'recordings.keep', { name: 'take', seconds: 0.1 });
const recording = (bench: Bench): Promise<unknown> => does(bench, 'recordings.start', {});
const UNKNOWN_RECORDING = { input: { name: 'other' } } as const;
const UNRECORDED = {
  RECORDING_EXISTS: { arrange: recordedTake },
  NOTHING_TO_RECORD: { arrange: ({ engine }: Bench) => engine.set({ state: 'degraded' }) },
  NOT_KEPT: { options: () => nowhere },
} as const;

/** A program in Faust plays. */
const faust = (bench: Bench): Promise<unknown> =>
  does(bench, 'patch.set', {
    format: 'livegrad.patch/1',
    faust: { code: 'process = *(hslider("gain", 1, 0, 2, 0.01));' },
  });

const recorded: BenchOptions = { isRecorded: true };
const runs = async (bench: Bench): Promise<number> => {
  const { runs: found } = await does(bench, 'history.list', {});
  return (found as { run: number }[])[0]!.run;
};
const crank = ({ engine }: Bench): void => engine.crank();
const HISTORY_ERRORS = {
  UNKNOWN_RUN: { input: { run: 7 } },
  HISTORY_UNAVAILABLE: { options: () => nowhere, arrange: () => {}, input: { run: 7 } },
} as const;
const UNTRAINED = { NOT_TRAINABLE: { options: untrained } } as const;

const PATCH = ['patch.changed', 'params.changed', 'training.changed'] as const;

export const ROWS: Rows = {
  'status.get': { input: {}, tells: [], errors: {} },
  'devices.list': {
    input: {},
    tells: [],
    errors: {
      DEVICES_UNKNOWN: {
        arrange: ({ host }) => (host.devices = refusal('the listing process crashed')),
      },
    },
  },
  // Another block size is another program: nobody asked for that, so the caller is told as well.
  'devices.select': {
    input: { blockSize: 512 },
    tells: [...PATCH, 'engine.changed'],
    echoes: PATCH,
    errors: {
      UNKNOWN_DEVICE: { input: { output: 'nothing' } },
      DEVICES_UNKNOWN: {
        arrange: ({ host }) => (host.devices = refusal('the listing process crashed')),
        input: { output: 'virtual' },
      },
      DEVICE_REFUSED: { arrange: ({ engine }) => (engine.failSelect = 'no such device') },
    },
  },
  'devices.calibrate': {
    input: {},
    tells: ['engine.changed', ...PATCH],
    echoes: ['engine.changed', ...PATCH],
    errors: {
      NOT_CALIBRATED: { arrange: ({ engine }) => (engine.failCalibrate = 'the output is muted') },
    },
  },
  'devices.map': {
    input: { inputs: [2, 1] },
    tells: ['engine.changed'],
    errors: { CHANNELS_REFUSED: { input: { inputs: [3, 1] } } },
  },
  'devices.test': {
    arrange: (bench) => does(bench, 'output.set', { muted: false }),
    input: { signal: 'noise', outputs: [1] },
    tells: [],
    errors: { NOT_TESTED: { arrange: () => {} } },
  },
  'system.get': { input: {}, tells: [], errors: {} },
  'system.restartEngine': {
    input: {},
    tells: ['engine.changed'],
    errors: {
      DEVICE_REFUSED: { arrange: ({ engine }) => (engine.failSelect = 'no such device') },
    },
  },
  'system.shutdown': { input: {}, tells: [], errors: {} },
  'output.get': { input: {}, tells: [], errors: {} },
  'output.set': { input: { muted: false, gainDb: -6 }, tells: ['output.changed'], errors: {} },
  'examples.list': { input: {}, tells: [], errors: {} },
  'patch.get': {
    input: {},
    tells: [],
    errors: { NOT_FAUST: { headers: { accept: 'text/x-faust' } } },
  },
  'patch.set': {
    input: { example: 'one-pole' },
    tells: PATCH,
    isStep: true,
    errors: { ...COMPILES, ...BARRED, UNKNOWN_EXAMPLE: { input: { example: 'gian' } } },
  },
  'patch.check': {
    input: { example: 'one-pole' },
    tells: [],
    errors: {
      UNKNOWN_EXAMPLE: { input: { example: 'gian' } },
      COMPILE_FAILED: { options: () => tired() },
    },
  },
  'patch.export': {
    input: { format: 'patch' },
    tells: [],
    errors: {
      NOT_EXPORTABLE: { input: { format: 'faust' } },
      COMPILE_FAILED: {
        options: () => tired(2),
        arrange: faust,
        input: {},
      },
    },
  },
  'patch.info': {
    input: {},
    tells: [],
    errors: { ENGINE_REFUSED: { options: () => ({ ...choosy(0), isOpen: false }) } },
  },
  'params.list': { input: {}, tells: [], errors: {} },
  'params.update': {
    input: { values: { gain: 0.25, 'hidden/gain': 0.5 }, rates: { gain: 2 } },
    tells: ['params.changed'],
    isStep: true,
    errors: {
      UNKNOWN_PARAM: { input: { values: { gian: 1 } } },
      VALUE_OUT_OF_RANGE: { input: { values: { gain: 0, 'hidden/gain': 3 } } },
      NOT_LEARNABLE: { input: { frozen: { 'hidden/gain': true } } },
      AUDITION_UNDER_WAY: {
        ...BARRED.AUDITION_UNDER_WAY,
        input: { learn: { 'hidden/gain': true } },
      },
      NOT_TRAINABLE: {
        options: wire,
        input: { training: { loss: 'mse' } },
      },
      PATCH_INVALID: { ...COMPILES.PATCH_INVALID, input: { learn: { 'hidden/gain': true } } },
      COMPILE_FAILED: { ...COMPILES.COMPILE_FAILED, input: { learn: { 'hidden/gain': true } } },
      ENGINE_REFUSED: { ...COMPILES.ENGINE_REFUSED, input: { learn: { 'hidden/gain': true } } },
    },
  },
  'params.get': {
    input: { id: 'hidden/gain' },
    tells: [],
    errors: { UNKNOWN_PARAM: { input: { id: 'gian' } } },
  },
  'params.set': {
    input: { id: 'hidden/gain', value: 0.5 },
    tells: ['params.changed'],
    isStep: true,
    errors: {
      UNKNOWN_PARAM: { input: { id: 'gian', value: 1 } },
      VALUE_OUT_OF_RANGE: { input: { id: 'gain', value: 3 } },
      NOT_LEARNABLE: { input: { id: 'hidden/gain', frozen: true } },
      AUDITION_UNDER_WAY: {
        ...BARRED.AUDITION_UNDER_WAY,
        input: { id: 'hidden/gain', learn: true },
      },
      NOT_TRAINABLE: {
        options: untrained,
        input: { id: 'hidden/gain', learn: true, training: { loss: 'mse' } },
      },
      PATCH_INVALID: { ...COMPILES.PATCH_INVALID, input: { id: 'hidden/gain', learn: true } },
      COMPILE_FAILED: { ...COMPILES.COMPILE_FAILED, input: { id: 'hidden/gain', learn: true } },
      ENGINE_REFUSED: { ...COMPILES.ENGINE_REFUSED, input: { id: 'hidden/gain', learn: true } },
    },
  },
  'meters.list': { input: {}, tells: [], errors: {} },
  'training.get': { input: {}, tells: [], errors: {} },
  'training.update': {
    input: { loss: 'mae' },
    tells: PATCH,
    isStep: true,
    errors: {
      ...COMPILES,
      ...BARRED,
      NOT_TRAINABLE: { options: untrained, input: { loss: 'mse' } },
    },
  },
  'training.start': {
    arrange: (bench) => does(bench, 'training.stop', {}),
    input: {},
    tells: ['training.changed'],
    errors: { ...BARRED, NOT_TRAINABLE: { options: untrained, arrange: () => {} } },
  },
  'training.stop': { input: {}, tells: ['training.changed'], errors: BARRED },
  'training.reset': {
    arrange: (bench) => does(bench, 'params.set', { id: 'gain', value: 0.5 }),
    input: {},
    tells: ['params.changed', 'training.changed'],
    isStep: true,
    errors: BARRED,
  },
  'training.restart': {
    input: {},
    tells: ['training.changed'],
    errors: { ...UNTRAINED, ...BARRED },
  },
  'schedule.get': { input: {}, tells: [], errors: UNTRAINED },
  'schedule.set': {
    input: { kind: 'constant', rate: 0.125 },
    tells: ['training.changed'],
    isStep: true,
    errors: UNTRAINED,
  },
  'schedule.ahead': { input: { count: 3 }, tells: [], errors: UNTRAINED },
  'schedule.preview': { input: { count: 3 }, tells: [], errors: UNTRAINED },
  'config.get': { input: {}, tells: [], errors: {} },
  'config.update': {
    input: { settings: { 'log.level': 'warn', 'http.rateLimit': null } },
    tells: ['config.changed'],
    errors: {
      NOT_KEPT: { arrange: ({ disk }) => (disk.isFull = true) },
      DEVICE_REFUSED: {
        arrange: ({ engine }) => (engine.failSelect = 'no such device'),
        input: { settings: { 'audio.blockSize': 512 } },
      },
    },
  },
  'events.list': { input: {}, tells: [], errors: {} },
  'signals.list': { input: {}, tells: [], errors: {} },
  'library.list': { arrange: shelved, input: {}, tells: [], errors: {} },
  'library.get': {
    arrange: shelved,
    input: { name: 'night' },
    tells: [],
    errors: {
      UNKNOWN_PATCH: { input: { name: 'day' } },
      NOT_FAUST: { headers: { accept: 'text/x-faust' } },
    },
  },
  'library.put': {
    input: { name: 'night', doc: 'for the second set' },
    tells: ['library.changed'],
    errors: {
      PATCH_EXISTS: { arrange: shelved },
      UNKNOWN_EXAMPLE: { input: { name: 'night', patch: { example: 'gian' } } },
      NOT_EXPORTABLE: { options: () => choosy(2), arrange: faust },
      COMPILE_FAILED: { options: () => tired(2), arrange: faust },
      NOT_KEPT: { options: () => nowhere },
    },
  },
  'library.activate': {
    arrange: shelved,
    input: { name: 'night' },
    tells: PATCH,
    isStep: true,
    errors: {
      UNKNOWN_PATCH: { input: { name: 'day' } },
      AUDITION_UNDER_WAY: {
        arrange: async (bench) => {
          await shelved(bench);
          bench.session.bar('one is under way');
        },
      },
      PATCH_INVALID: {
        arrange: (bench) =>
          does(bench, 'library.put', {
            name: 'night',
            patch: { ...example('gain'), outputs: ['nowhere'] },
          }),
      },
      COMPILE_FAILED: { options: () => tired(2) },
      ENGINE_REFUSED: {
        arrange: async (bench) => {
          await shelved(bench);
          full(bench);
        },
      },
    },
  },
  'library.rename': {
    arrange: shelved,
    input: { name: 'night', to: 'cold' },
    tells: ['library.changed'],
    errors: {
      UNKNOWN_PATCH: { input: { name: 'day', to: 'night' } },
      PATCH_EXISTS: {
        arrange: async (bench) => {
          await shelved(bench);
          await does(bench, 'library.put', { name: 'cold' });
        },
      },
      NOT_KEPT: { arrange: blocked('library', shelved) },
    },
  },
  'library.delete': {
    arrange: shelved,
    input: { name: 'night' },
    tells: ['library.changed'],
    errors: {
      UNKNOWN_PATCH: { input: { name: 'day' } },
      NOT_KEPT: { arrange: lost('library', shelved) },
    },
  },
  'snapshots.list': { arrange: kept, input: {}, tells: [], errors: {} },
  'snapshots.get': {
    arrange: kept,
    input: { name: 'warm' },
    tells: [],
    errors: { UNKNOWN_SNAPSHOT: { input: { name: 'cold' } } },
  },
  'snapshots.save': {
    input: { name: 'warm', doc: 'for the second verse' },
    tells: ['snapshots.changed'],
    errors: { SNAPSHOT_EXISTS: { arrange: kept }, NOT_KEPT: { options: () => nowhere } },
  },
  'snapshots.import': {
    input: (bench) => ({ snapshot: snapshotNow(bench) }),
    tells: ['snapshots.changed'],
    errors: {
      SNAPSHOT_EXISTS: { arrange: (bench) => bench.host.snapshots.write(snapshotNow(bench)) },
      NOT_KEPT: { options: () => nowhere },
    },
  },
  'snapshots.load': {
    arrange: async (bench) => {
      await kept(bench);
      await does(bench, 'params.set', { id: 'hidden/gain', value: 0.125 });
    },
    input: { name: 'warm' },
    tells: ['params.changed'],
    isStep: true,
    errors: {
      UNKNOWN_SNAPSHOT: { input: { name: 'cold' } },
      SNAPSHOT_MISFIT: { arrange: foreign },
      AUDITION_UNDER_WAY: {
        arrange: async (bench) => {
          await remembered(bench);
          bench.session.bar('one is under way');
        },
        input: { name: 'warm', optimiser: true },
      },
      PATCH_INVALID: { options: () => choosy(), ...RESUMED },
      COMPILE_FAILED: { options: () => tired(), ...RESUMED },
      ENGINE_REFUSED: {
        arrange: async (bench) => {
          await remembered(bench);
          full(bench);
        },
        input: { name: 'warm', optimiser: true },
      },
    },
  },
  'snapshots.rename': {
    arrange: kept,
    input: { name: 'warm', to: 'cold' },
    tells: ['snapshots.changed'],
    errors: {
      UNKNOWN_SNAPSHOT: { input: { name: 'cold', to: 'warm' } },
      SNAPSHOT_EXISTS: {
        arrange: async (bench) => {
          await kept(bench);
          await does(bench, 'snapshots.save', { name: 'cold' });
        },
      },
      NOT_KEPT: { arrange: blocked('snapshots', kept) },
    },
  },
  'snapshots.delete': {
    arrange: kept,
    input: { name: 'warm' },
    tells: ['snapshots.changed'],
    errors: {
      UNKNOWN_SNAPSHOT: { input: { name: 'cold' } },
      NOT_KEPT: { arrange: lost('snapshots', kept) },
    },
  },
  'morph.get': { input: {}, tells: [], errors: {} },
  // A morph is nobody's hand: who asked for it is told how far it is.
  'morph.start': {
    arrange: async (bench) => {
      await kept(bench);
      await does(bench, 'params.set', { id: 'hidden/gain', value: 0.125 });
    },
    input: { to: 'warm', seconds: 0 },
    tells: ['morph.changed', 'params.changed', 'morph.changed'],
    echoes: ['params.changed', 'morph.changed'],
    isStep: true,
    errors: {
      UNKNOWN_SNAPSHOT: { input: { to: 'cold', seconds: 0 } },
      SNAPSHOT_MISFIT: { arrange: foreign },
    },
  },
  'morph.stop': {
    arrange: async (bench) => {
      await kept(bench);
      await does(bench, 'params.set', { id: 'hidden/gain', value: 0.125 });
      await does(bench, 'morph.start', { to: 'warm', seconds: 600 });
    },
    input: {},
    tells: ['morph.changed'],
    noise: ['params.changed', 'edits.changed'],
    errors: {},
  },
  'audition.get': { arrange: auditioned, input: {}, tells: [], errors: {} },
  'audition.start': {
    input: { values: { 'hidden/gain': 0.125 }, match: true },
    tells: [...PATCH, 'audition.changed'],
    errors: {
      AUDITION_UNDER_WAY: { arrange: auditioned },
      UNKNOWN_EXAMPLE: { input: { patch: { example: 'gian' } } },
      UNKNOWN_PATCH: { input: { library: 'day' } },
      UNKNOWN_SNAPSHOT: { input: { snapshot: 'cold' } },
      SNAPSHOT_MISFIT: { arrange: foreign, input: { snapshot: 'warm' } },
      UNKNOWN_PARAM: { input: { values: { gian: 1 } } },
      VALUE_OUT_OF_RANGE: { input: { values: { gain: 3 } } },
      PATCH_INVALID: { ...COMPILES.PATCH_INVALID, input: { patch: { example: 'one-pole' } } },
      COMPILE_FAILED: { ...COMPILES.COMPILE_FAILED, input: { patch: { example: 'one-pole' } } },
      ENGINE_REFUSED: COMPILES.ENGINE_REFUSED,
    },
  },
  'audition.compare': {
    arrange: auditioned,
    input: {},
    tells: [...PATCH, 'audition.changed'],
    errors: waysTo(auditioned),
  },
  // Learning goes on, which nobody asked for.
  'audition.commit': {
    arrange: auditioned,
    input: {},
    tells: ['training.changed', 'audition.changed'],
    echoes: ['training.changed'],
    isStep: true,
    errors: waysTo(atA),
  },
  'audition.rollback': {
    arrange: auditioned,
    input: {},
    tells: [...PATCH, 'training.changed', 'audition.changed'],
    echoes: ['training.changed'],
    errors: waysTo(auditioned),
  },
  'edits.list': { input: {}, tells: [], errors: {} },
  'edits.undo': {
    arrange: (bench) => does(bench, 'params.set', { id: 'hidden/gain', value: 0.125 }),
    input: {},
    tells: ['params.changed'],
    isStep: true,
    errors: STEPS_BACK,
  },
  'edits.redo': {
    arrange: async (bench) => {
      await does(bench, 'params.set', { id: 'hidden/gain', value: 0.125 });
      await does(bench, 'edits.undo', {});
    },
    input: {},
    tells: ['params.changed'],
    isStep: true,
    errors: STEPS_ON,
  },
  'history.list': {
    options: () => recorded,
    arrange: crank,
    input: { limit: 5 },
    tells: [],
    errors: { HISTORY_UNAVAILABLE: { options: () => nowhere } },
  },
  'history.get': {
    options: () => recorded,
    arrange: crank,
    input: async (bench) => ({ run: await runs(bench), points: 10 }),
    tells: [],
    errors: HISTORY_ERRORS,
  },
  'history.export': {
    options: () => recorded,
    arrange: crank,
    input: async (bench) => ({ run: await runs(bench), format: 'json' }),
    tells: [],
    errors: HISTORY_ERRORS,
  },
  'history.delete': {
    options: () => recorded,
    arrange: crank,
    input: async (bench) => ({ run: await runs(bench) }),
    tells: ['history.changed'],
    errors: HISTORY_ERRORS,
  },
  'recordings.list': { arrange: recordedTake, input: {}, tells: [], errors: {} },
  'recordings.get': {
    arrange: recordedTake,
    input: { name: 'take' },
    tells: [],
    errors: { UNKNOWN_RECORDING },
  },
  'recordings.download': {
    arrange: recordedTake,
    input: { name: 'take' },
    tells: [],
    errors: { UNKNOWN_RECORDING, ONLY_REST: {} },
  },
  'recordings.start': {
    input: { name: 'take', channels: ['in1'], seconds: 5 },
    tells: ['recordings.changed'],
    errors: { ...UNRECORDED, RECORDING_RUNS: { arrange: recording } },
  },
  // It may have ended by itself just before: everyone is told, the caller too.
  'recordings.stop': {
    arrange: recording,
    input: {},
    tells: ['recordings.changed'],
    echoes: ['recordings.changed'],
    errors: { NOT_RECORDING: { arrange: () => {} } },
  },
  'recordings.keep': {
    input: { name: 'take', seconds: 0.1 },
    tells: ['recordings.changed'],
    errors: UNRECORDED,
  },
  'recordings.delete': {
    arrange: recordedTake,
    input: { name: 'take' },
    tells: ['recordings.changed'],
    errors: { UNKNOWN_RECORDING },
  },
  'logs.tail': { input: { limit: 5 }, tells: [], errors: {} },
  'midi.get': { arrange: mapped, input: {}, tells: [], errors: {} },
  'midi.map': {
    input: { id: 'hidden/gain', channel: 1, kind: 'cc14', number: 7, takeover: 'pickup' },
    tells: ['midi.changed'],
    errors: {
      UNKNOWN_PARAM: { input: { id: 'hidden/gian', channel: 1, kind: 'bend' } },
      NOT_KEPT: { options: () => nowhere },
    },
  },
  'midi.unmap': {
    arrange: mapped,
    input: { id: 'hidden/gain' },
    tells: ['midi.changed'],
    errors: {
      UNKNOWN_MAPPING: { input: { id: 'training/learning' } },
      NOT_KEPT: { arrange: lost('midi', mapped) },
    },
  },
  'midi.learn': {
    options: () => ({ midi: quiet }),
    input: { id: 'hidden/gain' },
    tells: ['midi.changed'],
    errors: {
      MIDI_UNAVAILABLE: { options: () => ({}) },
      UNKNOWN_PARAM: { input: { id: 'hidden/gian' } },
    },
  },
  'midi.cancel': {
    options: () => ({ midi: quiet }),
    arrange: (bench) => does(bench, 'midi.learn', { id: 'hidden/gain' }),
    input: {},
    tells: ['midi.changed'],
    errors: {},
  },
};

/** The call of an operation that meets an error which it lists. */
export function refusalOf(id: OperationId, code: ErrorCode): Refusal<OperationId> {
  const errors: Partial<Record<ErrorCode, Refusal<OperationId>>> = ROWS[id].errors;
  const found = errors[code];
  if (found === undefined) throw new Error(`${id} lists no ${code}`);
  return found;
}
