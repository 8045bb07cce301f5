/**
 * The operations of the library.
 *
 * Invariant: a patch that is put is compiled and plays nothing; one that is played goes the way of
 * `patch.set`; everyone else is told the whole list after each change of it.
 */

import type { Diagnostic } from '../../../dsp/diagnostic.ts';
import { withName, withoutProgram, sourceOf } from '../../../dsp/patch/faust.ts';
import { LIBRARY_FORMAT, type LibraryEntry, type LibraryHeading } from '../../api/library.ts';
import { discreet, withoutFolders } from '../discreet.ts';
import type { KeptPatch } from '../library-files.ts';
import type { Host, RunnersOf } from '../operations.ts';
import { answer, type Outcome } from '../outcome.ts';
import { namedPatch } from '../patch-input.ts';
import type { Origin } from '../session.ts';
import { hashOf } from '../snapshot.ts';

type Revised<T> = T & { readonly revision: number };
type Document = LibraryEntry['document'];

const headingOf = ({ session }: Host, kept: KeptPatch): LibraryHeading => ({
  ...kept,
  plays: kept.hash !== null && kept.hash === hashOf(session.state.patch),
});

async function list(host: Host): Promise<{ patches: LibraryHeading[] }> {
  const all = await host.library.list();
  return { patches: all.map((kept) => headingOf(host, kept)) };
}

/** The heading of what was changed, once everyone else is told. */
async function told(
  host: Host,
  changed: Outcome<KeptPatch>,
  origin: Origin,
): Promise<Outcome<Revised<LibraryHeading>>> {
  if (!changed.ok) return changed;
  const revision = host.session.announce('library.changed', await list(host), origin);
  return answer({ ...headingOf(host, changed.value), revision });
}

/** What plays, as a document that begins with its present values. */
async function playing({ session }: Host): Promise<Outcome<Document>> {
  const exported = await session.export('patch');
  return exported.ok ? answer(JSON.parse(exported.value.text) as Document) : exported;
}

/** What the compiler says of a document: its heading, and what is wrong with it. */
async function examine(
  { session }: Host,
  document: Document,
): Promise<Pick<LibraryEntry, 'kind' | 'patch' | 'title' | 'hash' | 'diagnostics'>> {
  const compiled = await session.check(document);
  const kind = sourceOf(document) === undefined ? 'patch' : 'faust';
  if (compiled.kind === 'compiled') {
    const { name: patch, title } = compiled.patch;
    const titled = title === undefined ? {} : { title: title.slice(0, 200) };
    return { kind, patch, ...titled, hash: hashOf(compiled.patch), diagnostics: [] };
  }
  const found: readonly Diagnostic[] =
    compiled.kind === 'refused'
      ? compiled.diagnostics
      : [{ code: 'COMPILE_FAILED', path: '', message: withoutFolders(compiled.reason) }];
  const { name, title } = withName(document) as Document;
  return {
    kind,
    patch: typeof name === 'string' ? name.slice(0, 60) : '',
    ...(typeof title === 'string' ? { title: title.slice(0, 200) } : {}),
    hash: null,
    diagnostics: discreet(found),
  };
}

export const LIBRARY_RUNNERS: RunnersOf<'library'> = {
  'library.list': async (host) => answer(await list(host)),
  'library.get': ({ library }, { name }) => library.read(name),
  'library.put': async (host, { name, patch, doc, replace }, origin) => {
    const given = patch === undefined ? await playing(host) : namedPatch(patch);
    if (!given.ok) return given;
    const document = withoutProgram(given.value) as Document;
    const examined = await examine(host, document);
    const entry: LibraryEntry = {
      format: LIBRARY_FORMAT,
      name,
      ...(doc === undefined ? {} : { doc }),
      saved: new Date().toISOString(),
      ...examined,
      document,
    };
    const kept = await told(host, await host.library.write(entry, replace), origin);
    return kept.ok ? answer({ ...kept.value, diagnostics: entry.diagnostics }) : kept;
  },
  'library.activate': async ({ library, session }, { name }, origin) => {
    const found = await library.read(name);
    return found.ok ? session.setPatch(found.value.document, origin) : found;
  },
  'library.rename': async (host, { name, to }, origin) =>
    told(host, await host.library.rename(name, to), origin),
  'library.delete': async (host, { name }, origin) => {
    const deleted = await told(host, await host.library.delete(name), origin);
    return deleted.ok ? answer({ revision: deleted.value.revision }) : deleted;
  },
};
