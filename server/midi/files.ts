/**
 * The map on disk: what `documents.ts` needs to know of a mapping, a file for each control.
 *
 * Invariant: a mapping is named by the id of its control.
 */

import {
  MAX_MAPPINGS,
  MIDI_FORMAT,
  mappingFileSchema,
  type Mapping,
  type MappingFile,
} from '../api/midi.ts';
import { Documents } from '../control/documents.ts';
import { refuse } from '../control/outcome.ts';
import type { Logger } from '../engine/supervisor.ts';

/** Bytes of all mappings. */
const MAX_BYTES = 2 ** 20;

export type MappingFiles = Documents<MappingFile, MappingFile>;

export const mappingFiles = (stateDir: string, log: Logger): MappingFiles =>
  new Documents(
    {
      folder: 'midi',
      one: 'mapping',
      format: MIDI_FORMAT,
      schema: mappingFileSchema,
      most: MAX_MAPPINGS,
      bytes: MAX_BYTES,
      headingOf: (mapping) => mapping,
      unknown: (detail) => refuse('UNKNOWN_MAPPING', detail),
      taken: (detail) => refuse('NOT_KEPT', detail),
    },
    stateDir,
    log,
  );

export const fileOf = ({ id, ...rest }: Mapping): MappingFile => ({
  format: MIDI_FORMAT,
  name: id,
  ...rest,
});

export function mappingOf(file: MappingFile): Mapping {
  const { name, port, channel, kind, number, min, max, takeover } = file;
  return {
    id: name,
    ...(port === undefined ? {} : { port }),
    channel,
    kind,
    number,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    takeover,
  };
}
