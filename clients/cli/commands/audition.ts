/** `audition start|a|b|swap|keep|back|status`: a candidate beside what plays on a running host. */

import type { Command } from 'commander';
import type { AuditionState } from '../../../server/api/audition.ts';
import type { Input } from '../../sdk/client.ts';
import { EXIT, answer, finding, refuse } from '../answer.ts';
import type { Answer } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { readDocument } from '../patch-source.ts';
import { withClient } from '../session.ts';

interface Starting extends HostOptions {
  readonly patch?: string;
  readonly library?: string;
  readonly snapshot?: string;
  readonly set?: readonly string[];
  readonly partial?: boolean;
  readonly match?: boolean;
}

export const audition: Register = (program, deliver) => {
  const group = program
    .command('audition')
    .description('compare a candidate (B) with what plays (A), and keep one');
  const sub = (words: string, doc: string): Command =>
    withHost(group.command(words).description(doc));
  sub('start', 'hear a candidate: one of --patch, --library, --snapshot, --set')
    .option('--patch <patch>', 'file (JSON, or .dsp in Faust), or name of an example')
    .option('--library <name>', 'a patch of the library')
    .option('--snapshot <name>', 'a snapshot')
    .option('--set <id=value...>', 'other values of what plays')
    .option('--partial', 'of a snapshot, take what the patch has, within its ranges')
    .option('--match', 'play B as loud as A')
    .action((options: Starting) => deliver(() => begin(options)));
  const asks: readonly [string, string, Input<'audition.compare'>][] = [
    ['swap', 'hear the other side', {}],
    ['a', 'hear A', { heard: 'a' }],
    ['b', 'hear B', { heard: 'b' }],
  ];
  for (const [name, doc, input] of asks) {
    sub(name, doc).action((options: HostOptions) =>
      deliver(() =>
        withClient(options, async (client) => shown(await client.audition.compare(input))),
      ),
    );
  }
  sub('keep', 'keep B').action((options: HostOptions) =>
    deliver(() => withClient(options, async (client) => shown(await client.audition.commit()))),
  );
  sub('back', 'return to A').action((options: HostOptions) =>
    deliver(() => withClient(options, async (client) => shown(await client.audition.rollback()))),
  );
  sub('status', 'what is compared with what').action((options: HostOptions) =>
    deliver(() => withClient(options, async (client) => shown(await client.audition.get()))),
  );
};

async function begin(options: Starting): Promise<Answer> {
  const { patch, library, snapshot, set, partial, match, ...host } = options;
  const source = patch === undefined ? undefined : readDocument(patch);
  if (source?.ok === false) return refuse(source.findings);
  const values: Record<string, number> = {};
  for (const text of set ?? []) {
    const at = text.lastIndexOf('=');
    const value = Number(text.slice(at + 1));
    if (at < 1 || text.slice(at + 1).trim() === '' || !Number.isFinite(value)) {
      const message = `--set: expected ID=NUMBER, got "${text}"`;
      return refuse([finding('CLI_USAGE', '--set', message)], EXIT.usage);
    }
    values[text.slice(0, at)] = value;
  }
  const input = {
    ...(source === undefined ? {} : { patch: source.value.document }),
    ...(library === undefined ? {} : { library }),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(set === undefined ? {} : { values }),
    ...(partial === undefined ? {} : { partial }),
    ...(match === undefined ? {} : { match }),
  } as Input<'audition.start'>;
  return withClient(host, async (client) => shown(await client.audition.start(input)));
}

function shown(state: AuditionState): Answer {
  return answer(state, describe(state));
}

function describe({ state, heard, candidate, a, b, match, matchDb }: AuditionState): string {
  if (state === 'none' || candidate === null) return 'nothing is being compared';
  const { kind, name } = candidate;
  const what = name === null ? kind : `${kind} "${name}"`;
  if (state === 'committed') return `kept B: ${what}`;
  if (state === 'rolledBack') return `back to A: ${a?.patch ?? ''}`;
  const line = (side: 'a' | 'b', of: AuditionState['a'], doc: string): string => {
    const level = of?.levelDb === null || of === null ? '' : `, ${of.levelDb.toFixed(1)} dB`;
    return `${heard === side ? '>' : ' '} ${side.toUpperCase()}  ${doc}${level}`;
  };
  return [
    line('a', a, a?.patch ?? ''),
    line('b', b, `${b?.patch ?? ''}, ${what}`),
    ...(match ? [`  B is played ${matchDb.toFixed(1)} dB louder, to match A`] : []),
  ].join('\n');
}
