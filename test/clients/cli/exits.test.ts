/** How commands end: each documented exit code for its reason, and colours for terminals alone. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../../clients/cli/answer.ts';
import { bench, record, type Bench } from '../../server/control/fake.ts';
import { livegrad, textFile } from './run.ts';

let host: Bench;
let url = '';
beforeAll(async () => {
  host = await bench({ tokens: [record('stage', 'view', 'lg_view')] });
  url = await host.listen();
});
afterAll(() => host.close());

type Exits = { readonly [K in Exclude<keyof typeof EXIT, 'internal'>]: () => readonly string[] };

const EXITS: Exits = {
  done: () => ['status', '--host', url, '--token', 'lg_view'],
  refused: () => ['check', textFile('wrong.json', '{"format": "livegrad.patch/1"}')],
  usage: () => ['set', 'gain', 'much', '--url', url],
  unmet: () => ['train', 'one-pole', '--seconds', '0.02'],
  unreachable: () => ['status', '--url', url, '--token', 'lg_wrong'],
};

describe('a command ends', () => {
  it.each(Object.keys(EXITS) as (keyof Exits)[])('with the code of "%s"', async (name) => {
    const { exit, stderr } = await livegrad(EXITS[name]());
    expect(exit, stderr).toBe(EXIT[name]);
  });

  it('with that of a host which is not there, or does not let it do that', async () => {
    const nobody = await livegrad(['status', '--url', 'http://127.0.0.1:9']);
    expect(nobody.exit).toBe(EXIT.unreachable);
    const onlooker = ['learn', 'off', '--url', url, '--token', 'lg_view'];
    expect((await livegrad(onlooker)).exit).not.toBe(EXIT.done);
  });
});

describe('colours', () => {
  it('are off where the answer is piped, in errors as well', async () => {
    for (const args of [EXITS.done(), ['check', 'nowhere.json'], ['examples'], ['nonsense']]) {
      const { stdout, stderr } = await livegrad(args);
      expect(stdout + stderr).not.toContain('\x1b');
    }
  });

  it('are on where they are asked for, and off where they are not wanted', async () => {
    const shown = ['params', '--url', url, '--token', 'lg_view'];
    expect((await livegrad(shown, { FORCE_COLOR: '1' })).stdout).toContain('\x1b[');
    const both = { FORCE_COLOR: '1', NO_COLOR: '1' };
    expect((await livegrad(shown, both)).stdout).not.toContain('\x1b');
  });
});
