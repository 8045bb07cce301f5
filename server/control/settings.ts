/**
 * Follows the configuration file while the daemon runs, and changes it for clients: what is other than
 * before is taken at once, restarts the engine, or waits for the next start, as `config/changes.ts` says.
 *
 * Invariants: a file with a mistake changes nothing, and each mistake is logged with its line; what
 * was refused, or waits, is compared again at the next save. Variables and flags still win. A token is
 * never logged.
 */

import {
  CHANGEABLE,
  EFFECTS,
  changesBetween,
  valueAt,
  withChanges,
  type ConfigChange,
  type Effect,
  type SettingKey,
} from '../../config/changes.ts';
import { withSettings, type NewValue } from '../../config/edit.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { CONFIG_KEYS, type AudioSettings, type Config } from '../../config/schema.ts';
import { nearest, type Result } from '../../dsp/diagnostic.ts';
import type { ConfigState, ConfigTaken } from '../api/config.ts';
import { discreet } from './discreet.ts';
import type { Log } from './log.ts';
import { answer, refuse, summary, type Outcome } from './outcome.ts';

type LiveKey = {
  [K in SettingKey]: (typeof EFFECTS)[K] extends 'live' ? K : never;
}[SettingKey];

/** The configuration file; one that is not there is empty. */
export interface SettingsFile {
  /** Without its folder; null where there is none yet. */
  readonly name: string | null;
  read(): Promise<string>;
  write(text: string): Promise<void>;
}

export interface SettingsOptions {
  /** What the daemon runs with. */
  readonly config: Config;
  readonly log: Log;
  /** @param text  in the place of what the file says */
  readonly load: (text?: string) => Result<LoadedConfig>;
  readonly file: SettingsFile;
  /** How each setting that can be taken at once is taken. */
  readonly live: { readonly [K in LiveKey]: (config: Config) => void };
  /** Opens the device with these settings changed; where that fails the one before plays on. */
  readonly restart: (audio: Partial<AudioSettings>) => Promise<Outcome<unknown>>;
}

export class Settings {
  readonly #options: SettingsOptions;
  #config: Config;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: SettingsOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  /** What clients may see and change. */
  get state(): ConfigState {
    const { load, file } = this.#options;
    const loaded = load();
    const next = loaded.ok ? loaded.value.config : this.#config;
    const settings = CHANGEABLE.map((key) => ({
      key,
      value: valueOf(this.#config, key),
      next: valueOf(next, key),
      effect: EFFECTS[key],
      doc: CONFIG_KEYS.find((one) => one.key === key)?.doc ?? '',
    }));
    return { file: file.name, settings };
  }

  /**
   * Changes the file, and takes what counts at once; all of it or nothing. Null takes a setting out.
   * Errors: INVALID_INPUT, NOT_KEPT; DEVICE_REFUSED, and the file is as it was.
   */
  update(wanted: Readonly<Record<string, NewValue>>): Promise<Outcome<ConfigTaken>> {
    return this.#serially(() => this.#update(wanted));
  }

  async #update(wanted: Readonly<Record<string, NewValue>>): Promise<Outcome<ConfigTaken>> {
    const { load, file, log } = this.#options;
    const unknown = Object.keys(wanted).flatMap((key) => {
      if ((CHANGEABLE as readonly string[]).includes(key)) return [];
      const near = nearest(key, CHANGEABLE);
      const hint = near === undefined ? {} : { hint: `did you mean "${near}"?` };
      const message = 'expected a setting that can be changed over the API';
      return [{ code: 'INVALID_INPUT', path: `settings["${key}"]`, message, ...hint }];
    });
    if (unknown.length > 0) return refuse('INVALID_INPUT', summary(unknown), unknown);
    if (wanted['audio.backend'] === 'file') {
      const detail = 'settings["audio.backend"]: files are for who starts the daemon';
      return refuse('INVALID_INPUT', detail);
    }
    try {
      const before = await file.read();
      const wrong = load(before);
      if (!wrong.ok)
        return refuse('NOT_KEPT', 'the configuration file has mistakes: mend it first');
      const text = withSettings(before, wanted);
      const loaded = load(text);
      if (!loaded.ok) {
        const found = discreet(loaded.diagnostics).map((one) => ({
          ...one,
          code: 'INVALID_INPUT',
        }));
        return refuse('INVALID_INPUT', summary(found), found);
      }
      const { config } = loaded.value;
      const decided = Object.entries(wanted).find(
        ([key, value]) => value !== null && valueOf(config, key) !== value,
      );
      if (decided !== undefined) {
        const [key] = decided;
        const detail = `settings["${key}"]: a variable or flag of the daemon decides it`;
        return refuse('INVALID_INPUT', detail);
      }
      if (text === before) return answer({ file: file.name ?? '', changed: [] });
      await file.write(text);
      const taken = await this.#take(config);
      if (taken.ok) {
        const changed = taken.value.filter(({ key }) => Object.hasOwn(wanted, key));
        return answer({ file: file.name ?? '', changed });
      }
      await file.write(before);
      await this.#take(wrong.value.config);
      return taken;
    } catch (error) {
      log.error({ err: error }, 'the configuration file cannot be changed');
      const { code = 'an error' } = error as NodeJS.ErrnoException;
      return refuse('NOT_KEPT', `the configuration file cannot be changed: ${code}`);
    }
  }

  /** Takes what the file says now. Never rejects. */
  reload(): Promise<void> {
    return this.#serially(() => this.#reload());
  }

  async #reload(): Promise<void> {
    const { log, load } = this.#options;
    const loaded = load();
    if (!loaded.ok) {
      for (const { message, hint } of loaded.diagnostics) {
        log.error(`${message}${hint === undefined ? '' : `; ${hint}`}`);
      }
      log.error('the configuration has mistakes: going on with what was there before');
      return;
    }
    await this.#take(loaded.value.config);
  }

  #serially<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#tail.then(task);
    this.#tail = run.catch(() => undefined);
    return run;
  }

  /** @returns what is other than before, or why the device does not open with it */
  async #take(config: Config): Promise<Outcome<readonly { key: string; effect: Effect }[]>> {
    const { log, live } = this.#options;
    const changes = changesBetween(this.#config, config);
    for (const change of changes.filter(({ effect }) => effect === 'live')) {
      this.#config = withChanges(this.#config, [change]);
      live[change.key as LiveKey](this.#config);
      log.info(`${wordsOf(change)}, from now on`);
    }
    const restarted = await this.#restart(changes.filter(({ effect }) => effect === 'engine'));
    for (const change of changes.filter(({ effect }) => effect === 'start')) {
      log.warn(`${wordsOf(change)}, from the next start on`);
    }
    return restarted.ok ? answer(changes.map(({ key, effect }) => ({ key, effect }))) : restarted;
  }

  async #restart(changes: readonly ConfigChange[]): Promise<Outcome<unknown>> {
    if (changes.length === 0) return answer(null);
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
    return restarted;
  }
}

const valueOf = (config: Config, key: string): string | number | boolean =>
  valueAt(config, key.split('.')) as string | number | boolean;

function wordsOf({ key, after }: ConfigChange): string {
  if (key === 'http.token') return 'http.token is another one';
  return `${key} is ${after === undefined ? 'not set' : JSON.stringify(after)}`;
}
