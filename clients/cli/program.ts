/**
 * Every command of the client, in the order of `--help`.
 *
 * Invariant: `--json` is understood before and after the command's name. It runs nothing.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { Deliver } from './command.ts';
import { audition } from './commands/audition.ts';
import { channels } from './commands/channels.ts';
import { call } from './commands/call.ts';
import { check } from './commands/check.ts';
import { compile } from './commands/compile.ts';
import { completion } from './commands/completion.ts';
import { devices } from './commands/devices.ts';
import { examples } from './commands/examples.ts';
import { exportPatch } from './commands/export.ts';
import { freeze } from './commands/freeze.ts';
import { gradcheck } from './commands/gradcheck.ts';
import { history } from './commands/history.ts';
import { learn } from './commands/learn.ts';
import { learnable } from './commands/learnable.ts';
import { library } from './commands/library.ts';
import { load } from './commands/load.ts';
import { calibrate } from './commands/calibrate.ts';
import { logs } from './commands/logs.ts';
import { midi } from './commands/midi.ts';
import { morph } from './commands/morph.ts';
import { mute } from './commands/mute.ts';
import { params } from './commands/params.ts';
import { recordings } from './commands/record.ts';
import { rate } from './commands/rate.ts';
import { schedule } from './commands/schedule.ts';
import { service } from './commands/service.ts';
import { set } from './commands/set.ts';
import { signals } from './commands/signals.ts';
import { snapshot } from './commands/snapshot.ts';
import { start } from './commands/start.ts';
import { status } from './commands/status.ts';
import { system } from './commands/system.ts';
import { token } from './commands/token.ts';
import { tone } from './commands/tone.ts';
import { train } from './commands/train.ts';
import { redo, undo } from './commands/undo.ts';
import { watch } from './commands/watch.ts';

const { version: VERSION } = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8'),
) as { version: string };

const COMMANDS = [
  start,
  status,
  watch,
  set,
  params,
  freeze,
  rate,
  learnable,
  learn,
  schedule,
  undo,
  redo,
  snapshot,
  morph,
  audition,
  history,
  signals,
  recordings,
  midi,
  logs,
  mute,
  calibrate,
  tone,
  channels,
  load,
  exportPatch,
  library,
  devices,
  system,
  token,
  examples,
  check,
  compile,
  gradcheck,
  train,
  call,
  service,
  completion,
];

export function createProgram(deliver: Deliver): Command {
  const program = new Command('livegrad')
    .description('learn DSP parameters by gradient descent, live and offline')
    .version(VERSION, '--version', 'print the version')
    .option('--json', 'print exactly one JSON document')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({ writeErr: () => {} })
    .helpCommand('help [command]', 'say more about a command');
  for (const register of COMMANDS) register(program, deliver);
  return program;
}
