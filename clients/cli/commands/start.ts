/**
 * `start [settings]`: the daemon, in this process, until a signal ends it.
 *
 * Invariant: everything after `start` except --json is the daemon's, --help too; it ends with the
 * daemon's own exit codes. With --json its one line on stdout becomes one document, and so does the
 * reason why it does not start.
 */

import { fileURLToPath } from 'node:url';
import { errorDocument, finding, refuse } from '../answer.ts';
import type { Register } from '../command.ts';

export const start: Register = (program) => {
  program
    .command('start')
    .description('run the daemon; --help lists its settings')
    .argument('[settings...]', 'such as --http-port 9000')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (settings: readonly string[]) => {
      if (program.opts<{ json?: boolean }>().json === true) speakJson();
      const script = fileURLToPath(new URL('../../../server/main.ts', import.meta.url));
      process.argv = [process.execPath, script, ...settings];
      await import('../../../server/main.ts');
    });
};

/** What the daemon prints for people, as a document: what it said on stdout, or why it ended. */
function speakJson(): void {
  const complaints: string[] = [];
  let said = false;
  const say = (document: unknown): void => {
    said = true;
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  };
  console.error = (text: string) => {
    complaints.push(text);
    process.stderr.write(`${text}\n`);
  };
  console.log = (text: string) => {
    const url = / at (http\S+)/.exec(text)?.[1] ?? null;
    if (!said) say({ url, pid: process.pid, message: text });
  };
  process.on('exit', (code) => {
    if (said || code === 0) return;
    const message = complaints.join('\n') || `the daemon ended with exit code ${code}`;
    say(errorDocument(refuse([finding('CLI_NOT_STARTED', '', message)])));
  });
}
