/**
 * The command line client: `npm run -s livegrad -- <command>`.
 *
 * Invariant: stdout gets the answer and nothing else, with --json exactly one JSON document; a
 * command that is misspelt or misused is answered the same way. Exit codes are in `answer.ts`.
 */

import { CommanderError } from 'commander';
import type { Command } from 'commander';
import { errorDocument, EXIT, finding, printRefusal, refuse } from './answer.ts';
import type { Answer } from './answer.ts';
import type { Deliver, Surroundings } from './command.ts';
import { createProgram } from './program.ts';
import { paint, styleFor } from './style.ts';

const argv = process.argv.slice(2);
const json = argv.includes('--json');

function show(result: Answer): void {
  process.exitCode = result.exit;
  if (json) {
    const document = result.ok ? result.document : errorDocument(result);
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  } else if (result.ok) {
    if (result.text !== '') process.stdout.write(`${result.text}\n`);
  } else {
    const style = styleFor(process.stderr, process.env);
    process.stderr.write(`${printRefusal(result, paint(style, 'red', 'error'))}\n`);
  }
}

const deliver: Deliver = async (work) => {
  const around: Surroundings = {
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    style: styleFor(process.stdout, process.env),
    json,
  };
  show(await work(around));
};

/** What commander says about a misspelt command line, in our words. */
function usage(error: CommanderError, program: Command): Answer {
  const names = program.commands.map((c) => c.name());
  if (error.code === 'commander.help') {
    if (!json) process.stderr.write(`${program.helpInformation()}\n`);
    const message = `no command: expected one of ${names.join(', ')}`;
    return refuse([finding('CLI_USAGE', '', message)], EXIT.usage);
  }
  const [said = '', suggestion] = error.message.split('\n');
  const hint = suggestion?.replace(/^\(Did you mean (.*)\?\)$/, 'did you mean $1?');
  const message = said.replace(/^error: /, '');
  const unknown = /^unknown command '(.*)'$/.exec(message)?.[1];
  if (unknown !== undefined) {
    return refuse(
      [
        finding(
          'CLI_USAGE',
          '',
          `no command "${unknown}": expected one of ${names.join(', ')}`,
          hint,
        ),
      ],
      EXIT.usage,
    );
  }
  return refuse(
    [finding('CLI_USAGE', '', message, hint ?? 'livegrad help COMMAND lists what it takes')],
    EXIT.usage,
  );
}

async function main(): Promise<void> {
  // A reader that has seen enough (`| head`) is not an error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.done);
    throw error;
  });
  const program = createProgram(deliver);
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return;
      show(usage(error, program));
      return;
    }
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(json ? '' : `${stack}\n`);
    const what = error instanceof Error ? error.message : String(error);
    show(refuse([finding('CLI_INTERNAL', '', `a mistake of ours: ${what}`)], EXIT.internal));
  }
}

await main();
