/**
 * What a change of the configuration means for a daemon that runs: it takes it at once, its engine
 * starts anew with it, or it waits for the next start of the daemon.
 *
 * Invariant: every setting has its row (the type checker proves it). It reads and applies nothing.
 */

import { isDeepStrictEqual } from 'node:util';
import { CONFIG_KEYS, type Config } from './schema.ts';

type Leaves<T> = {
  [K in keyof T & string]: NonNullable<T[K]> extends readonly unknown[]
    ? K
    : NonNullable<T[K]> extends object
      ? `${K}.${Leaves<NonNullable<T[K]>>}`
      : K;
}[keyof T & string];

/** The dotted name of a setting. */
export type SettingKey = Leaves<Config>;

export const EFFECT_DOCS = {
  live: 'at once',
  engine: 'restarts the engine',
  start: 'at the next start',
} as const;
export type Effect = keyof typeof EFFECT_DOCS;

export const EFFECTS = {
  'http.host': 'start',
  'http.port': 'start',
  'http.token': 'live',
  'http.origins': 'live',
  'http.rateLimit': 'live',
  'http.tls.cert': 'start',
  'http.tls.key': 'start',
  'audio.backend': 'engine',
  'audio.input': 'engine',
  'audio.output': 'engine',
  'audio.sampleRate': 'engine',
  'audio.blockSize': 'engine',
  'audio.inputChannels': 'engine',
  'audio.outputChannels': 'engine',
  'audio.inputMap': 'live',
  'audio.outputMap': 'live',
  'audio.clock': 'engine',
  'audio.inputFile': 'engine',
  'audio.outputFile': 'engine',
  'audio.loop': 'engine',
  'audio.realtimePriority': 'engine',
  'engine.revectorize': 'start',
  'faust.libraries': 'start',
  'faust.sounds': 'start',
  patch: 'start',
  stateDir: 'start',
  'recordings.lookback': 'start',
  'recordings.maxMegabytes': 'start',
  'osc.enabled': 'start',
  'osc.host': 'start',
  'osc.port': 'start',
  'osc.allow': 'start',
  'osc.replyPort': 'start',
  'osc.announce': 'start',
  'midi.enabled': 'start',
  'midi.inputs': 'start',
  'midi.outputs': 'start',
  'log.level': 'live',
  'log.pretty': 'start',
} as const satisfies Readonly<Record<SettingKey, Effect>>;

/**
 * What clients may change: no secret, no file, nothing that opens the daemon to others.
 */
export const CHANGEABLE = [
  'http.rateLimit',
  'audio.backend',
  'audio.input',
  'audio.output',
  'audio.sampleRate',
  'audio.blockSize',
  'audio.inputChannels',
  'audio.outputChannels',
  'audio.realtimePriority',
  'engine.revectorize',
  'osc.announce',
  'log.level',
  'log.pretty',
] as const satisfies readonly SettingKey[];

export interface ConfigChange {
  readonly key: SettingKey;
  readonly effect: Effect;
  readonly before: unknown;
  readonly after: unknown;
}

/** In the order of the schema. */
export function changesBetween(before: Config, after: Config): readonly ConfigChange[] {
  return CONFIG_KEYS.map(({ key, path }) => ({
    key: key as SettingKey,
    effect: EFFECTS[key as SettingKey],
    before: valueAt(before, path),
    after: valueAt(after, path),
  })).filter((change) => !isDeepStrictEqual(change.before, change.after));
}

/** A configuration with some of its settings changed. */
export function withChanges(config: Config, changes: readonly ConfigChange[]): Config {
  const changed = structuredClone(config);
  for (const { key, after } of changes) {
    const path = key.split('.');
    const section = valueAt(changed, path.slice(0, -1)) as Record<string, unknown>;
    section[path.at(-1) ?? ''] = after;
  }
  return changed;
}

export const valueAt = (config: Config, path: readonly string[]): unknown =>
  path.reduce<unknown>((node, part) => (node as Record<string, unknown>)[part], config);
