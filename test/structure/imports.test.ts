/**
 * The import arrows: which room may import which, in two tables that are the only place where this
 * is written down for the code inside a project. (Between projects the compiler checks it as well,
 * see projects.test.ts.) And no dead files: whatever is here is used by something that runs.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, importsOf, projectFiles, read, roomOf, sourceFiles } from '../support/sources.ts';

/** Room -> rooms that it may import. */
const PROJECTS: Readonly<Record<string, readonly string[]>> = {
  dsp: [],
  config: ['dsp'],
  'server/api': ['dsp'],
  'server/launch': [],
  server: ['dsp', 'config', 'server/api'],
  'clients/sdk': ['server/api'],
  'clients/dashboard': ['clients/sdk'],
  'clients/package': ['server/api', 'server/launch'],
  'clients/cli': ['dsp', 'config', 'server', 'server/api', 'clients/sdk'],
};

const DSP: Readonly<Record<string, readonly string[]>> = {
  'dsp/diagnostic.ts': [],
  'dsp/control.ts': [],
  'dsp/ir': ['dsp/diagnostic.ts', 'dsp/control.ts'],
  'dsp/interpret': ['dsp/ir'],
  'dsp/ad': ['dsp/ir'],
  'dsp/passes': ['dsp/ir', 'dsp/interpret'],
  'dsp/learn': ['dsp/ir', 'dsp/ad', 'dsp/blocks', 'dsp/control.ts'],
  'dsp/blocks': ['dsp/ir'],
  'dsp/faust/program.ts': [],
  'dsp/patch': [
    'dsp/ir',
    'dsp/blocks',
    'dsp/learn',
    'dsp/faust/program.ts',
    'dsp/control.ts',
    'dsp/diagnostic.ts',
  ],
  'dsp/faust': [
    'dsp/ir',
    'dsp/passes',
    'dsp/learn',
    'dsp/patch',
    'dsp/wasm',
    'dsp/faust/program.ts',
    'dsp/control.ts',
    'dsp/diagnostic.ts',
  ],
  'dsp/examples': ['dsp/patch', 'dsp/diagnostic.ts'],
  'dsp/measures.ts': ['dsp/ir', 'dsp/ad', 'dsp/learn', 'dsp/patch', 'dsp/diagnostic.ts'],
  'dsp/plan.ts': [
    'dsp/ir',
    'dsp/ad',
    'dsp/learn',
    'dsp/measures.ts',
    'dsp/passes',
    'dsp/patch',
    'dsp/control.ts',
    'dsp/diagnostic.ts',
  ],
  'dsp/artifact.ts': ['dsp/control.ts', 'dsp/ir'],
  'dsp/wasm': ['dsp/ir', 'dsp/interpret', 'dsp/artifact.ts', 'dsp/diagnostic.ts'],
  'dsp/run': ['dsp/ir', 'dsp/interpret', 'dsp/learn', 'dsp/artifact.ts'],
  'dsp/compile.ts': [
    'dsp/ir',
    'dsp/faust',
    'dsp/passes',
    'dsp/patch',
    'dsp/plan.ts',
    'dsp/wasm',
    'dsp/artifact.ts',
    'dsp/diagnostic.ts',
  ],
  'dsp/index.ts': [
    'dsp/ir',
    'dsp/interpret',
    'dsp/ad',
    'dsp/patch',
    'dsp/run',
    'dsp/check',
    'dsp/artifact.ts',
    'dsp/compile.ts',
  ],
  'dsp/check': [
    'dsp/ir',
    'dsp/ad',
    'dsp/learn',
    'dsp/passes',
    'dsp/patch',
    'dsp/run',
    'dsp/artifact.ts',
    'dsp/compile.ts',
    'dsp/plan.ts',
    'dsp/diagnostic.ts',
  ],
};

const files = new Set(projectFiles());
const sources = sourceFiles();
/** Every import of every source file; this file holds samples that are none. */
const imports = sources
  .filter((path) => path !== 'test/structure/imports.test.ts')
  .flatMap((path) => importsOf(path).map((one) => ({ path, ...one })));
const inside = (...folders: string[]) =>
  imports.filter(({ path }) => folders.some((folder) => path.startsWith(folder)));

