/**
 * When the launcher reinstalls: on folders with hand-made lockfiles, nothing is installed here.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packagesMatch } from '../../../server/launch/packages.mjs';

const WANTED = {
  '': { version: '1.0.0' },
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/tool': { version: '2.0.0', integrity: 'sha512-t', dev: true },
  'node_modules/other-processor': { version: '3.0.0', integrity: 'sha512-o', optional: true },
};

describe('packagesMatch', () => {
  let root = '';

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'livegrad-packages-'));
    mkdirSync(join(root, 'node_modules'));
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: WANTED }));
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  const install = (packages: object) => {
    const file = join(root, 'node_modules', '.package-lock.json');
    writeFileSync(file, JSON.stringify({ packages }));
  };
  const { 'node_modules/a': a, 'node_modules/tool': tool } = WANTED;

  it('refuses a checkout without node_modules, and one whose install was interrupted', () => {
    expect(packagesMatch(root, 'production')).toBe(false);
    rmSync(join(root, 'node_modules'), { recursive: true });
    expect(packagesMatch(root, 'production')).toBe(false);
  });

  it('accepts an install without the packages of other processors', () => {
    install({ 'node_modules/a': a, 'node_modules/tool': tool });
    expect(packagesMatch(root, 'all')).toBe(true);
  });

  it('accepts an install without tools for a start, but not for tests', () => {
    install({ 'node_modules/a': a });
    expect(packagesMatch(root, 'production')).toBe(true);
    expect(packagesMatch(root, 'all')).toBe(false);
  });

  it('refuses another version, and the same version with other content', () => {
    install({ 'node_modules/a': { ...a, version: '1.0.1' }, 'node_modules/tool': tool });
    expect(packagesMatch(root, 'all')).toBe(false);
    install({ 'node_modules/a': { ...a, integrity: 'sha512-x' }, 'node_modules/tool': tool });
    expect(packagesMatch(root, 'all')).toBe(false);
  });
});
