/**
 * The operations of the configuration.
 *
 * Invariant: everyone else is told which settings were changed, once they are in the file.
 */

import type { RunnersOf } from '../operations.ts';
import { answer } from '../outcome.ts';

export const CONFIG_RUNNERS: RunnersOf<'config'> = {
  'config.get': ({ settings }) => answer(settings.state),
  'config.update': async ({ session, settings }, { settings: wanted }, origin) => {
    const taken = await settings.update(wanted);
    if (!taken.ok) return taken;
    const keys = taken.value.changed.map(({ key }) => key);
    const revision =
      keys.length === 0
        ? session.revision
        : session.announce('config.changed', { settings: keys }, origin);
    return answer({ ...taken.value, revision });
  },
};