/** The files that the scripts of package.json start, and those that it offers to other projects. */
const manifest = JSON.parse(read('package.json'));
const scripts = Object.values<string>({ ...manifest.scripts, ...manifest.exports })
  .flatMap((script) => script.split(' '))
  .map((word) => word.replace(/^\.\//, ''))
  .filter((word) => files.has(word));

/** What the engine must not see. */
const NETWORK = ['fastify', 'ws', '@fastify/websocket', 'node:http', 'node:net'];

function wrong(rooms: Readonly<Record<string, readonly string[]>>): string[] {
  const names = Object.keys(rooms);
  return imports
    .filter(({ local }) => local)
    .filter(({ path, to }) => {
      const from = roomOf(path, names);
      const target = roomOf(to, names) ?? 'nowhere';
      return from !== undefined && from !== target && rooms[from]?.includes(target) !== true;
    })
    .map(({ path, to }) => `${path} imports ${to}`);
}

describe('the reader of imports', () => {
  it('finds static, type, dynamic and re-exported imports, and files named by URL', () => {
    const source = [
      "import { a } from './a.ts';",
      "import type { B } from '../b/b.ts';",
      "import {\n  c,\n  d,\n} from './c.ts';",
      "export * from './e.ts';",
      "import './f.ts';",
      "import data from './g.json' with { type: 'json' };",
      "const h = await import('./h.ts');",
      "const i = new Worker(new URL('./i.ts', import.meta.url));",
      "import { z } from 'zod';",
      "const text = 'from nowhere';",
    ].join('\n');
    const found = importsOf('x/y.ts', source).map(({ to }) => to);
    const expected = 'b/b.ts x/a.ts x/c.ts x/e.ts x/f.ts x/g.json x/h.ts x/i.ts zod';
    expect(found.sort()).toEqual(expected.split(' '));
  });
});

describe('imports', () => {
  it('name files that are there', () => {
    expect(imports.filter(({ to, local }) => local && !existsSync(join(ROOT, to)))).toEqual([]);
  });

  it('between the top-level rooms run in the written direction only', () => {
    expect(wrong(PROJECTS)).toEqual([]);
  });

  it('between the rooms of dsp run in the written direction only', () => {
    expect(wrong(DSP)).toEqual([]);
  });

  it('of dsp cover every file and form no cycle between rooms', () => {
    const names = Object.keys(DSP);
    const homeless = sources.filter((path) => path.startsWith('dsp/') && !roomOf(path, names));
    expect(homeless).toEqual([]);
    // Taking away rooms that import none of those left empties the table, unless there is a cycle.
    let left = names;
    while (left.length > 0) {
      const free = left.filter((room) => DSP[room]?.every((other) => !left.includes(other)));
      expect(free, `a cycle among ${left.join(', ')}`).not.toEqual([]);
      left = left.filter((room) => !free.includes(room));
    }
  });

  it('of dsp name no package but zod, and nothing of Node', () => {
    expect(inside('dsp/').filter(({ to, local }) => !local && to !== 'zod')).toEqual([]);
  });

  it('of the API definitions and the SDK name nothing of Node', () => {
    const found = inside('server/api/', 'clients/sdk/').filter(({ to }) => to.startsWith('node:'));
    expect(found).toEqual([]);
  });

  it('of the engine and its devices name nothing of the network', () => {
    const found = inside('server/engine/', 'server/audio/').filter(
      ({ to }) => NETWORK.includes(to) || /^server\/(api|control)\//.test(to),
    );
    expect(found).toEqual([]);
  });
});

describe('files', () => {
  it('of the product are all reached from a command or an entry of package.json', () => {
    const live = reach([
      'server/main.ts',
      'clients/cli/main.ts',
      'clients/dashboard/main.tsx',
      'dsp/index.ts',
      ...scripts,
    ]);
    const product = sources.filter((path) => !/^test\/|\.d\.ts$|\.config\.ts$/.test(path));
    expect(product.filter((path) => !live.has(path))).toEqual([]);
  });

  it('of the tests are all reached from a test or the runner', () => {
    const live = reach([...sources.filter((path) => path.endsWith('.test.ts')), ...scripts]);
    const support = sources.filter((path) => path.startsWith('test/'));
    expect(support.filter((path) => !live.has(path))).toEqual([]);
  });

  it('start with a comment that says what they are', () => {
    const bare = sources.filter((path) => !/^(#!.*\n)?\/\*\*?[\s\S]{40}/.test(read(path)));
    expect(bare).toEqual([]);
  });
});

function reach(entries: readonly string[]): Set<string> {
  const live = new Set<string>();
  const queue = [...entries];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (live.has(path) || !files.has(path)) continue;
    live.add(path);
    if (sources.includes(path)) queue.push(...importsOf(path).map(({ to }) => to));
  }
  return live;
}
