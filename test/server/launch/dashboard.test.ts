/**
 * When the dashboard is bundled: in a copy of the launcher, with a bundler that writes one file.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type * as launch from '../../../server/launch/dashboard.mjs';
import { ROOT } from '../../support/sources.ts';

type Launcher = typeof launch;

let root = '';
let launcher: Launcher;
const write = (file: string, text: string): void => {
  mkdirSync(join(root, file, '..'), { recursive: true });
  writeFileSync(join(root, file), text);
};
const bundle = (): string => readFileSync(join(root, '.build/dashboard/index.html'), 'utf8');
const bundler = (body: string): void => {
  write('node_modules/vite/package.json', '{ "type": "module", "exports": "./index.js" }');
  write(
    'node_modules/vite/index.js',
    `import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
    export async function build({ root, build }) { ${body} }`,
  );
};
const COPIES = `mkdirSync(build.outDir);
  writeFileSync(build.outDir + '/index.html', readFileSync(root + '/main.tsx'));`;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'livegrad-bundle-'));
  cpSync(join(ROOT, 'server/launch'), join(root, 'server/launch'), { recursive: true });
  write('package.json', '{ "type": "module" }');
  write('package-lock.json', '{}');
  launcher = (await import(
    pathToFileURL(join(root, 'server/launch/dashboard.mjs')).href
  )) as Launcher;
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

it('says what is missing, and tries again when it is there', () => {
  expect(launcher.buildDashboard(process.execPath)).toEqual({
    ok: false,
    reason: 'its sources are not here',
  });
  write('clients/dashboard/main.tsx', 'one');
  expect(launcher.knownDashboard()).toBeNull();
  const missing = { ok: false, reason: 'the package vite is not installed' };
  expect(launcher.buildDashboard(process.execPath)).toEqual(missing);
  expect(launcher.knownDashboard()).toEqual(missing);
  bundler(COPIES);
  expect(launcher.knownDashboard()).toBeNull();
});

it('bundles once per state of the sources and of the packages', () => {
  expect(launcher.buildDashboard(process.execPath)).toEqual({ ok: true });
  expect(bundle()).toBe('one');
  expect(launcher.knownDashboard()).toEqual({ ok: true });
  for (const file of ['clients/dashboard/main.tsx', 'clients/sdk/a.ts', 'package-lock.json']) {
    write(file, 'two');
    expect(launcher.knownDashboard(), file).toBeNull();
    launcher.buildDashboard(process.execPath);
    expect(launcher.knownDashboard(), file).toEqual({ ok: true });
  }
  expect(bundle()).toBe('two');
  write('clients/dashboard/README.md', 'not part of it');
  expect(launcher.knownDashboard()).toEqual({ ok: true });
});

it('keeps the old bundle, the reason and its output where the bundler fails', () => {
  write('clients/dashboard/main.tsx', 'three');
  bundler("throw new Error('a brace is missing');");
  const outcome = launcher.buildDashboard(process.execPath);
  expect(outcome).toMatchObject({ ok: false, reason: expect.stringContaining('dashboard.log') });
  expect(launcher.knownDashboard()).toEqual(outcome);
  expect(readFileSync(join(root, '.build/dashboard.log'), 'utf8')).toContain('a brace is missing');
  expect(bundle()).toBe('two');
  expect(existsSync(join(root, '.build/dashboard.new'))).toBe(false);
});
