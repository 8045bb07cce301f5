/**
 * Whatever a Faust program calls its widgets and declares: an answer, and controls that a patch may
 * have. FUZZ_SEED=N runs one seed again, FUZZ_LABELS=N more of them.
 */

import { expect, test } from 'vitest';
import { patchOf } from '../../dsp/faust/patch.ts';
import type { FaustProgram } from '../../dsp/faust/program.ts';
import { random } from '../support/random-graph.ts';
import { seedsOf } from '../support/seeds.ts';

/** Divided by "~": some hold a space. */
const words = (text: string): readonly string[] => text.split('~');
const WORDS = words(
  "[~]~:~/~∕~\\~.~{~}~'~;~%~ ~-~_~1~a~é~日~[learn:1]~[learn:log]~[lr:0.1]~[scale:log]~[style:menu{~" +
    '[unit:Hz]~[0]~gain~gain~in1~out2~__proto__~[tooltip:~[__proto__:x]~[hidden:1]',
);
const KEYS = words(
  '[loss:mae]~[optimiser:lion]~[rate:0.1]~[schedule:cosine]~[terms.1.loss:mse]~[target:in 2]~' +
    '[estimate:out 1]~[window:64]~[groups.a.params:gain]~[mode:auto]~[guards.leap:false]~' +
    '[optimiser.beta1:0.5]~[loss.delta:1]~[precision:double]~[~]~:~.~x~[constructor.x:1]~' +
    '[loss.__proto__.y:2]~[terms.0.x:1]',
);
const NUMBERS = ['0.0', '1.0', '-1.0', '0.5', '20.0', '2e+04', '-6e+01', '1e-30', '0.001', '3e+38'];
const KINDS = ['hslider', 'vslider', 'nentry', 'button', 'checkbox', 'hbargraph', 'soundfile'];

function programOf(seed: number): FaustProgram {
  const next = random(seed);
  const pick = <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)]!;
  const text = (from: readonly string[], most: number): string =>
    Array.from({ length: Math.floor(next() * most) }, () => pick(from)).join('');
  const count = 1 + Math.floor(next() * 8);
  const lines = Array.from({ length: count }, (_, k) => {
    const kind = pick(KINDS);
    const label = JSON.stringify(text(WORDS, 8)).replaceAll('\\\\', '\\');
    const numbers = Array.from({ length: 4 }, () => pick(NUMBERS));
    const args =
      kind === 'hbargraph'
        ? [numbers[0], numbers[1], 'IN[0]']
        : /slider|nentry/u.test(kind)
          ? numbers
          : [];
    return `ID_${k} = ${kind}(${[label, ...args].join(',')});`;
  });
  const outputs = Array.from(
    { length: Math.floor(next() * 4) },
    () => `ID_${pick([...lines.keys()])}`,
  );
  const form = [...lines, `SIG = (${[...outputs, ...lines.map((_, k) => `ID_${k}`)].join(', ')});`];
  return {
    code: '',
    double: false,
    form: form.join('\n'),
    waveforms: [],
    declares: Array.from(
      { length: Math.floor(next() * 3) },
      () => ['livegrad', text(KEYS, 4)] as const,
    ),
    groups: { gain: 'tab', '1': 'horizontal' },
  };
}

test.each(seedsOf('FUZZ_LABELS', 300))('labels of seed %i have an answer', (seed) => {
  const patch = patchOf(programOf(seed), { format: 'livegrad.patch/1', faust: { code: '' } });
  if (!patch.ok) {
    const codes = patch.diagnostics.map(({ code }) => code);
    // Controls are always what a patch may have: what is wrong is what was said to livegrad itself.
    const allowed = /^(?:FAUST_METADATA|PATCH_UNKNOWN_REFERENCE|PATCH_INVALID|FAUST_UNSUPPORTED)$/u;
    expect(
      codes.filter((code) => !allowed.test(code)),
      JSON.stringify(patch.diagnostics),
    ).toEqual([]);
    const wrong = patch.diagnostics.filter(({ path }) =>
      /^(?:sliders|params|ui|meters)/u.test(path),
    );
    expect(wrong).toEqual([]);
    return;
  }
  const again = patchOf(programOf(seed), { format: 'livegrad.patch/1', faust: { code: '' } });
  expect(again).toEqual(patch);
});
