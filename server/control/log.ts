/**
 * The log: pino on standard error, as JSON lines for collectors or one line a message for people.
 *
 * Invariant: secrets do not reach it: headers and queries of requests are not logged.
 */

import { pino, type Logger } from 'pino';
import type { Config } from '../../config/schema.ts';
import type { LogTail } from './log-tail.ts';

export type Log = Logger;

/** @param tail  that gets every line as well */
export function createLog({ level, pretty }: Config['log'], tail?: LogTail): Log {
  const standardError = pino.destination({ dest: 2, sync: true });
  const options = { level, serializers: { req: describeRequest } };
  return pino(options, {
    write(line: string): void {
      standardError.write(pretty ? prettyLine(line) : line);
      tail?.write(line);
    },
  });
}

/** 12:34:56 WARN  message key=value */
export function prettyLine(json: string): string {
  const { time, level, msg, pid: _, hostname: __, err, ...rest } = JSON.parse(json) as Line;
  const clock = new Date(time).toTimeString().slice(0, 8);
  const label = (pino.levels.labels[level] ?? String(level)).toUpperCase().padEnd(5);
  const fields = Object.entries(rest).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
  const trace = err === undefined ? '' : `\n${err.stack ?? err.message ?? ''}`;
  return `${clock} ${label} ${msg ?? ''}${fields.join('')}${trace}\n`;
}

interface Line {
  readonly time: number;
  readonly level: number;
  readonly msg?: string;
  readonly pid?: number;
  readonly hostname?: string;
  readonly err?: { readonly stack?: string; readonly message?: string };
}

/** The address without its query, which may hold a token. */
function describeRequest(request: { readonly method?: string; readonly url?: string }): object {
  return { method: request.method, url: request.url?.split('?')[0] };
}
