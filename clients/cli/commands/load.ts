/**
 * `load PATCH`: plays another patch on a running host; with `--watch` again whenever its file is
 * saved.
 *
 * Invariant: what a file says is checked by the host, with the libraries that it may read; a file
 * that is faulty leaves what plays as it is, and is told with the line.
 */

import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { sourceOf } from '../../../dsp/patch/faust.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import { FileWatch } from '../../../server/control/file-watch.ts';
import type { Input } from '../../sdk/client.ts';
import { EXIT, answer, finding, printRefusal, refuse } from '../answer.ts';
import type { Answer, Finding } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register, Surroundings } from '../command.ts';
import { locateIn, readDocument } from '../patch-source.ts';
import { withClient } from '../session.ts';
import { paint, styleFor } from '../style.ts';

interface Options extends HostOptions {
  readonly watch?: boolean;
}

export const load: Register = (program, deliver) => {
  withHost(
    program
      .command('load')
      .description('play another patch on a running host')
      .argument('<patch>', 'file (JSON, or .dsp in Faust), or name of an example')
      .option('--watch', 'play the file again whenever it is saved, until Ctrl-C'),
  ).action((name: string, options: Options) =>
    deliver((around) =>
      options.watch === true ? follow(name, options, around) : play(name, options),
    ),
  );
};

async function play(name: string, options: HostOptions): Promise<Answer> {
  const source = readDocument(name);
  if (!source.ok) return refuse(source.findings);
  const { document, file } = source.value;
  // A program is evaluated by the host; all else can be checked before it is sent.
  const checked = sourceOf(document) === undefined ? parsePatch(document) : null;
  if (checked?.ok === false) return refuse(locateIn(source.value, checked.diagnostics));
  const input = file === undefined ? { example: name } : document;
  const result = await withClient(options, async (client) => {
    const info = await client.patch.set(input as Input<'patch.set'>);
    return answer(info, `playing ${info.name}: ${info.inputs} in, ${info.outputs} out`);
  });
  if (result.ok) return result;
  const findings = locateIn(source.value, result.findings);
  return { ...result, findings: findings.map((found) => withNeighbour(found)) };
}

/** A library beside a program is there for commands that evaluate it themselves, and not for a host. */
function withNeighbour(found: Finding): Finding {
  const library = /^"(.+?)" is not there to import/u.exec(found.message)?.[1];
  if (found.code !== 'FAUST_LIBRARY' || found.file === undefined || library === undefined) {
    return found;
  }
  const folder = resolve(dirname(found.file));
  if (!existsSync(join(folder, library))) return found;
  const hint = `It lies beside the file, where the host does not look: start the host with --faust-libraries ${folder}, or with --patch ${resolve(found.file)}.`;
  return { ...found, hint };
}

async function follow(name: string, options: HostOptions, around: Surroundings): Promise<Answer> {
  const misuse = around.json
    ? 'it goes on for ever: expected no --json'
    : Object.hasOwn(EXAMPLES, name)
      ? `expected a file, got the example "${name}"`
      : null;
  if (misuse !== null) {
    return refuse([finding('CLI_USAGE', '--watch', `--watch: ${misuse}`)], EXIT.usage);
  }
  const { stdout, stderr } = around;
  const style = styleFor(stderr, around.env);
  const say = async (): Promise<Answer> => {
    const played = await play(name, options);
    const time = new Date().toTimeString().slice(0, 8);
    if (played.ok) stdout.write(`${time}  ${played.text}\n`);
    else stderr.write(`${printRefusal(played, `${time}  ${paint(style, 'red', 'error')}`)}\n`);
    return played;
  };
  const first = await say();
  if (!first.ok && first.exit !== EXIT.refused) return { ...first, findings: [] };
  await new Promise<void>((resolve) => {
    const watch = new FileWatch({ file: name, onSave: async () => void (await say()) });
    // Nothing else keeps the process.
    const stay = setInterval(() => {}, 2 ** 30);
    const end = (): void => {
      watch.close();
      clearInterval(stay);
      resolve();
    };
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
  });
  return answer(null, '');
}
