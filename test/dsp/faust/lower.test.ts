/** Programs that libfaust takes and we cannot compile: what is said, and at which line of the source. */
import { describe, expect, it } from 'vitest';
import { programOf } from '../../../dsp/compile.ts';
import { faustPatch, faustProgram } from '../../support/faust.ts';

async function said(code: string) {
  const patch = faustPatch(await faustProgram(code, 'single'));
  const made = programOf(patch, { sampleRate: 48_000, maxBlock: 64, latency: 0 });
  return made.ok
    ? []
    : made.diagnostics.map(({ code: kind, line, message }) => [kind, line, message]);
}

describe('a program that cannot be compiled', () => {
  it('names a foreign function and its line', async () => {
    const code =
      '// a comment\nwobble =\n  ffunction(float wobbly(float), <math.h>, "");\nprocess = wobble;\n';
    expect(await said(code)).toEqual([
      ['FAUST_UNSUPPORTED', 3, 'the foreign function "wobbly" is not known'],
    ]);
  });

  it('names a delay without a limit, and its line where there is one', async () => {
    const code = 'count = + ~ _;\nprocess(x) =\n  x @ int(count(x));\n';
    expect(await said(code)).toEqual([
      ['FAUST_UNSUPPORTED', 3, 'the length of a delay has no limit that can be told'],
    ]);
    const [other] = await said(`${code}two(x) =
  x @ 3;
`);
    expect(other?.[1]).toBeUndefined();
  });
});
