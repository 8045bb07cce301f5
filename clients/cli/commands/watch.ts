/**
 * `watch`: a running host, live, in the terminal; a line a second where there is none; one snapshot
 * with --json.
 *
 * Invariant: it changes nothing on the host. A lost connection is said and waited for; only a host
 * that never answered is an error.
 */

import type { Client } from '../../sdk/client.ts';
import type { Topic } from '../../sdk/client.ts';
import { LivegradError } from '../../sdk/errors.ts';
import { answer } from '../answer.ts';
import type { Answer, Exit } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register, Surroundings } from '../command.ts';
import { withClient } from '../session.ts';
import { Screen } from '../watch/screen.ts';
import { createState, RATE, takeChange, takeFrame, takeSnapshot } from '../watch/state.ts';
import type { WatchState } from '../watch/state.ts';
import { logLine, view } from '../watch/view.ts';

/** How long --json waits for telemetry, ms: without a device there is none. */
const PATIENCE = 3000;
/** What it shows. */
const SHOWN: readonly Topic[] = [
  'loss',
  'learningRate',
  'params',
  'gradients',
  'levels',
  'load',
  'meters',
];
/** Counters that no topic carries are asked for this often, ms. */
const POLL = 1000;

export const watch: Register = (program, deliver) => {
  withHost(program.command('watch').description('watch a running host learn')).action(
    (options: HostOptions) =>
      deliver((around) =>
        withClient(options, async (client, url) => {
          const state = createState(url, await ask(client));
          if (around.json) return snapshot(client, state);
          return around.stdout.isTTY === true
            ? draw(client, state, around)
            : print(client, state, around);
        }),
      ),
  );
};

async function ask(client: Client) {
  const [status, training, params, meters] = await Promise.all([
    client.status.get(),
    client.training.get(),
    client.params.list(),
    client.meters.list(),
  ]);
  return { status, training, params: params.params, meters: meters.meters };
}

/** Keeps the state up to date until the client is closed. */
function follow(client: Client, state: WatchState): () => void {
  let asking = false;
  const refresh = async (): Promise<void> => {
    if (asking || state.lost !== null) return;
    asking = true;
    try {
      const status = await client.status.get();
      if (status.program === state.status.program && status.patch === state.status.patch) {
        state.status = status;
      } else takeSnapshot(state, await ask(client));
    } catch (error) {
      // The socket will say that the connection is lost.
      if (!(error instanceof LivegradError)) throw error;
    } finally {
      asking = false;
    }
  };
  client.on('state', (connection) => {
    if (connection === 'closed') {
      state.lost ??= { since: Date.now(), why: 'the host does not answer' };
    }
  });
  client.on('snapshot', ({ status, training, params, meters }) => {
    if (state.lost !== null) state.regained = Date.now();
    state.lost = null;
    takeSnapshot(state, { status, training, params: params.params, meters: meters.meters });
  });
  client.on('change', (change) => {
    if (!takeChange(state, change)) void refresh();
  });
  client.subscribe({ topics: SHOWN, rate: RATE }, (frame) => takeFrame(state, frame));
  const timer = setInterval(() => void refresh(), POLL);
  return () => clearInterval(timer);
}

async function snapshot(client: Client, state: WatchState): Promise<Answer> {
  const stop = follow(client, state);
  const complete = (): boolean => SHOWN.every((topic) => state.heard.has(topic));
  const end = performance.now() + PATIENCE;
  while (!complete() && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  stop();
  const { url, status, learningRate, loss, step, levels, load } = state;
  const params = [...state.learnables, ...state.sliders].map((p) => ({
    ...p,
    value: state.values.get(p.id) ?? p.value,
    gradient: p.kind === 'slider' ? null : (state.gradients.get(p.id) ?? p.gradient),
  }));
  const { settings, schedule, running, fault, cause } = state.training;
  const training = { running, fault, cause, step, loss, learningRate, schedule, settings };
  const meters = state.meters.map((m) => ({ ...m, value: state.shown[m.index] ?? null }));
  const document = { url, telemetry: complete(), status, training, params, meters, levels, load };
  return answer(document, '');
}

async function draw(client: Client, state: WatchState, around: Surroundings): Promise<Answer> {
  const stop = follow(client, state);
  let scroll = 0;
  const exit = await new Promise<number>((resolve) => {
    const screen = new Screen(around.stdout, process.stdin, {
      onKey: (key) => {
        const page = Math.max(1, screen.size.rows - 14);
        scroll = Math.max(0, scroll + (SCROLL[key] ?? 0) + (PAGES[key] ?? 0) * page);
        redraw();
      },
      onResize: () => redraw(),
      onQuit: (code) => {
        clearInterval(timer);
        screen.close();
        resolve(code);
      },
    });
    const redraw = (): void => {
      const picture = view(state, screen.size, scroll, around.style, Date.now());
      scroll = picture.scroll;
      screen.draw(picture.lines);
    };
    screen.open();
    redraw();
    const timer = setInterval(redraw, 1000 / RATE);
  });
  stop();
  return answer(null, '', exit as Exit);
}

const SCROLL: Readonly<Record<string, number>> = {
  '\x1b[A': -1,
  '\x1b[B': 1,
  k: -1,
  j: 1,
  '\x1b[H': -1e9,
  '\x1b[F': 1e9,
};
const PAGES: Readonly<Record<string, number>> = { '\x1b[5~': -1, '\x1b[6~': 1, ' ': 1 };

async function print(client: Client, state: WatchState, { stdout }: Surroundings): Promise<Answer> {
  const stop = follow(client, state);
  const write = (): boolean => stdout.write(`${logLine(state)}\n`);
  await new Promise<void>((resolve) => {
    const timer = setInterval(write, 1000);
    const quit = (): void => {
      clearInterval(timer);
      resolve();
    };
    process.once('SIGINT', quit);
    process.once('SIGTERM', quit);
  });
  stop();
  return answer(null, '');
}
