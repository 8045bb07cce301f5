/** `snapshot list|save|load|rename|delete|export|import`: what a running host keeps under names. */

import { readFileSync, writeFileSync } from 'node:fs';
import type { SnapshotFit, SnapshotHeading } from '../../../server/api/snapshots.ts';
import type { Input } from '../../sdk/client.ts';
import { answer, finding, refuse } from '../answer.ts';
import type { Answer } from '../answer.ts';
import { withHost } from '../command.ts';
import type { Deliver, HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { count, paint, runs, table } from '../style.ts';
import { addMoving } from './shelf.ts';
import type { Sub } from './shelf.ts';

interface Saving extends HostOptions {
  readonly doc?: string;
  readonly replace?: boolean;
}

interface Loading extends HostOptions {
  readonly partial?: boolean;
  readonly optimiser?: boolean;
}

interface Exporting extends HostOptions {
  readonly output?: string;
}

export const PARTIAL = [
  '--partial',
  'take what the patch has, within its ranges, and leave the rest',
] as const;

const REPLACE = ['--replace', 'one of this name may be lost'] as const;

export const snapshot: Register = (program, deliver) => {
  const group = program
    .command('snapshot')
    .description('keep the values of a running host under a name, and take them back');
  const sub: Sub = (words, doc) => withHost(group.command(words).description(doc));
  addList(sub, deliver);
  addSaving(sub, deliver);
  addLoading(sub, deliver);
  addMoving(sub, deliver, 'snapshots');
  addCarrying(sub, deliver);
};

function addList(sub: Sub, deliver: Deliver): void {
  sub('list', 'what is kept, and of which patch').action((options: HostOptions) =>
    deliver(({ style }) =>
      withClient(options, async (client) => {
        const listed = await client.snapshots.list();
        const head = ['NAME', 'PATCH', 'VALUES', 'STEP', 'SAVED', ''].map((text) =>
          paint(style, 'dim', text),
        );
        const rows = listed.snapshots.map((s) => [
          s.name,
          s.patch.name,
          count(s.sliders + s.params),
          count(s.step),
          s.saved.slice(0, 16).replace('T', ' '),
          s.fits ? (s.doc ?? '') : ['another patch', s.doc].filter(Boolean).join(': '),
        ]);
        const text = rows.length === 0 ? 'nothing is kept' : table([head, ...rows], 'llrr');
        return answer(listed, text);
      }),
    ),
  );
}

function addSaving(sub: Sub, deliver: Deliver): void {
  sub('save', 'keep the values of now')
    .argument('<name>', 'such as "warm lead"')
    .option('--doc <text>', 'what it is, for people')
    .option(...REPLACE)
    .action((name: string, { doc, replace, ...host }: Saving) =>
      deliver(() =>
        withClient(host, async (client) => {
          const saved = await client.snapshots.save({
            name,
            ...(doc === undefined ? {} : { doc }),
            ...(replace === undefined ? {} : { replace }),
          });
          return answer(saved, `kept "${saved.name}": ${sizeOf(saved)}`);
        }),
      ),
    );
}

function addLoading(sub: Sub, deliver: Deliver): void {
  sub('load', 'take the values of one')
    .argument('<name>')
    .option(...PARTIAL)
    .option(
      '--optimiser',
      'go on learning where it was: its step and what the optimiser remembered',
    )
    .action((name: string, { partial, optimiser, ...host }: Loading) =>
      deliver(() =>
        withClient(host, async (client) => {
          const fit = await client.snapshots.load({
            name,
            ...(partial === undefined ? {} : { partial }),
            ...(optimiser === undefined ? {} : { optimiser }),
          });
          return answer(fit, [`loaded "${name}"`, ...describeFit(fit)].join('\n'));
        }),
      ),
    );
}

function addCarrying(sub: Sub, deliver: Deliver): void {
  sub('export', 'print or write one as a document')
    .argument('<name>')
    .option('--output <file>', 'where to (default: printed)')
    .action((name: string, { output, ...host }: Exporting) =>
      deliver(() =>
        withClient(host, async (client) => {
          const document = await client.snapshots.get({ name });
          const text = JSON.stringify(document, null, 2);
          if (output === undefined) return answer(document, text);
          try {
            writeFileSync(output, `${text}\n`);
          } catch (error) {
            const message = `cannot write ${output}: ${reasonOf(error)}`;
            return refuse([finding('CLI_NOT_WRITTEN', output, message)]);
          }
          return answer({ ...document, file: output }, `wrote ${output}`);
        }),
      ),
    );
  sub('import', 'keep one that was exported')
    .argument('<file>')
    .option(...REPLACE)
    .action((file: string, { replace, ...host }: Saving) =>
      deliver(() => importFrom(file, host, replace)),
    );
}

async function importFrom(file: string, host: HostOptions, replace?: boolean): Promise<Answer> {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const message = `cannot read ${file}: ${reasonOf(error)}`;
    return refuse([finding('CLI_SNAPSHOT_UNREADABLE', file, message)]);
  }
  return withClient(host, async (client) => {
    const input = { snapshot: document, ...(replace === undefined ? {} : { replace }) };
    const kept = await client.snapshots.import(input as Input<'snapshots.import'>);
    return answer(kept, `kept "${kept.name}" of patch ${kept.patch.name}: ${sizeOf(kept)}`);
  });
}

const sizeOf = ({ sliders, params }: SnapshotHeading): string =>
  `${count(sliders)} sliders, ${count(params)} parameters`;

/** What is not as it was saved, a line each. */
export function describeFit({ clamped, missing, untouched }: SnapshotFit): string[] {
  const line = (what: string, ids: readonly string[]): string[] =>
    ids.length === 0 ? [] : [`${what}: ${runs(ids).join(', ')}`];
  return [
    ...line('as near as the ranges allow', clamped),
    ...line('not in this patch', missing),
    ...line('left as they were', untouched),
  ];
}

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
