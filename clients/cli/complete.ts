/**
 * Says what can come next on a command line: `node complete.ts WORD...`, a word and a tab and what it
 * does on each line. Shells call it with every press of Tab, so it has to be quick.
 *
 * Invariant: it loads the command line only where that has changed since the last time; a host has
 * 400 ms to answer; whatever goes wrong, it prints nothing and ends well.
 */

import { mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { call } from '../sdk/methods.ts';
import { candidates, type Asked } from './completion/candidates.ts';
import type { CommandTree, Kind } from './completion/tree.ts';

/** For a host to answer, ms. */
const PATIENCE = 400;
const SOURCES = import.meta.dirname;
const EXAMPLES = join(SOURCES, '..', '..', 'dsp', 'examples');
const DEFAULT_URL = 'http://127.0.0.1:8440';

interface Cached {
  readonly fingerprint: string;
  readonly tree: CommandTree;
}

/** Of the sources of the command line. */
function fingerprint(): string {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).toSorted();
  const times = files.map((file) => statSync(join(SOURCES, file)).mtimeMs);
  return `${SOURCES} ${files.length} ${Math.max(...times)}`;
}

async function treeNow(): Promise<CommandTree> {
  const { XDG_CACHE_HOME: cache } = process.env;
  const folder = cache ? join(cache, 'livegrad') : join(tmpdir(), `livegrad-${userInfo().uid}`);
  const file = join(folder, 'completion.json');
  const now = fingerprint();
  try {
    const cached = JSON.parse(readFileSync(file, 'utf8')) as Cached;
    if (cached.fingerprint === now && isOurs(file)) return cached.tree;
  } catch {
    // None yet.
  }
  const [{ createProgram }, { treeOf }] = await Promise.all([
    import('./program.ts'),
    import('./completion/tree.ts'),
  ]);
  const tree = treeOf(createProgram(() => Promise.resolve()));
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const fresh = `${file}.${process.pid}`;
    writeFileSync(fresh, JSON.stringify({ fingerprint: now, tree } satisfies Cached));
    renameSync(fresh, file);
  } catch {
    // Then it is made anew the next time.
  }
  return tree;
}

/** Somebody else's words must not be offered. */
const isOurs = (file: string): boolean => statSync(file).uid === userInfo().uid;

async function namesOf(kind: Kind, asked: Asked): Promise<readonly string[]> {
  if (kind === 'examples') {
    const files = readdirSync(EXAMPLES).filter((file) => file.endsWith('.json'));
    return files.map((file) => file.slice(0, -'.json'.length)).filter((name) => name !== 'rig');
  }
  const { LIVEGRAD_URL, LIVEGRAD_TOKEN, LIVEGRAD_HTTP_TOKEN } = process.env;
  const target = {
    url: asked.url ?? LIVEGRAD_URL ?? DEFAULT_URL,
    token: asked.token ?? LIVEGRAD_TOKEN ?? LIVEGRAD_HTTP_TOKEN,
  };
  switch (kind) {
    case 'controls':
      return (await call(target, 'params.list')).params.map(({ id }) => id);
    case 'learnables':
      return (await call(target, 'params.list')).params
        .filter((param) => param.kind === 'learnable')
        .map(({ id }) => id);
    case 'snapshots':
      return (await call(target, 'snapshots.list')).snapshots.map(({ name }) => name);
    case 'patches':
      return (await call(target, 'library.list')).patches.map(({ name }) => name);
    case 'recordings':
      return (await call(target, 'recordings.list')).recordings.map(({ name }) => name);
    case 'runs':
      return (await call(target, 'history.list')).runs.map(({ run }) => String(run));
  }
}

/** Names, or none: who waits for Tab does not read complaints. */
async function patient(kind: Kind, asked: Asked): Promise<readonly string[]> {
  const late = new Promise<readonly string[]>((resolve) => {
    setTimeout(resolve, PATIENCE, []).unref();
  });
  return Promise.race([namesOf(kind, asked).catch(() => []), late]);
}

try {
  const found = await candidates(await treeNow(), process.argv.slice(2), patient);
  // A tab or a line break would be read as two words.
  const lines = found
    .filter(({ word }) => !/[\t\n\0]/u.test(word))
    .map(({ word, doc }) => `${word}\t${doc.split('\n', 1)[0]}\n`);
  // A host that does not answer must not be waited for.
  process.stdout.write(lines.join(''), () => process.exit());
} catch {
  // Nothing is offered.
}
