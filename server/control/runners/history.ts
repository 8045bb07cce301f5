/**
 * The operations of the history.
 *
 * Invariant: what was measured before a question is in its answer; a series is thinned to what fits
 * into one.
 */

import { pointsWithin, type Run, type Series } from '../../api/history.ts';
import type { Host, RunnersOf } from '../operations.ts';
import { answer, refuse, type Outcome } from '../outcome.ts';

interface Range {
  readonly run: number;
  readonly from: number;
  readonly to?: number | undefined;
  readonly points: number;
  readonly params?: string | readonly string[] | undefined;
}

const unknown = (run: number): ReturnType<typeof refuse> =>
  refuse('UNKNOWN_RUN', `the history has no run ${run}`);

async function find(
  { history }: Host,
  { run: number, from, to = Number.MAX_SAFE_INTEGER, points, params }: Range,
  isExport: boolean,
): Promise<Outcome<{ run: Run; series: Series }>> {
  await history.flush();
  const run = await history.ask('run', { run: number });
  if (!run.ok) return run;
  if (run.value === undefined) return unknown(number);
  const wanted = (typeof params === 'string' ? params.split(',') : params)
    ?.map((id) => id.trim())
    .filter((id) => id !== '');
  const missing = wanted?.filter((id) => run.value?.params.includes(id) !== true) ?? [];
  if (missing.length > 0) {
    const known = run.value.params.slice(0, 8).join(', ');
    const detail = `run ${number} has no series of ${missing.join(', ')}; it has ${known}`;
    return refuse('INVALID_INPUT', `params: ${detail}`);
  }
  const count = (wanted ?? run.value.params).length;
  const query = { run: number, from, to, points: pointsWithin(points, count, isExport) };
  const series = await history.ask('series', { ...query, params: wanted });
  if (!series.ok) return series;
  if (series.value === undefined) return unknown(number);
  return answer({ run: run.value, series: series.value });
}

export const HISTORY_RUNNERS: RunnersOf<'history'> = {
  'history.list': async ({ history }, { limit, before }) => {
    await history.flush();
    return history.ask('list', { limit, before });
  },
  'history.get': async (host, range) => {
    const found = await find(host, range, false);
    return found.ok ? answer(found.value.series) : found;
  },
  'history.export': async (host, { format, ...range }) => {
    const found = await find(host, range, true);
    if (!found.ok) return found;
    const { run, series } = found.value;
    const stem = `${run.patch}-${run.began.slice(0, 19).replaceAll(':', '-')}Z`;
    const text =
      format === 'csv' ? csvOf(series) : `${JSON.stringify({ ...run, series }, null, 1)}\n`;
    return answer({ format, file: `${stem}.${format}`, text });
  },
  'history.delete': async ({ session, history }, { run }, origin) => {
    const deleted = await history.delete(run);
    if (!deleted.ok) return deleted;
    if (!deleted.value) return unknown(run);
    const revision = session.announce('history.changed', { run, what: 'deleted' }, origin);
    return answer({ revision });
  },
};

/** RFC 4180: ids need no quotes. What is not known is empty. */
function csvOf({ at, step, loss, low, high, rate, params }: Series): string {
  const columns = { at, step, loss, low, high, rate, ...params };
  const lines = at.map((_, k) =>
    Object.values(columns)
      .map((column) => column[k] ?? '')
      .join(','),
  );
  return `${[Object.keys(columns).join(','), ...lines].join('\r\n')}\r\n`;
}
