/** What `dsp/faust/README.md` says of declarations is true, and says it of every field. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readDeclares } from '../../../dsp/faust/settings.ts';
import { trainingFields } from '../../../dsp/patch/schema.ts';

const text = readFileSync(new URL('../../../dsp/faust/README.md', import.meta.url), 'utf8');
const rows = text
  .slice(text.indexOf('| key '))
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()));

test('every field of a training is named', () => {
  const named = rows.flatMap(([, keys = '']) =>
    [...keys.matchAll(/`([\w.]+)`/gu)].map(([, key]) => key),
  );
  expect(named).toEqual(
    expect.arrayContaining([...Object.keys(trainingFields), 'rate', 'precision']),
  );
});

test.each(
  rows.flatMap(([, , example = '']) => [...example.matchAll(/`(\[[^`]*)`/gu)].map(([, it]) => it!)),
)('%s is taken', (example) => {
  expect(readDeclares({ declares: [['livegrad', example]] })).toMatchObject({ ok: true });
});
