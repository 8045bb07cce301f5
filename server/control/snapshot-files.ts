/**
 * The snapshots on disk: what `documents.ts` needs to know of them.
 *
 * Invariant: what is remembered of a snapshot is its heading; values stay on disk.
 */

import {
  MAX_SNAPSHOTS,
  SNAPSHOT_FORMAT,
  snapshotSchema,
  type Snapshot,
  type SnapshotHeading,
} from '../api/snapshots.ts';
import type { Logger } from '../engine/supervisor.ts';
import { Documents } from './documents.ts';
import { refuse } from './outcome.ts';

/** Bytes of all snapshots. */
const MAX_BYTES = 256 * 2 ** 20;

export type Kept = Omit<SnapshotHeading, 'fits'>;

export type SnapshotFiles = Documents<Snapshot, Kept>;

export const snapshotFiles = (stateDir: string, log: Logger): SnapshotFiles =>
  new Documents(
    {
      folder: 'snapshots',
      one: 'snapshot',
      format: SNAPSHOT_FORMAT,
      schema: snapshotSchema,
      most: MAX_SNAPSHOTS,
      bytes: MAX_BYTES,
      headingOf: keptOf,
      unknown: (detail) => refuse('UNKNOWN_SNAPSHOT', detail),
      taken: (detail) => refuse('SNAPSHOT_EXISTS', detail),
    },
    stateDir,
    log,
  );

function keptOf(snapshot: Snapshot): Kept {
  const { name, doc, saved, patch, step, sliders, params, learner } = snapshot;
  return {
    name,
    ...(doc === undefined ? {} : { doc }),
    saved,
    patch,
    step,
    sliders: Object.keys(sliders).length,
    params: Object.keys(params).length,
    learner: learner !== undefined,
  };
}
