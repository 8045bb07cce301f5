/**
 * `call OPERATION [INPUT]...`: any operation of a running host, under the name that its API has for it.
 *
 * Invariant: what comes out is the host's answer, nothing added; so everything that a host can do can be
 * done from a shell, also where no command is made for it.
 */

import { writeFileSync } from 'node:fs';
import { Argument } from 'commander';
import { OPERATION_IDS, type OperationId } from '../../../server/api/routes.ts';
import { answer, EXIT, finding, refuse, type Answer } from '../answer.ts';
import { withHost, type HostOptions, type Register } from '../command.ts';
import { withClient } from '../session.ts';

interface Calling extends HostOptions {
  readonly output?: string;
}

export const call: Register = (program, deliver) => {
  withHost(
    program
      .command('call')
      .description('any operation of a running host: /docs there lists them')
      .addArgument(new Argument('<operation>', 'such as devices.select').choices(OPERATION_IDS))
      .argument('[input...]', 'its input: JSON, or fields such as blockSize=512')
      .option('--output <file>', 'where the answer goes; needed where it is no JSON'),
  ).action((operation: OperationId, words: readonly string[], options: Calling) =>
    deliver(() => run(operation, words, options)),
  );
};

async function run(
  operation: OperationId,
  words: readonly string[],
  options: Calling,
): Promise<Answer> {
  const input: Record<string, unknown> = {};
  for (const word of words) {
    const fields = fieldsOf(word);
    if (fields === undefined) {
      const message = `expected a JSON object, or name=value, got "${word}"`;
      return refuse([finding('CLI_USAGE', 'input', message)], EXIT.usage);
    }
    Object.assign(input, fields);
  }
  return withClient(options, async (client) => {
    const [group = '', name = ''] = operation.split('.');
    const methods = client as unknown as Readonly<
      Record<string, Readonly<Record<string, (input: unknown) => Promise<unknown>>>>
    >;
    const given = await methods[group]![name]!(input);
    return deliverTo(options.output, given);
  });
}

/** The answer, or where it was put. */
function deliverTo(file: string | undefined, given: unknown): Answer {
  const isBinary = given instanceof ArrayBuffer;
  if (file === undefined) {
    if (!isBinary) return answer(given, JSON.stringify(given, null, 2));
    const message = `the answer is a file of ${given.byteLength} bytes: expected --output FILE`;
    return refuse([finding('CLI_USAGE', '--output', message)], EXIT.usage);
  }
  const bytes = isBinary ? Buffer.from(given) : Buffer.from(`${JSON.stringify(given, null, 2)}\n`);
  try {
    writeFileSync(file, bytes);
  } catch (error) {
    const message = `${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`;
    return refuse([finding('CLI_NOT_WRITTEN', '--output', message)]);
  }
  return answer({ file, bytes: bytes.length }, `${file}: ${bytes.length} bytes`);
}

/** The fields that a word of the command line says. */
function fieldsOf(word: string): object | undefined {
  const whole = parsed(word);
  if (typeof whole === 'object' && whole !== null && !Array.isArray(whole)) return whole;
  const [, name, text = ''] = /^([A-Za-z]\w*)=(.*)$/su.exec(word) ?? [];
  return name === undefined ? undefined : { [name]: parsed(text) ?? text };
}

/** The value of JSON; undefined where it is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
