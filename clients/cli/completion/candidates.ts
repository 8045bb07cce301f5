/**
 * What can come next on a command line that is not finished.
 *
 * Invariant: a pure function of the tree and the words; what a host knows is asked through `namesOf`,
 * and only where one of its names can stand.
 */

import type { CommandTree, Kind, OptionTree, Place } from './tree.ts';

export interface Candidate {
  readonly word: string;
  readonly doc: string;
}

export interface Asked {
  readonly url?: string;
  readonly token?: string;
}

/** Names of a kind, or none where nobody answers. */
export type NamesOf = (kind: Kind, asked: Asked) => Promise<readonly string[]>;

/** @param words  those after `livegrad`; the last is being written, and may be empty */
export async function candidates(
  root: CommandTree,
  words: readonly string[],
  namesOf: NamesOf,
): Promise<Candidate[]> {
  const before = words.slice(0, -1);
  const written = words.at(-1) ?? '';
  let command = root;
  let count = 0;
  let waiting: OptionTree | undefined;
  const asked: Record<string, string> = {};
  for (const word of before) {
    if (waiting !== undefined) {
      asked[waiting.flags[0]!.slice(2)] = word;
      waiting = undefined;
      continue;
    }
    const option = optionOf(root, command, word);
    if (option !== undefined) {
      waiting = option.takesValue ? option : undefined;
      continue;
    }
    const sub = count === 0 ? command.commands.find(({ name }) => name === word) : undefined;
    if (sub !== undefined) command = sub;
    else if (!word.startsWith('-')) count++;
  }
  const place = async ({ choices = [], kind }: Place): Promise<Candidate[]> => {
    const names = kind === undefined ? [] : await namesOf(kind, asked);
    return [...choices, ...names].map((word) => ({ word, doc: '' }));
  };
  const fits = ({ word }: Candidate): boolean => word.startsWith(written);
  if (waiting !== undefined) return (await place(waiting)).filter(fits);
  const [, flag, value] = /^(--[\w-]+)=(.*)$/su.exec(written) ?? [];
  const given = flag === undefined ? undefined : optionOf(root, command, flag);
  if (given !== undefined && value !== undefined) {
    const found = await place(given);
    return found.map(({ word, doc }) => ({ word: `${flag}=${word}`, doc })).filter(fits);
  }
  if (written.startsWith('-')) {
    const options = command === root ? root.options : [...command.options, ...root.options];
    const flags = options.flatMap(({ flags: all, doc }) => all.map((word) => ({ word, doc })));
    return [...flags, { word: '--help', doc: 'say more' }].filter(fits);
  }
  const commands =
    count === 0 ? command.commands.map(({ name: word, doc }) => ({ word, doc })) : [];
  const next = command.args[count] ?? (command.isVariadic ? command.args.at(-1) : undefined);
  return [...commands, ...(next === undefined ? [] : await place(next))].filter(fits);
}

const optionOf = (root: CommandTree, command: CommandTree, word: string): OptionTree | undefined =>
  [...command.options, ...root.options].find(({ flags }) => flags.includes(word));
