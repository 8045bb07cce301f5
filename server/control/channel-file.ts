/**
 * The channel map that clients have set, on disk, so that it outlives the daemon.
 *
 * Invariant: what the configuration says counts again once it says something else than when the map
 * was set; a file that cannot be used is as none, and the next map takes its place.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import writeFileAtomic from 'write-file-atomic';
import { z } from 'zod';
import type { Logger } from '../engine/supervisor.ts';
import type { EngineStatus } from '../engine/types.ts';

export type Channels = Pick<EngineStatus, 'inputMap' | 'outputMap'>;

const list = z.array(z.int().min(1).max(64)).max(64);
const map = { inputMap: list, outputMap: list };
const savedSchema = z.strictObject({
  format: z.literal('livegrad.channels/1'),
  configured: z.strictObject(map),
  ...map,
});

export class ChannelFile {
  readonly #path: string;
  readonly #configured: Channels;
  readonly #log: Logger;

  constructor(stateDir: string, { inputMap, outputMap }: Channels, log: Logger) {
    this.#path = join(stateDir, 'channels.json');
    this.#configured = { inputMap, outputMap };
    this.#log = log;
  }

  /** The map to begin with. */
  read(): Channels {
    try {
      const saved = savedSchema.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
      const { configured, inputMap, outputMap } = saved;
      if (isDeepStrictEqual(configured, this.#configured)) return { inputMap, outputMap };
    } catch (error) {
      const isNew = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isNew) this.#log.warn({ err: error }, `the map in ${this.#path} is not used`);
    }
    return this.#configured;
  }

  /** Comes back when it is on disk, or was complained about. */
  async write({ inputMap, outputMap }: Channels): Promise<void> {
    const saved: z.infer<typeof savedSchema> = {
      format: 'livegrad.channels/1',
      configured: plain(this.#configured),
      ...plain({ inputMap, outputMap }),
    };
    try {
      await writeFileAtomic(this.#path, `${JSON.stringify(saved)}\n`, { mode: 0o600 });
    } catch (error) {
      this.#log.error({ err: error }, `cannot keep the map of channels in ${this.#path}`);
    }
  }
}

const plain = ({ inputMap, outputMap }: Channels): { inputMap: number[]; outputMap: number[] } => ({
  inputMap: [...inputMap],
  outputMap: [...outputMap],
});
