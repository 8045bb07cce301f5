/**
 * `library list|put|play|get|rename|delete`: patches that a running host keeps under names.
 *
 * Invariant: what a patch says is checked by the host, which keeps it even where it does not compile;
 * that is told with the line of its file.
 */

import { writeFileSync } from 'node:fs';
import { sourceOf } from '../../../dsp/patch/faust.ts';
import type { Input } from '../../sdk/client.ts';
import { answer, finding, refuse } from '../answer.ts';
import type { Answer } from '../answer.ts';
import { withHost } from '../command.ts';
import type { Deliver, HostOptions, Register } from '../command.ts';
import { locateIn, readDocument } from '../patch-source.ts';
import { withClient } from '../session.ts';
import { paint, table } from '../style.ts';
import { addMoving } from './shelf.ts';
import type { Sub } from './shelf.ts';

interface Putting extends HostOptions {
  readonly doc?: string;
  readonly replace?: boolean;
}

interface Getting extends HostOptions {
  readonly output?: string;
}

export const library: Register = (program, deliver) => {
  const group = program
    .command('library')
    .description('keep patches on a running host under names, and play them');
  const sub: Sub = (words, doc) => withHost(group.command(words).description(doc));
  addList(sub, deliver);
  addPut(sub, deliver);
  addGet(sub, deliver);
  addMoving(sub, deliver, 'library');
};

function addList(sub: Sub, deliver: Deliver): void {
  sub('list', 'what is kept, and what of it plays').action((options: HostOptions) =>
    deliver(({ style }) =>
      withClient(options, async (client) => {
        const listed = await client.library.list();
        const head = ['NAME', 'PATCH', 'KIND', 'SAVED', ''].map((text) =>
          paint(style, 'dim', text),
        );
        const rows = listed.patches.map((p) => [
          p.name,
          p.patch,
          p.kind,
          p.saved.slice(0, 16).replace('T', ' '),
          [p.ok ? '' : 'does not compile', p.plays ? 'plays' : '', p.doc ?? p.title ?? '']
            .filter((text) => text !== '')
            .join(': '),
        ]);
        const text = rows.length === 0 ? 'the library is empty' : table([head, ...rows], 'llll');
        return answer(listed, text);
      }),
    ),
  );
}

function addPut(sub: Sub, deliver: Deliver): void {
  sub('put', 'keep a patch: a file or an example, or what plays with its present values')
    .argument('<name>', 'such as "night filter"')
    .argument('[patch]', 'file (JSON, or .dsp in Faust), or name of an example')
    .option('--doc <text>', 'what it is, for people')
    .option('--replace', 'one of this name may be lost')
    .action((name: string, patch: string | undefined, options: Putting) =>
      deliver(() => put(name, patch, options)),
    );
}

async function put(
  name: string,
  patch: string | undefined,
  { doc, replace, ...host }: Putting,
): Promise<Answer> {
  const source = patch === undefined ? undefined : readDocument(patch);
  if (source?.ok === false) return refuse(source.findings);
  const document = source?.value.document as Input<'library.put'>['patch'];
  return withClient(host, async (client) => {
    const kept = await client.library.put({
      name,
      ...(document === undefined ? {} : { patch: document }),
      ...(doc === undefined ? {} : { doc }),
      ...(replace === undefined ? {} : { replace }),
    });
    const wrong = source === undefined ? [] : locateIn(source.value, kept.diagnostics);
    const lines = wrong.map(({ line, file, message }) =>
      [file, line, ` ${message}`].filter((part) => part !== undefined).join(':'),
    );
    const what = kept.ok ? `kept "${kept.name}"` : `kept "${kept.name}", which does not compile:`;
    return answer(kept, [what, ...lines].join('\n'));
  });
}

function addGet(sub: Sub, deliver: Deliver): void {
  sub('play', 'play one')
    .argument('<name>')
    .action((name: string, options: HostOptions) =>
      deliver(() =>
        withClient(options, async (client) => {
          const info = await client.library.activate({ name });
          return answer(info, `playing ${info.name}: ${info.inputs} in, ${info.outputs} out`);
        }),
      ),
    );
  sub('get', 'print or write one: a document, or a Faust program as its source')
    .argument('<name>')
    .option('--output <file>', 'where to (default: printed)')
    .action((name: string, { output, ...host }: Getting) =>
      deliver(() =>
        withClient(host, async (client) => {
          const entry = await client.library.get({ name });
          const text = sourceOf(entry.document) ?? `${JSON.stringify(entry.document, null, 2)}\n`;
          if (output === undefined) return answer(entry, text.replace(/\n$/u, ''));
          try {
            writeFileSync(output, text);
          } catch (error) {
            const reason = error instanceof Error ? error.message : String(error);
            const message = `cannot write ${output}: ${reason}`;
            return refuse([finding('CLI_NOT_WRITTEN', output, message)]);
          }
          return answer({ ...entry, file: output }, `wrote ${output}`);
        }),
      ),
    );
}
