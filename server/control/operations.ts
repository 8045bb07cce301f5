/**
 * Runs operations: one runner for each row of the operations table, and the one way in for REST
 * and JSON-RPC alike.
 *
 * Invariant: total over the table (the type checker proves it); role and input are checked before a
 * runner sees it, and what a runner throws becomes INTERNAL and a line in the log. It knows nothing of the
 * transport.
 */

import type { FastifyBaseLogger } from 'fastify';
import { z } from 'zod';
import type { Result } from '../../dsp/diagnostic.ts';
import { EXAMPLES } from '../../dsp/examples/index.ts';
import { explain, fromIssue, onePerPath } from '../../dsp/patch/explain.ts';
import { withoutProgram } from '../../dsp/patch/faust.ts';
import { OPERATIONS, type Output, type Parsed } from '../api/operations.ts';
import { includes, type Role } from '../api/roles.ts';
import { ROUTES, type OperationId } from '../api/routes.ts';
import type { Selection } from '../api/schemas.ts';
import { findDevice } from '../audio/device.ts';
import type { AudioDevice, EngineStatus } from '../engine/types.ts';
import type { Midi } from '../midi/midi.ts';
import type { Audition } from './audition.ts';
import { withoutFolders } from './discreet.ts';
import type { EventTail } from './event-tail.ts';
import type { History } from './history/history.ts';
import type { LibraryFiles } from './library-files.ts';
import type { LogTail } from './log-tail.ts';
import type { Morph } from './morph.ts';
import { answer, passOn, refuse, summary, type Outcome } from './outcome.ts';
import { namedPatch } from './patch-input.ts';
import type { Recordings } from './recordings.ts';
import { AUDITION_RUNNERS } from './runners/audition.ts';
import { CONFIG_RUNNERS } from './runners/config.ts';
import { EDIT_RUNNERS } from './runners/edits.ts';
import { HISTORY_RUNNERS } from './runners/history.ts';
import { LIBRARY_RUNNERS } from './runners/library.ts';
import { LOG_RUNNERS } from './runners/logs.ts';
import { MIDI_RUNNERS } from './runners/midi.ts';
import { RECORDING_RUNNERS } from './runners/recordings.ts';
import { SIGNAL_RUNNERS } from './runners/signals.ts';
import { SNAPSHOT_RUNNERS } from './runners/snapshots.ts';
import { SYSTEM_RUNNERS } from './runners/system.ts';
import type { Origin, Session } from './session.ts';
import type { Settings } from './settings.ts';
import type { Signals } from './signals.ts';
import type { SnapshotFiles } from './snapshot-files.ts';
import { infoOf, metersOf, paramOf, paramsOf } from './state.ts';

/** What runners work with. */
export interface Host {
  readonly session: Session;
  readonly log: FastifyBaseLogger;
  readonly snapshots: SnapshotFiles;
  readonly library: LibraryFiles;
  readonly morph: Morph;
  readonly audition: Audition;
  readonly history: History;
  readonly logs: LogTail;
  readonly events: EventTail;
  readonly settings: Settings;
  readonly signals: Signals;
  readonly recordings: Recordings;
  readonly midi: Midi;
  listDevices(): Promise<Result<AudioDevice[]>>;
  /** Keeps the map of channels for the next start. */
  keepChannels(channels: Pick<EngineStatus, 'inputMap' | 'outputMap'>): Promise<void>;
  /** Ends the daemon, once what was asked has been answered. */
  shutDown(): void;
}

type Runners = {
  readonly [K in OperationId]: (
    host: Host,
    input: Parsed<K>,
    origin: Origin,
    role: Role,
  ) => Outcome<Output<K>> | Promise<Outcome<Output<K>>>;
};

/** The part of the table that belongs to some resources. */
export type RunnersOf<G extends string> = Pick<Runners, Extract<OperationId, `${G}.${string}`>>;

