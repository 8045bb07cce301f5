/** Which inputs a patch that is a Faust program listens to, and which of them is its target. */

import { describe, expect, it } from 'vitest';
import { fileStream, inputsOf, targetChannel } from '../../../clients/cli/sound.ts';
import { patchOf } from '../../../dsp/faust/patch.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';

/** Of a gain on input 2, compared with whatever is declared. */
function gain(target?: string): Patch {
  const form = [
    'ID_0 = hslider("g[learn:1]",0.5,0.0,1.0,0.01);',
    'ID_1 = IN[1]*ID_0;',
    'SIG = (ID_1);',
  ].join('\n');
  const declares = target === undefined ? [] : ([['livegrad', `[target:${target}]`]] as const);
  const patch = patchOf(
    { code: '', double: false, form, waveforms: [], declares, groups: {} },
    { format: 'livegrad.patch/1', faust: { code: '' } },
  );
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  return patch.value;
}

const sound = (channels: number) => ({
  sampleRate: 48_000,
  channels: Array.from({ length: channels }, () => new Float32Array(4)),
});

describe('a program', () => {
  it.each<[target: string | undefined, inputs: readonly number[], channel: number | null]>([
    [undefined, [2, 3], 3],
    ['in 2', [2], 2],
    ['in 5', [2, 5], 5],
    ['out 1', [2], null],
  ])('with the target %s listens to %j', (target, inputs, channel) => {
    expect(inputsOf(gain(target))).toEqual(inputs);
    expect(targetChannel(gain(target))).toBe(channel);
  });

  it('takes a file for its target where that is an input', () => {
    expect(fileStream(gain(), sound(2), sound(1))).toMatchObject({ ok: true });
    expect(fileStream(gain(), sound(2), null)).toMatchObject({ ok: false });
    const refused = fileStream(gain('out 1'), sound(2), sound(1));
    expect(refused).toMatchObject({ ok: false });
    expect(JSON.stringify(refused)).toContain('an output of the program');
  });
});
