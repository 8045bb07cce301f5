/**
 * Follows the configuration file while the daemon runs: what changed is taken at once, restarts the
 * engine, or waits for the next start, as `config/changes.ts` says of each setting.
 *
 * Invariants: a file with a mistake changes nothing, and each mistake is logged with its line; what
 * was refused, or waits, is compared again at the next save. Variables and flags still win. A token is
 * never logged.
 */

import { changesBetween, withChanges } from '../../config/changes.ts';
import type { ConfigChange, EFFECTS, SettingKey } from '../../config/changes.ts';
import type { LoadedConfig } from '../../config/load.ts';
import type { AudioSettings, Config } from '../../config/schema.ts';
import type { Result } from '../../dsp/diagnostic.ts';
import type { Log } from './log.ts';
import type { Outcome } from './outcome.ts';

type LiveKey = {
  [K in SettingKey]: (typeof EFFECTS)[K] extends 'live' ? K : never;
}[SettingKey];

export interface SettingsOptions {
  /** What the daemon runs with. */
  readonly config: Config;
  readonly log: Log;
  readonly load: () => Result<LoadedConfig>;
  /** How each setting that can be taken at once is taken. */
  readonly live: { readonly [K in LiveKey]: (config: Config) => void };
  /** Opens the device with these settings changed; where that fails the one before plays on. */
  readonly restart: (audio: Partial<AudioSettings>) => Promise<Outcome<unknown>>;
}

export class Settings {
  readonly #options: SettingsOptions;
  #config: Config;

  constructor(options: SettingsOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  /** Takes what the file says now. Never rejects. */
  async reload(): Promise<void> {
    const { log, load, live } = this.#options;
    const loaded = load();
    if (!loaded.ok) {
      for (const { message, hint } of loaded.diagnostics) {
        log.error(`${message}${hint === undefined ? '' : `; ${hint}`}`);
      }
      log.error('the configuration has mistakes: going on with what was there before');
      return;
    }
    const changes = changesBetween(this.#config, loaded.value.config);
    for (const change of changes.filter(({ effect }) => effect === 'live')) {
      this.#config = withChanges(this.#config, [change]);
      live[change.key as LiveKey](this.#config);
      log.info(`${wordsOf(change)}, from now on`);
    }
    await this.#restart(changes.filter(({ effect }) => effect === 'engine'));
    for (const change of changes.filter(({ effect }) => effect === 'start')) {
      log.warn(`${wordsOf(change)}, from the next start on`);
    }
  }

  async #restart(changes: readonly ConfigChange[]): Promise<void> {
    if (changes.length === 0) return;
    const { log, restart } = this.#options;
    const next = withChanges(this.#config, changes);
    const audio = Object.fromEntries(
      changes.map(({ key, after }) => [key.replace('audio.', ''), after]),
    ) as Partial<AudioSettings>;
    const restarted = await restart(audio);
    const words = changes.map((change) => wordsOf(change)).join('; ');
    if (restarted.ok) {
      this.#config = next;
      log.info(`${words}: the engine was started anew`);
    } else log.error(`${words}: not taken: ${restarted.problem.detail}`);
  }
}

function wordsOf({ key, after }: ConfigChange): string {
  if (key === 'http.token') return 'http.token is another one';
  return `${key} is ${after === undefined ? 'not set' : JSON.stringify(after)}`;
}
