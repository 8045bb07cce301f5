/** The shapes of the wire that the views draw, by the names that they use for them. */

import type { Output } from '../sdk/client.ts';

export type Status = Output<'status.get'>;
export type Params = Output<'params.list'>;
export type Param = Params['params'][number];
export type Meter = Output<'meters.list'>['meters'][number];
export type Training = Output<'training.get'>;
export type PatchDocument = Output<'patch.get'>;
export type Example = Output<'examples.list'>['examples'][number];
export type UiNode = NonNullable<PatchDocument['ui']>[number];
export type PatchInfo = NonNullable<Output<'patch.check'>['info']>;
export type Source = Status['source'];
export type Schedule = NonNullable<Training['schedule']>;
export type Device = Output<'devices.list'>['devices'][number];
export type Engine = Status['engine'];
export type Heading = Output<'snapshots.list'>['snapshots'][number];
export type Morph = Output<'morph.get'>;
export type Run = Output<'history.list'>['runs'][number];
export type RunSeries = Output<'history.get'>;
export type SignalList = Output<'signals.list'>;
export type Signal = SignalList['signals'][number];
export type Kept = Output<'library.list'>['patches'][number];
export type EngineEvent = Output<'events.list'>['events'][number];
export type Audition = Output<'audition.get'>;
