/** libfaust as a guest: quiet, leaves nothing behind, is replaced when it breaks. */

import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { evaluate } from '../../../server/faust/evaluate.ts';
import { Libfaust } from '../../../server/faust/libfaust.ts';
import { Libraries } from '../../../server/faust/libraries.ts';

const STANDARD = 'import("stdfaust.lib"); process = ';

/** Every file of the package, with when it was changed. */
function packageState(): string[] {
  const require = createRequire(import.meta.url);
  const root = dirname(require.resolve('@grame/faustwasm/package.json'));
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((name) => `${name} ${statSync(join(root, name)).mtimeMs}`)
    .sort();
}

test('it prints nothing and writes nothing', () => {
  const before = packageState();
  const module = new URL('../../../server/faust/evaluator.ts', import.meta.url).href;
  const script = `
    import { Evaluator } from '${module}';
    const evaluator = new Evaluator();
    const codes = ['process = _;', 'process = foo;', 'process = _ $', 'f(x) = f(x); process = f(1);'];
    for (const code of codes) await evaluator.evaluate(code, true);
  `;
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
  const { status, stdout, stderr } = spawnSync(process.execPath, flags, { encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(packageState()).toEqual(before);
});

test('its memory stays as it is over 200 evaluations', async () => {
  const libfaust = new Libfaust({ memory: 512 << 20, keep: 64 << 20 });
  for (let k = 0; k < 200; k++) {
    const code = k % 4 === 0 ? `process = foo${k};` : `${STANDARD}fi.lowpass(2, ${100 + k});`;
    await evaluate(libfaust, code, { double: k % 2 === 0 });
  }
  expect(libfaust.boots).toBe(1);
});

test('it is booted anew when a program has made it large', async () => {
  const libfaust = new Libfaust({ memory: 512 << 20, keep: 0 });
  for (let k = 0; k < 3; k++) await evaluate(libfaust, 'process = _;', { double: true });
  expect(libfaust.boots).toBe(3);
});

test('a program that needs more memory than it may have is a diagnostic', async () => {
  const libfaust = new Libfaust({ memory: 27 << 20, keep: 27 << 20 });
  const result = await evaluate(libfaust, `${STANDARD}an.rfft_analyzer_magsq(64);`, {
    double: true,
  });
  expect(result).toMatchObject({ ok: false, diagnostics: [{ code: 'FAUST_UNSUPPORTED' }] });
  expect(!result.ok && result.diagnostics[0]?.message).toContain('memory');
  expect((await evaluate(libfaust, 'process = _;', { double: true })).ok).toBe(true);
});

test('a waveform changes nothing around it', async () => {
  const libfaust = new Libfaust();
  // A foreign constant of the same kind, so that what is compared has as many lines.
  const table = 'rdtable(WAVE, int(_)), (WAVE : _, _), (_ @ (WAVE : !, _)), rwtable(WAVE, 0, _, 0)';
  const dump = await libfaust.dump(
    `process = ${table.replaceAll('WAVE', 'waveform{1, 2, 3}')};`,
    true,
    new Libraries([]),
  );
  if (dump.kind !== 'form') throw new Error(JSON.stringify(dump));
  expect(dump.text.match(/attach\(waveform\{\.\.\.\},lgwave_\w+\)/gu)).toHaveLength(1);
  // The range of its values is known: the delay has no bounds put around it.
  expect(dump.text).toMatch(/IN\[\d\]@ID_\d+;/u);
});
