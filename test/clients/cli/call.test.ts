/** Every operation of a host from the command line: `call`, with the rows of the conformance test. */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Answer } from '../../../clients/cli/answer.ts';
import { createProgram } from '../../../clients/cli/program.ts';
import { OPERATIONS } from '../../../server/api/operations.ts';
import { FILE_OPERATIONS, OPERATION_IDS } from '../../../server/api/routes.ts';
import { bench, type Bench } from '../../server/control/fake.ts';
import { ROWS } from '../../server/control/rows.ts';
import { livegradJson, scratch } from './run.ts';

let host: Bench | undefined;
afterEach(async () => {
  await host?.close();
  host = undefined;
});

/** As `main.ts` does, in this process. */
async function cli(...args: string[]): Promise<Answer> {
  let given: Answer | undefined;
  const program = createProgram(async (work) => {
    given = await work({ env: {}, json: true } as never);
  });
  await program.parseAsync(args, { from: 'user' });
  return given ?? expect.unreachable('no answer');
}

test.each(OPERATION_IDS)('call %s answers what the host says', async (id) => {
  const { options, arrange, input } = ROWS[id];
  host = await bench(options?.());
  await arrange?.(host);
  const url = await host.listen();
  const given = typeof input === 'function' ? await input(host) : input;
  const words = Object.keys(given).length === 0 ? [] : [JSON.stringify(given)];
  if (FILE_OPERATIONS.some((one) => one === id)) {
    const without = await cli('call', id, ...words, '--url', url);
    expect(without).toMatchObject({ ok: false, exit: 2 });
    const file = join(scratch(), 'answer');
    const written = await cli('call', id, ...words, '--output', file, '--url', url);
    expect(written).toMatchObject({ ok: true, document: { file, bytes: statSync(file).size } });
    expect(statSync(file).size).toBeGreaterThan(0);
    return;
  }
  const answered = await cli('call', id, ...words, '--url', url);
  if (!answered.ok) throw new Error(JSON.stringify(answered.findings));
  expect(OPERATIONS[id].output.parse(answered.document)).toEqual(answered.document);
});

test('input is given field by field as well, as numbers, words or JSON', async () => {
  host = await bench();
  const url = await host.listen();
  const set = await livegradJson('call', 'params.set', 'id=hidden/gain', 'value=0.5', '--url', url);
  expect(set).toMatchObject({ exit: 0, document: { id: 'hidden/gain', value: 0.5 } });
  const both = ['{"values": {"gain": 1}}', 'frozen={"gain": true}', '--url', url];
  const updated = await livegradJson('call', 'params.update', ...both);
  expect(updated.document).toMatchObject({ params: [{ value: 1, frozen: true }] });
});

test('what is no input, no operation or refused is said as everywhere', async () => {
  host = await bench();
  const url = await host.listen();
  const words = await cli('call', 'params.set', 'loud', '--url', url);
  expect(words).toMatchObject({ ok: false, exit: 2, code: 'CLI_USAGE' });
  const none = await livegradJson('call', 'params.sett', '--url', url);
  expect(none).toMatchObject({ exit: 2 });
  const refused = await cli('call', 'params.get', 'id=gian', '--url', url);
  expect(refused).toMatchObject({ ok: false, exit: 1, code: 'UNKNOWN_PARAM' });
});
