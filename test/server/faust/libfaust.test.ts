/** libfaust as a guest: quiet, leaves nothing behind, is replaced when it breaks. */

import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { evaluate } from '../../../server/faust/evaluate.ts';
import { Libfaust } from '../../../server/faust/libfaust.ts';
import { Libraries } from '../../../server/faust/libraries.ts';
import { normalForm } from '../../support/libfaust.ts';

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
    const large = `${STANDARD}re.mono_freeverb(.${k + 1}, .5, .5, 23);`;
    const code = k % 20 === 0 ? large : k % 2 === 0 ? `process = foo${k};` : `process = *(${k});`;
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

/** Lines of a form with waveforms as libfaust itself shows them, and everything numbered anew. */
function plain(dump: string): string[] {
  const lines = dump.split('\n').filter((line) => /^(?:ID_\d+|SIG) = /u.test(line));
  const waves = new Map<string, string>();
  for (const line of lines) {
    const id = /^(ID_\d+) = attach\(waveform\{\.\.\.\},lgwave_\w+\);/u.exec(line)?.[1];
    if (id !== undefined) waves.set(id, 'waveform{...}');
  }
  const numbers = new Map<string, string>();
  return lines
    .filter((line) => !waves.has(line.slice(0, line.indexOf(' '))))
    .map((line) =>
      line.trim().replaceAll(/\bID_\d+\b|\bW\d+\b/gu, (name) => {
        const number = numbers.get(name) ?? `${name[0]}${numbers.size}`;
        if (!waves.has(name)) numbers.set(name, number);
        return waves.get(name) ?? number;
      }),
    );
}

test.each([
  'process = rdtable(waveform{1, 2, 3}, int(_)), rwtable(waveform{.5, 2}, int(_), _, int(_));',
  'w = waveform{1, 2, 3}; process = w, rdtable(w, int(_)), (_ @ (w : !, _)), waveform{1, 2, 3};',
  'process = waveform{-1, +2.5e1}, hslider("waveform{1}", 0, 0, 1, .1) /* waveform{2} */ : _, *;',
  `${STANDARD}_ : re.mono_freeverb(.7, .5, .5, 23);`,
  `${STANDARD}hgroup("a/b", vgroup("c%2i", os.osc(hslider("h:d/f", 9, 0, 99, 1)))) with { i = 3; };`,
  `${STANDARD}tu.T1_12AX7(1) with { tu = library("tubes.lib"); };`,
  `${STANDARD}pm.clarinet_ui;`,
])("apart from names of waveforms the form of %s is libfaust's own", async (code) => {
  const dump = await new Libfaust().dump(code, true, new Libraries([]));
  const own = await normalForm(code, { precision: 'double' }).catch(String);
  if (dump.kind !== 'form') throw new Error(`${JSON.stringify(dump)} ${own}`);
  expect(plain(dump.text)).toEqual(plain(own));
});
