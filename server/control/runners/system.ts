/** The operations of the host as a machine. */

import { cpus, totalmem } from 'node:os';
import type { RunnersOf } from '../operations.ts';
import { answer } from '../outcome.ts';

export const SYSTEM_RUNNERS: RunnersOf<'system'> = {
  'system.get': ({ session }) => {
    const { version, uptime } = session.status();
    const { node, v8 } = process.versions;
    const { platform, arch, pid } = process;
    return answer({
      version,
      node,
      v8,
      platform,
      arch,
      cpus: cpus().length,
      memoryBytes: totalmem(),
      pid,
      started: new Date(performance.timeOrigin).toISOString(),
      uptime,
    });
  },
  'system.restartEngine': ({ session }, _, origin) => session.machine.renew(origin),
  'system.shutdown': (host) => {
    host.log.info('a client ends the daemon');
    host.shutDown();
    return answer({ stopping: true });
  },
};