const RUNNERS: Runners = {
  'status.get': ({ session }, _, __, role) => answer({ ...session.status(), role }),

  'devices.list': async (host) => {
    const listed = await host.listDevices();
    if (listed.ok) return answer({ devices: listed.value });
    return passOn('DEVICES_UNKNOWN', listed.diagnostics);
  },
  'devices.select': async (host, selection, origin) => {
    const found = await resolveDevices(host, selection);
    return found.ok ? host.session.select(found.value, origin) : found;
  },
  'devices.calibrate': ({ session }) => session.calibrate(),

  'devices.map': async (host, { inputs, outputs }, origin) => {
    const mapped = host.session.machine.mapChannels(
      {
        ...(inputs === undefined ? {} : { inputs }),
        ...(outputs === undefined ? {} : { outputs }),
      },
      origin,
    );
    if (mapped.ok) await host.keepChannels(mapped.value.engine);
    return mapped;
  },
  'devices.test': async ({ session }, input) => {
    const all = Array.from({ length: session.machine.status.outputs }, (_, k) => k + 1);
    const { outputs = all, ...tone } = input;
    const tested = await session.machine.test({
      ...tone,
      outputs: outputs.map((output) => output - 1),
    });
    return tested.ok ? answer({ ...tone, outputs }) : tested;
  },

  'output.get': ({ session }) => answer(session.output()),
  'output.set': ({ session }, change, origin) => session.setOutput(change, origin),

  'examples.list': () =>
    answer({
      examples: Object.values(EXAMPLES).map(({ name, title, doc, expect }) => ({
        name,
        ...(title === undefined ? {} : { title }),
        ...(doc === undefined ? {} : { doc }),
        expect,
      })),
    }),

  'patch.get': ({ session }) => answer(withoutProgram(session.state.patch)),
  'patch.export': ({ session }, { format }) => session.export(format),
  'patch.info': ({ session }) => session.info(),
  'patch.set': async ({ session }, input, origin) => {
    const patch = namedPatch(input);
    return patch.ok ? session.setPatch(patch.value, origin) : patch;
  },
  'patch.check': async ({ session }, input) => {
    const patch = namedPatch(input);
    if (!patch.ok) return patch;
    const compiled = await session.check(patch.value);
    switch (compiled.kind) {
      case 'failed':
        return refuse('COMPILE_FAILED', `the compiler gave up: ${withoutFolders(compiled.reason)}`);
      case 'refused':
        return answer({ ok: false, diagnostics: [...compiled.diagnostics], info: null });
      case 'compiled':
        return answer({
          ok: true,
          diagnostics: [],
          info: infoOf(compiled.patch, compiled.artifact),
        });
    }
  },

  'params.list': ({ session }) =>
    answer({
      revision: session.revision,
      program: session.state.program,
      params: paramsOf(session.state),
    }),
  'params.get': ({ session }, { id }) => paramOf(session.state, id),
  'params.set': async ({ session }, { id, value, frozen, rate, learn, training }, origin) => {
    const known = paramOf(session.state, id);
    if (!known.ok) return known;
    const set = await session.updateParams(
      {
        ...(value === undefined ? {} : { values: { [id]: value } }),
        ...(frozen === undefined ? {} : { frozen: { [id]: frozen } }),
        ...(rate === undefined ? {} : { rates: { [id]: rate } }),
        ...(learn === undefined ? {} : { learn: { [id]: learn } }),
        ...(training === undefined ? {} : { training }),
      },
      origin,
    );
    if (!set.ok) return set;
    const now = set.value.params.find((param) => param.id === id);
    return answer({ ...(now ?? known.value), revision: set.value.revision });
  },
  'params.update': ({ session }, change, origin) => session.updateParams(change, origin),

  'meters.list': ({ session }) =>
    answer({
      revision: session.revision,
      program: session.state.program,
      meters: metersOf(session.state),
    }),

  'training.get': ({ session }) => answer(session.training()),
  'training.update': ({ session }, change, origin) => session.updateTraining(change, origin),
  'training.start': ({ session }, _, origin) => session.setLearning(true, origin),
  'training.stop': ({ session }, _, origin) => session.setLearning(false, origin),
  'training.reset': ({ session }, _, origin) => session.reset(origin),
  'training.restart': ({ session }, _, origin) => session.restart(origin),

  'schedule.get': ({ session }) => session.schedule(),
  'schedule.set': ({ session }, schedule, origin) => session.setSchedule(schedule, origin),
  'schedule.ahead': ({ session }, input) => session.ahead(input),
  'schedule.preview': ({ session }, input) => session.preview(input),

  ...LIBRARY_RUNNERS,
  ...AUDITION_RUNNERS,
  ...SNAPSHOT_RUNNERS,
  ...CONFIG_RUNNERS,
  ...EDIT_RUNNERS,
  ...HISTORY_RUNNERS,
  ...RECORDING_RUNNERS,
  ...LOG_RUNNERS,
  ...SYSTEM_RUNNERS,
  ...SIGNAL_RUNNERS,
  ...MIDI_RUNNERS,
};

