/**
 * `midi list|learn|map|unmap`: which controller moves which control of a running host.
 *
 * Invariant: `learn` waits until a controller has moved or the host has given up, and takes its wish
 * back where it is interrupted.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import { CONTROLLER_KINDS, type ControllerKind, type Mapping } from '../../../server/api/midi.ts';
import type { Client } from '../../sdk/client.ts';
import { answer, finding, refuse } from '../answer.ts';
import type { Answer } from '../answer.ts';
import { real, whole, withHost } from '../command.ts';
import type { Deliver, HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { paint, table } from '../style.ts';

/** Between two questions whether a controller has moved, ms. */
const ASK = 200;
/** No control goes as far. */
const FAR = 1e12;

interface Learning extends HostOptions {
  readonly pickup?: boolean;
}

interface Mapped extends Learning {
  readonly channel: number;
  readonly kind: ControllerKind;
  readonly port?: string;
  readonly min?: number;
  readonly max?: number;
}

type Sub = (words: string, doc: string) => Command;

const PICKUP = ['--pickup', 'wait until the controller comes by where the control is'] as const;

export const midi: Register = (program, deliver) => {
  const group = program
    .command('midi')
    .description('let MIDI controllers move sliders and parameters of a running host');
  const sub: Sub = (words, doc) => withHost(group.command(words).description(doc));
  addList(sub, deliver);
  addMapping(sub, deliver);
};

function addList(sub: Sub, deliver: Deliver): void {
  sub('list', 'ports, and which controller moves what').action((options: HostOptions) =>
    deliver(({ style }) =>
      withClient(options, async (client) => {
        const state = await client.midi.get();
        const head = ['CONTROL', 'CONTROLLER', 'PORT', ''].map((text) => paint(style, 'dim', text));
        const rows = state.map.map((one) => [
          one.id,
          describe(one),
          one.port ?? 'any',
          one.takeover === 'pickup' ? 'picked up' : '',
        ]);
        const ports = state.available
          ? [`hears ${namesOf(state.inputs)}; tells ${namesOf(state.outputs)}`]
          : [`not available: ${state.reason}`];
        const map =
          rows.length === 0 ? 'no controller moves anything' : table([head, ...rows], 'llll');
        return answer(state, [...ports, map].join('\n'));
      }),
    ),
  );
}

function addMapping(sub: Sub, deliver: Deliver): void {
  sub('learn', 'map the next controller that moves')
    .argument('<id>', 'of a control, or training/learning, output/gain')
    .option(...PICKUP)
    .action((id: string, { pickup, ...host }: Learning) =>
      deliver(({ stderr }) => withClient(host, (client) => learn(client, id, pickup, stderr))),
    );
  sub('map', 'say which controller moves a control')
    .argument('<id>', 'of a control, or training/learning, output/gain')
    .argument('[number]', 'of the controller (default: 0)', whole(0, 16383))
    .option('--channel <channel>', '1 to 16', whole(1, 16), 1)
    .addOption(
      new Option('--kind <kind>', 'of the controller').choices(CONTROLLER_KINDS).default('cc'),
    )
    .option('--port <name>', 'as "midi list" has it (default: any)')
    .option('--min <value>', 'at the beginning of its way', real(-FAR, FAR))
    .option('--max <value>', 'at the end of its way', real(-FAR, FAR))
    .option(...PICKUP)
    .action((id: string, number: number | undefined, options: Mapped) =>
      deliver(() => map(id, number, options)),
    );
  sub('unmap', 'take a control from its controller')
    .argument('<id>')
    .action((id: string, options: HostOptions) =>
      deliver(() =>
        withClient(options, async (client) =>
          answer(await client.midi.unmap({ id }), `no controller moves ${id} any more`),
        ),
      ),
    );
}

const map = (
  id: string,
  number: number | undefined,
  { channel, kind, port, min, max, pickup, ...host }: Mapped,
): Promise<Answer> =>
  withClient(host, async (client) => {
    const state = await client.midi.map({
      id,
      channel,
      kind,
      ...(number === undefined ? {} : { number }),
      ...(port === undefined ? {} : { port }),
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
      ...(pickup === true ? { takeover: 'pickup' } : {}),
    });
    return answer(state, moved(state.map, id));
  });

async function learn(
  client: Client,
  id: string,
  pickup: boolean | undefined,
  stderr: NodeJS.WritableStream,
): Promise<Answer> {
  await client.midi.learn({ id, ...(pickup === true ? { takeover: 'pickup' } : {}) });
  stderr.write(`move the controller for ${id} ...\n`);
  // Once: the second time the signal does what it always does.
  const cancel = (): void =>
    void client.midi.cancel().finally(() => process.kill(process.pid, 'SIGINT'));
  process.once('SIGINT', cancel);
  try {
    for (;;) {
      await sleep(ASK);
      const state = await client.midi.get();
      if (state.learning === id) continue;
      if (state.learned === id) return answer(state, moved(state.map, id));
      return refuse([finding('CLI_NOTHING_LEARNED', id, 'no controller has moved')]);
    }
  } finally {
    process.off('SIGINT', cancel);
  }
}

function moved(all: readonly Mapping[], id: string): string {
  const found = all.find((one) => one.id === id);
  return found === undefined ? `no controller moves ${id}` : `${describe(found)} moves ${id}`;
}

function describe({ kind, channel, number }: Mapping): string {
  const what = {
    cc: `cc ${number}`,
    cc14: `cc ${number}/${number + 32}`,
    bend: 'bend',
    nrpn: `nrpn ${number}`,
  }[kind];
  return `${what}, channel ${channel}`;
}

const namesOf = (ports: readonly string[]): string =>
  ports.length === 0 ? 'no port' : ports.join(', ');
