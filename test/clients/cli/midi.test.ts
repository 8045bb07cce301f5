/** `livegrad midi` against a host whose controller is turned by hand. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PortListener } from '../../../server/midi/ports.ts';
import { bench, type Bench } from '../../server/control/fake.ts';
import { livegrad, livegradJson } from './run.ts';

let host: Bench;
let url = '';
let listener: PortListener | undefined;

beforeAll(async () => {
  host = await bench({
    midi(asked) {
      listener = asked;
      asked.opened(['knobs'], []);
      return { send: () => {}, close: () => Promise.resolve() };
    },
  });
  url = await host.listen();
});
afterAll(() => host.close());

it('learns the controller that is moved, lists it, and takes it away', async () => {
  host.session.listen((change) => {
    if (change.kind !== 'midi.changed' || change.data.learning === null) return;
    listener?.heard('knobs', Uint8Array.of(0xb1, 70, 5));
  });
  const learned = await livegrad(['midi', 'learn', 'hidden/gain', '--pickup', '--url', url]);
  expect(learned.stdout).toBe('cc 70, channel 2 moves hidden/gain\n');
  const listed = await livegrad(['midi', 'list', '--url', url]);
  expect(listed.stdout).toContain('hears knobs; tells no port');
  expect(listed.stdout).toMatch(/hidden\/gain +cc 70, channel 2 +knobs +picked up/u);
  const gone = await livegradJson('midi', 'unmap', 'hidden/gain', '--url', url);
  expect(gone).toMatchObject({ exit: 0, document: { map: [] } });
});

it('maps one that is named, and refuses what there is not', async () => {
  const words = ['midi', 'map', 'gain', '7', '--kind', 'cc14', '--max', '-0.5', '--url', url];
  const { exit, document } = await livegradJson(...words);
  expect(exit).toBe(0);
  expect(document).toMatchObject({ map: [{ id: 'gain', kind: 'cc14', number: 7, max: -0.5 }] });
  const far = await livegradJson('midi', 'map', 'gain', '200', '--url', url);
  expect(far).toMatchObject({ exit: 1, document: { error: { code: 'INVALID_INPUT' } } });
  const unknown = await livegradJson('midi', 'learn', 'gian', '--url', url);
  expect(unknown).toMatchObject({ exit: 1, document: { error: { code: 'UNKNOWN_PARAM' } } });
});