/** Checks that the caller may do so, and the input of an operation, and runs it. Never rejects. */
export async function dispatch<K extends OperationId>(
  host: Host,
  id: K,
  raw: unknown,
  origin: Origin,
  role: Role,
): Promise<Outcome<Output<K>>> {
  const [, , needed] = ROUTES[id];
  if (!includes(role, needed)) {
    return refuse('FORBIDDEN_ROLE', `${id} needs the role ${needed}; your token has ${role}`);
  }
  try {
    const input = parseInput(id, raw ?? {});
    return input.ok ? await RUNNERS[id](host, input.value, origin, role) : input;
  } catch (error) {
    host.log.error({ err: error, operation: id }, 'an operation failed');
    return refuse('INTERNAL', `${id} failed; the log of the daemon has the details`);
  }
}

function parseInput<K extends OperationId>(id: K, raw: unknown): Outcome<Parsed<K>> {
  const operation = OPERATIONS[id];
  if ('checkedByWorker' in operation) return answer(raw as Parsed<K>);
  const parsed = operation.input.safeParse(raw, { reportInput: true });
  if (parsed.success) return answer(parsed.data as Parsed<K>);
  const { input } = operation;
  return input instanceof z.ZodObject
    ? invalidInput(parsed.error, Object.keys(input.shape))
    : invalidInput(parsed.error);
}

/**
 * INVALID_INPUT with a diagnostic for each thing that is wrong, in the words that a patch gets.
 * @param fields  names of what could have been given, for suggestions
 */
export function invalidInput(
  { issues }: z.ZodError,
  fields?: readonly string[],
): ReturnType<typeof refuse> {
  const found = onePerPath(
    issues.flatMap((issue) => (fields === undefined ? fromIssue(issue) : explain(issue, fields))),
  );
  const diagnostics = found.map((d) => ({ ...d, code: 'INVALID_INPUT' }));
  return refuse('INVALID_INPUT', summary(diagnostics), diagnostics);
}

/**
 * A selection whose devices exist, with their backend, so that a wrong name does not interrupt what
 * plays.
 */
async function resolveDevices(host: Host, selection: Selection): Promise<Outcome<Selection>> {
  const wanted = (['input', 'output'] as const).flatMap((direction) => {
    const name = selection[direction];
    return name === undefined || name === '' ? [] : [{ direction, name }];
  });
  if (wanted.length === 0) return answer(selection);
  const listed = await host.listDevices();
  if (!listed.ok) return passOn('DEVICES_UNKNOWN', listed.diagnostics);
  const found = wanted.map(({ direction, name }): Result<AudioDevice> => {
    const virtual = listed.value.find(
      (d) => d.backend === 'virtual' && [d.id, d.name].includes(name),
    );
    return virtual === undefined
      ? findDevice(listed.value, name, direction)
      : { ok: true, value: virtual };
  });
  const diagnostics = found.flatMap((device) => (device.ok ? [] : device.diagnostics));
  if (diagnostics.length > 0) return refuse('UNKNOWN_DEVICE', summary(diagnostics), diagnostics);
  const backends = new Set(found.flatMap((device) => (device.ok ? [device.value.backend] : [])));
  const [backend] = backends;
  return answer({
    ...selection,
    ...(backend === undefined || backends.size > 1
      ? {}
      : { backend: selection.backend ?? backend }),
  });
}
