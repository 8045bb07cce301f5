/**
 * The command line as data: commands, their options and arguments, and what each argument names.
 *
 * Invariant: made from the commands themselves, so nothing is listed twice; only what an argument
 * names on a host is said here, and a test sees that it is said of every one.
 */

import type { Argument, Command, Option } from 'commander';

/** What can be asked of a running host, or is known without one. */
export type Kind =
  'controls' | 'learnables' | 'snapshots' | 'patches' | 'runs' | 'recordings' | 'examples';

/** What may stand at a place: words, names of a kind, or anything. */
export interface Place {
  readonly choices?: readonly string[];
  readonly kind?: Kind;
}

export interface OptionTree extends Place {
  /** `--token`, `-t`. */
  readonly flags: readonly string[];
  readonly takesValue: boolean;
  readonly doc: string;
}

export interface CommandTree {
  readonly name: string;
  readonly doc: string;
  readonly options: readonly OptionTree[];
  /** The last of them stands for all that follow where `isVariadic`. */
  readonly args: readonly Place[];
  readonly isVariadic: boolean;
  readonly commands: readonly CommandTree[];
}

/** By the words of the command and the name of the argument or option. */
export const NAMES: Readonly<Record<string, Kind>> = {
  'set id': 'controls',
  'freeze id': 'learnables',
  'rate id': 'learnables',
  'learnable ids': 'controls',
  'snapshot load name': 'snapshots',
  'snapshot rename name': 'snapshots',
  'snapshot delete name': 'snapshots',
  'snapshot export name': 'snapshots',
  'morph name': 'snapshots',
  'morph --from': 'snapshots',
  'audition start --patch': 'examples',
  'audition start --library': 'patches',
  'audition start --snapshot': 'snapshots',
  'library play name': 'patches',
  'library get name': 'patches',
  'library rename name': 'patches',
  'library delete name': 'patches',
  'library put patch': 'examples',
  'midi learn id': 'controls',
  'midi map id': 'controls',
  'midi unmap id': 'controls',
  'history show run': 'runs',
  'history export run': 'runs',
  'history delete run': 'runs',
  'record get name': 'recordings',
  'record delete name': 'recordings',
  'load patch': 'examples',
  'check patch': 'examples',
  'compile patch': 'examples',
  'gradcheck patch': 'examples',
  'train patch': 'examples',
};

export function treeOf(command: Command, above: readonly string[] = []): CommandTree {
  const path = command.parent === null ? [] : [...above, command.name()];
  const words = path.join(' ');
  const placeOf = (name: string, choices: readonly string[] | undefined): Place => {
    const kind = NAMES[`${words} ${name}`];
    // <on|off> is written as what it takes.
    const said = choices ?? (name.includes('|') ? name.split('|') : undefined);
    return {
      ...(said === undefined ? {} : { choices: said }),
      ...(kind === undefined ? {} : { kind }),
    };
  };
  return {
    name: command.name(),
    doc: command.description(),
    options: command.options.map((option: Option) => ({
      flags: [option.long, option.short].filter((flag) => flag !== undefined && flag !== null),
      takesValue: option.required || option.optional,
      doc: option.description,
      ...placeOf(option.long ?? '', option.argChoices),
    })),
    args: command.registeredArguments.map((one: Argument) => placeOf(one.name(), one.argChoices)),
    isVariadic: command.registeredArguments.at(-1)?.variadic ?? false,
    commands: command.commands.map((one) => treeOf(one, path)),
  };
}
