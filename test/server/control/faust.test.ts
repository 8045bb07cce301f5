/** Programs in Faust over REST: their source in, their source out, what is wrong with it, and edits. */

import { afterEach, expect, test } from 'vitest';
import { bench, example, type Bench } from './fake.ts';

let open: Bench | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

const FAUST = { 'content-type': 'text/x-faust; charset=utf-8' };

const gain = (initial: number, declared = ''): string =>
  `${declared}gain = hslider("gain", ${initial}, 0, 2, 0.01);\nprocess = _ <: *(0.5), *(gain);`;

async function start() {
  open = await bench({ patch: example('gain') });
  const { http } = open;
  const send = async (
    method: 'GET' | 'PUT' | 'POST' | 'PATCH',
    path: string,
    payload?: string | object,
    headers: Record<string, string> = {},
  ) => {
    const url = `/api/v1${path}`;
    const reply = await http.inject({
      method,
      url,
      headers,
      ...(payload === undefined ? {} : { payload }),
    });
    return { status: reply.statusCode, text: reply.body, headers: reply.headers, reply };
  };
  const put = async (code: string, path = '/patch') => {
    const { status, reply } = await send('PUT', path, code, FAUST);
    return { status, body: reply.json<Record<string, unknown>>() };
  };
  const patch = async () => (await send('GET', '/patch')).reply.json<Record<string, never>>();
  return Object.assign(open, { send, put, patch });
}

test('a program is put as its source, named by itself or in the query, and read back', async () => {
  const { put, send, patch } = await start();
  const declared = `declare name "My gain";\n${gain(0.25)}`;
  expect(await put(declared)).toMatchObject({
    status: 200,
    body: { name: 'My-gain', sliders: ['gain'], params: [], inputs: 1, outputs: 2 },
  });
  expect(await patch()).toMatchObject({ title: 'My gain', faust: { code: declared } });
  const source = await send('GET', '/patch', undefined, {
    accept: 'text/html, application/json;q=0.5, text/x-faust',
  });
  expect(source.headers['content-type']).toBe('text/x-faust; charset=utf-8');
  expect(source.headers.vary).toBe('accept');
  expect(source.text).toBe(declared);
  const document = await send('GET', '/patch', undefined, {
    accept: 'application/json, text/x-faust;q=0.9',
  });
  expect(document.headers['content-type']).toContain('application/json');
  expect((await put(gain(1), '/patch?name=low%20gain')).body).toMatchObject({ name: 'low-gain' });
  expect((await put(gain(1))).body).toMatchObject({ name: 'faust' });
});

test('what is wrong with a program is told with the line that Faust names', async () => {
  const { put, send } = await start();
  const wrong = 'import("stdfaust.lib");\n\nprocess = os.osk(440);\n';
  const { status, body } = await put(wrong);
  expect({ status, ...body }).toMatchObject({
    status: 422,
    code: 'PATCH_INVALID',
    diagnostics: [{ code: 'FAUST_SYNTAX', line: 3 }],
  });
  expect(body['detail']).toMatch(/^line 3: /);
  const checked = await send('POST', '/patch/check', wrong, FAUST);
  expect(checked.reply.json()).toMatchObject({ ok: false, diagnostics: [{ line: 3 }], info: null });
  const right = await send('POST', '/patch/check', gain(1), FAUST);
  expect(right.reply.json()).toMatchObject({ ok: true, info: { sliders: ['gain'] } });
  expect((await send('GET', '/status')).reply.json()).toMatchObject({ patch: 'gain' });
});

test('a source is refused where no patch is expected, or where it is too large', async () => {
  const { send } = await start();
  const other = await send('PATCH', '/params', gain(1), FAUST);
  expect(other.reply.json()).toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
  const large = await send('PUT', '/patch', ' '.repeat(2 ** 20 + 1), FAUST);
  expect(large.reply.json()).toMatchObject({ status: 413, code: 'TOO_LARGE' });
  const empty = await send('PUT', '/patch', '', FAUST);
  expect(empty.reply.json()).toMatchObject({
    status: 422,
    diagnostics: [{ code: 'FAUST_SYNTAX' }],
  });
});

test('the document of the API says where a source may be', async () => {
  const { http } = await start();
  const { paths } = (await http.inject('/openapi.json')).json<{
    paths: Record<string, Record<string, Record<string, never>>>;
  }>();
  const { get, put } = paths['/api/v1/patch']!;
  expect(put!['requestBody']).toMatchObject({
    content: { 'application/json': {}, 'text/x-faust': { schema: { type: 'string' } } },
  });
  expect(put!['parameters']).toMatchObject([{ in: 'query', name: 'name' }]);
  expect(get!['responses']).toMatchObject({ 200: { content: { 'text/x-faust': {} } } });
  expect(paths['/api/v1/patch/check']!['post']!['requestBody']).toMatchObject({
    content: { 'text/x-faust': {} },
  });
});

test('a new source of the same program keeps values and what clients have said', async () => {
  const { send, put, patch, session } = await start();
  await put(gain(0.5));
  const asked = await send('PATCH', '/params', {
    learn: { gain: true },
    training: { loss: 'mae', schedule: { kind: 'constant', rate: 0.02 } },
  });
  expect(asked.status).toBe(200);
  await send('PATCH', '/params', {
    values: { gain: 0.75 },
    frozen: { gain: true },
    rates: { gain: 0.5 },
  });
  const louder = `${gain(0.5)} // louder\nextra = hslider("extra", 1, 0, 2, 0.1);`;
  expect((await put(louder.replace('*(gain)', '*(gain * extra)'))).status).toBe(200);
  expect(session.state.values.get('gain')).toBe(0.75);
  expect([...session.state.frozen]).toEqual(['gain']);
  expect(session.state.rates.get('gain')).toBe(0.5);
  expect(await patch()).toMatchObject({
    faust: { learn: { gain: 'linear' } },
    training: { loss: 'mae', schedule: { rate: 0.02 }, estimate: 'out2', target: 'out1' },
  });

  // What the text itself says of its training wins, once it says something else.
  const declared = 'declare livegrad "[loss:mse]";\n';
  expect((await put(gain(0.5, declared))).status).toBe(200);
  expect(await patch()).toMatchObject({
    faust: { learn: { gain: 'linear' } },
    training: { loss: 'mse' },
  });

  // A control that is gone is forgotten; a whole document says all there is to say.
  expect((await put('process = _ <: *(0.5), *(hslider("level", 1, 0, 2, 0.1));')).status).toBe(200);
  expect((await patch())['faust']).not.toHaveProperty('learn');
  expect((await patch())['training']).toBeUndefined();
});

test('another program begins as it is written', async () => {
  const { send, put, patch } = await start();
  await put(gain(0.5));
  await send('PATCH', '/params', { learn: { gain: true } });
  await send('PATCH', '/params', { values: { gain: 0.75 } });
  await put(gain(0.5, 'declare name "other";\n'));
  expect(await patch()).not.toHaveProperty('training');
  expect((await send('GET', '/params/gain')).reply.json()).toMatchObject({
    kind: 'slider',
    value: 0.5,
  });
});
