/**
 * The SDK as a stranger has it: packed by npm, installed in a project of its own that has nothing else,
 * compiled with all strictness (its declarations, too), and used by Node against a host.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPERATION_IDS } from '../../../server/api/routes.ts';
import { toolScript } from '../../../server/launch/tool.mjs';
import { bench, record } from '../../server/control/fake.ts';
import { ROOT } from '../../support/sources.ts';

let folder = '';
let project = '';

const run = (command: string, args: readonly string[], cwd: string): string => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  expect(status, `${command} ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0);
  return stdout;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'livegrad-sdk-'));
  const made = join(folder, 'made');
  run(process.execPath, [join(ROOT, 'clients', 'package', 'main.ts'), made], ROOT);
  run('npm', ['pack', '--silent', '--pack-destination', folder], made);
  const packed = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  expect(packed).toHaveLength(1);
  project = join(folder, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', `../${packed[0]}`], project);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PROGRAM = `import { createClient, LivegradError, type Frame, type Output } from 'livegrad-sdk';

declare const process: { readonly argv: string[] };
const livegrad = createClient({ url: process.argv[2]!, token: 'lg_control' });
const frames: Frame[] = [];
const told: string[] = [];
const ready = new Promise<number>((resolve) => {
  livegrad.on('snapshot', ({ status, params }) => resolve(status.revision + params.params.length));
});
livegrad.on('change', (change) => {
  if (change.kind === 'params.changed') told.push(change.data.params.map(({ id }) => id).join());
});
const first = new Promise<void>((resolve) => {
  livegrad.subscribe({ topics: ['loss', 'params'], rate: 60 }, (frame) => {
    if (frames.length < 2) frames.push(frame);
    if (frames.length === 2) resolve();
  });
});
await ready;
const set: Output<'params.set'> = await livegrad.params.set({ id: 'hidden/gain', value: 0.5 });
const { params } = await livegrad.params.update({ values: { gain: 0.25 }, frozen: { gain: true } });
await livegrad.schedule.set({ kind: 'cosine', rate: 1, final: 0.1, steps: 1000 });
const saved = await livegrad.snapshots.save({ name: 'warm' });
const { taken } = await livegrad.snapshots.load({ name: 'warm' });
const patch = await livegrad.patch.get();
let refused = '';
try {
  await livegrad.devices.select({ blockSize: 512 });
} catch (error) {
  if (error instanceof LivegradError) refused = error.code;
}
await first;
livegrad.close();
console.log(
  JSON.stringify({
    value: set.value,
    frozen: params.map(({ id, frozen }) => [id, frozen]),
    taken,
    fits: saved.fits,
    format: patch.format,
    refused,
    topics: frames.map(({ topic }) => topic).sort(),
    values: frames.map(({ values }) => values.length),
    told,
    methods: Object.entries(livegrad).flatMap(([group, methods]) =>
      typeof methods === 'object' ? Object.keys(methods).map((name) => \`\${group}.\${name}\`) : [],
    ),
  }),
);
`;
/** Each line but the first two is refused. */
const WRONG = `import { createClient } from 'livegrad-sdk';
const livegrad = createClient({ url: 'http://127.0.0.1:8440' });
void livegrad.params.set({ id: 'gain', value: 'loud' });
void livegrad.params.set({ id: 'gain', valeu: 1 });
void livegrad.params.get();
void livegrad.schedule.set({ kind: 'cosinus', rate: 1 });
void livegrad.status.get().then((status) => status.engine.sampelRate);
livegrad.on('changed', () => undefined);
livegrad.subscribe({ topics: ['gradient'], rate: 30 }, () => undefined);
`;

function compile(file: string): string[] {
  const options = ['--target', 'es2024', '--lib', 'es2024,dom', '--module', 'nodenext'];
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'];
  const { stdout } = spawnSync(
    process.execPath,
    [toolScript('tsc'), ...options, ...strict, '--types', '', '--pretty', 'false', file],
    { cwd: project, encoding: 'utf8' },
  );
  return stdout.split('\n').filter((line) => line.includes(': error '));
}

test('the packed SDK needs no package, and its declarations none', () => {
  const home = join(project, 'node_modules', 'livegrad-sdk');
  expect(
    readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.')),
  ).toEqual(['livegrad-sdk']);
  const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as object;
  expect(Object.keys(manifest)).not.toContain('dependencies');
  const files = readdirSync(home, { recursive: true, encoding: 'utf8' });
  const sources = files.filter((name) => /\.(js|d\.ts)$/u.test(name));
  const imports = sources.flatMap((name) =>
    [...readFileSync(join(home, name), 'utf8').matchAll(/ from '([^']*)'/gu)].map(([, to]) => to!),
  );
  expect(imports.filter((to) => !to.startsWith('.'))).toEqual([]);
});

test('a program of a stranger compiles, and works in Node against a host', async () => {
  writeFileSync(join(project, 'program.ts'), PROGRAM);
  expect(compile('program.ts')).toEqual([]);
  const host = await bench({ tokens: [record('stage', 'control', 'lg_control')] });
  try {
    const url = await host.listen();
    const cranking = setInterval(() => host.engine.crank(), 20);
    const child = spawn(process.execPath, [join(project, 'program.js'), url]);
    const [said, complaints] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit'),
    ]);
    clearInterval(cranking);
    expect(complaints).toBe('');
    const { methods, ...rest } = JSON.parse(said) as { methods: string[] };
    expect(methods.sort()).toEqual([...OPERATION_IDS].sort());
    expect(rest).toMatchObject({
      value: 0.5,
      frozen: [['gain', true]],
      taken: ['hidden/gain', 'gain'],
      fits: true,
      format: 'livegrad.patch/1',
      refused: 'FORBIDDEN_ROLE',
      topics: ['loss', 'params'],
      values: [1, 1],
    });
    expect(rest).toHaveProperty('told.0', 'hidden/gain');
  } finally {
    await host.close();
  }
});

test('wrong uses of it do not compile', () => {
  writeFileSync(join(project, 'wrong.ts'), WRONG);
  const lines = compile('wrong.ts').map((line) => Number(/\((\d+),/u.exec(line)?.[1]));
  expect([...new Set(lines)]).toEqual([3, 4, 5, 6, 7, 8, 9]);
});
