/** What changed between two configurations, and what becomes of it. */

import { expect, test } from 'vitest';
import { changesBetween, EFFECTS, withChanges } from '../../config/changes.ts';
import { CONFIG_KEYS, configSchema, type Config } from '../../config/schema.ts';

const config = (given: object = {}): Config => configSchema.parse(given);

test('every setting has an effect, and nothing else has', () => {
  expect(Object.keys(EFFECTS).sort()).toEqual(CONFIG_KEYS.map(({ key }) => key).sort());
});

test('what is the same is no change, lists and settings without a value neither', () => {
  const same = { http: { origins: ['https://a.example'] }, osc: { allow: ['192.0.2.1'] } };
  expect(changesBetween(config(same), config(structuredClone(same)))).toEqual([]);
});

test('each change is told with its effect, in the order of the schema', () => {
  const after = config({
    log: { level: 'debug' },
    http: { port: 9000, origins: ['https://a.example'] },
    audio: { blockSize: 512, inputFile: 'a.wav' },
  });
  expect(changesBetween(config(), after)).toEqual([
    { key: 'http.port', effect: 'start', before: 8440, after: 9000 },
    { key: 'http.origins', effect: 'live', before: [], after: ['https://a.example'] },
    { key: 'audio.blockSize', effect: 'engine', before: 256, after: 512 },
    { key: 'audio.inputFile', effect: 'engine', before: undefined, after: 'a.wav' },
    { key: 'log.level', effect: 'live', before: 'info', after: 'debug' },
  ]);
});

test('with all of its changes a configuration is the other one, with some only those', () => {
  const [before, after] = [config(), config({ patch: 'one-pole', http: { rateLimit: 5 } })];
  const changes = changesBetween(before, after);
  expect(withChanges(before, changes)).toEqual(after);
  const some = withChanges(before, changes.slice(0, 1));
  expect([some.http.rateLimit, some.patch]).toEqual([5, 'gain']);
  expect(before).toEqual(config());
});
