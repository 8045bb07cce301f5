/**
 * The compiler's own guard of the import arrows: in a copy of the real project files, each with one
 * source per possible arrow, exactly the arrows against the written direction do not compile.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toolScript } from '../../server/launch/tool.mjs';
import { ROOT, read } from '../support/sources.ts';

const ROOMS = [
  'dsp',
  'config',
  'server/api',
  'server',
  'clients/sdk',
  'clients/dashboard',
  'clients/cli',
] as const;

/** What a room sees: its references in tsconfig.json and, as the compiler has it, theirs. */
function seenBy(room: string): Set<string> {
  const { references = [] }: { references?: { path: string }[] } = JSON.parse(
    read(`${room}/tsconfig.json`),
  );
  const direct = references.map(({ path }) => relative(ROOT, join(ROOT, room, path)));
  return new Set(direct.flatMap((other) => [other, ...seenBy(other)]));
}

const arrowFile = (from: string, to: string) => `${from}/to-${to.replace('/', '-')}.ts`;
let folder = '';
let output = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'livegrad-projects-'));
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  cpSync(join(ROOT, 'tsconfig.base.json'), join(folder, 'tsconfig.base.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  for (const room of ROOMS) {
    mkdirSync(join(folder, room), { recursive: true });
    cpSync(join(ROOT, room, 'tsconfig.json'), join(folder, room, 'tsconfig.json'));
    writeFileSync(join(folder, room, 'index.ts'), `export const room: string = '${room}';\n`);
  }
  for (const from of ROOMS) {
    for (const to of ROOMS) {
      if (from === to) continue;
      const file = arrowFile(from, to);
      const target = relative(join(folder, dirname(file)), join(folder, to, 'index.ts'));
      const name = target.startsWith('.') ? target : `./${target}`;
      writeFileSync(
        join(folder, file),
        `import { room } from '${name}';\nexport const other: string = room;\n`,
      );
    }
  }
  mkdirSync(join(folder, 'dsp', 'run'));
  cpSync(join(ROOT, 'dsp/run/webassembly.d.ts'), join(folder, 'dsp/run/webassembly.d.ts'));
  // One project at a time: an arrow against the direction has a project write declarations of
  // another one, and a project built beside it could read such a file while it is still empty.
  const build = [toolScript('tsc'), '-b', '--builders', '1', ...ROOMS];
  const result = spawnSync(process.execPath, build, { cwd: folder, encoding: 'utf8' });
  output = `${result.stdout}${result.stderr}`;
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the project references', () => {
  for (const from of ROOMS) {
    it(`let ${from} import only what it references`, () => {
      const expected = ROOMS.filter((to) => to !== from && !seenBy(from).has(to));
      const refused = ROOMS.filter((to) => output.includes(`${arrowFile(from, to)}(`));
      expect(refused, output).toEqual(expected);
    });
  }

  it('refuse nothing for another reason than its direction', () => {
    const codes = [...output.matchAll(/error (TS\d+)/g)].map((match) => match[1]);
    expect(new Set(codes)).toEqual(new Set(['TS6307']));
  });

  it('keep dsp free of Node and of the browser', () => {
    expect([...seenBy('dsp')]).toEqual([]);
    const base = JSON.parse(read('tsconfig.base.json')).compilerOptions;
    expect(base).toMatchObject({ types: [], lib: ['ES2024'] });
    const own = JSON.parse(read('dsp/tsconfig.json')).compilerOptions ?? {};
    expect(own).not.toHaveProperty('types');
    expect(own).not.toHaveProperty('lib');
  });
});
