/**
 * The OpenAPI document as others read it: it is one to an independent validator, and a client that an
 * independent generator made of it compiles, refuses wrong types, and works with a host.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Validator } from '@seriousme/openapi-schema-validator';
import { generate } from 'openapi-typescript-codegen';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toolScript } from '../../../server/launch/tool.mjs';
import { bench, type Bench } from '../control/fake.ts';

let host: Bench;
let url = '';
let folder = '';
let document: object;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'livegrad-openapi-'));
  host = await bench();
  url = await host.listen();
  document = (await (await fetch(`${url}/openapi.json`)).json()) as object;
});
afterAll(async () => {
  await host.close();
  rmSync(folder, { recursive: true, force: true });
});

test('the document is OpenAPI 3.1 to an independent validator', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(document) as never);
  expect(errors ?? []).toEqual([]);
  expect(valid).toBe(true);
  expect(validator.version).toBe('3.1');
});

test('the validator finds what is wrong with a document', async () => {
  const broken = { ...document, paths: { '/x': { get: { responses: 3 } } } };
  expect((await new Validator().validate(broken as never)).valid).toBe(false);
});

/** What somebody writes who knows the document alone. */
const PROGRAM = `import { ApiError, OpenAPI, ParamsService, SnapshotsService, StatusService } from './api';
declare const process: { readonly argv: string[] };
async function main(): Promise<void> {
  OpenAPI.BASE = process.argv[2]!;
  const status = await StatusService.statusGet();
  const rate: number = status.engine.sampleRate;
  const set = await ParamsService.paramsSet({ id: 'hidden/gain', requestBody: { value: rate / 96000 } });
  const saved = await SnapshotsService.snapshotsSave({ name: 'warm', requestBody: {} });
  const loaded = await SnapshotsService.snapshotsLoad({ name: 'warm', requestBody: {} });
  let refused: unknown;
  try {
    await ParamsService.paramsGet({ id: 'gian' });
  } catch (error) {
    if (error instanceof ApiError) refused = error.body.code;
  }
  const { value, revision } = set;
  const { taken } = loaded;
  console.log(JSON.stringify({ patch: status.patch, value, revision, fits: saved.fits, taken, refused }));
}
void main();
`;
/** Each line is refused by the types of the client. */
const WRONG = `import { ParamsService, StatusService } from './api';
void ParamsService.paramsSet({ id: 'gain', requestBody: { value: 'loud' } });
void ParamsService.paramsSet({ id: 'gain', requestBody: { valeu: 1 } });
void ParamsService.paramsGet({});
void StatusService.statusGet().then((status) => status.engine.sampelRate);
`;

test('a generated client compiles, refuses wrong types, and works', async () => {
  await generate({
    input: structuredClone(document),
    output: join(folder, 'api'),
    useUnionTypes: true,
    useOptions: true,
    exportSchemas: false,
  });
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }');
  writeFileSync(join(folder, 'program.ts'), PROGRAM);
  writeFileSync(join(folder, 'wrong.ts'), WRONG);
  const compilerOptions = {
    target: 'ES2024',
    lib: ['ES2024', 'DOM'],
    module: 'nodenext',
    types: [],
    strict: true,
    rootDir: '.',
    outDir: 'out',
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  const compiled = spawnSync(process.execPath, [toolScript('tsc'), '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
  });
  const places = [...compiled.stdout.matchAll(/^(\S+)\((\d+),\d+\): error/gmu)];
  expect(
    places.map(([, file, line]) => `${file}:${line}`),
    compiled.stdout,
  ).toEqual([2, 3, 4, 5].map((line) => `wrong.ts:${line}`));

  // Not in this process, which is the host.
  const child = spawn(process.execPath, [join(folder, 'out', 'program.js'), url]);
  const [said, complaints] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    child.exitCode ?? once(child, 'exit'),
  ]);
  expect(complaints).toBe('');
  expect(JSON.parse(said)).toEqual({
    patch: 'gain',
    value: 0.5,
    revision: expect.any(Number),
    fits: true,
    taken: ['hidden/gain', 'gain'],
    refused: 'UNKNOWN_PARAM',
  });
});
