/** The tree of controls in a patch: what it may hold, and what is said of one that holds it wrongly. */

import { describe, expect, it } from 'vitest';
import { parsePatch } from '../../../dsp/patch/schema.ts';

const patch = (ui: unknown) =>
  parsePatch({
    format: 'livegrad.patch/1',
    name: 'layout',
    sliders: { gain: { initial: 0, min: 0, max: 1 } },
    params: { w: { initial: 0, size: 4, min: 0, max: 1 } },
    nodes: { x: { op: 'input', channel: 1 } },
    meters: { level: { in: 'x', min: 0, max: 1 } },
    ui,
  });

const problems = (ui: unknown): readonly string[] => {
  const parsed = patch(ui);
  return parsed.ok
    ? []
    : parsed.diagnostics.map(({ code, path, message }) => `${code} ${path}: ${message}`);
};

const nested = (depth: number): unknown => {
  let items: unknown[] = [];
  for (let k = 0; k < depth; k++) items = [{ group: 'tab', label: '', items }];
  return items;
};

describe('the tree of a patch', () => {
  it('holds groups, sliders and params, vectors as one', () => {
    const ui = [
      {
        group: 'horizontal',
        label: 'All',
        doc: 'of it',
        items: [
          { control: 'gain', label: 'Gain', style: 'knob', meta: { midi: 'ctrl 7' } },
          { group: 'vertical', label: '', items: [] },
        ],
      },
      { control: 'w', label: 'Weights', hidden: true },
      { meter: 'level', label: 'Level', style: 'led' },
    ];
    expect(patch(ui)).toMatchObject({ ok: true, value: { ui } });
  });

  it.each<[what: string, ui: unknown, problem: string]>([
    [
      'an unknown control',
      [{ control: 'gian', label: '' }],
      'PATCH_UNKNOWN_REFERENCE ui[0].control: no slider or param is called "gian"',
    ],
    ['a node', [{ control: 'x', label: '' }], 'PATCH_UNKNOWN_REFERENCE ui[0].control'],
    [
      'an unknown meter',
      [{ meter: 'gain', label: '' }],
      'PATCH_UNKNOWN_REFERENCE ui[0].meter: no meter is called "gain"',
    ],
    [
      'a control twice',
      [
        { control: 'gain', label: '' },
        { group: 'tab', label: '', items: [{ control: 'gain', label: '' }] },
      ],
      'PATCH_NAME_TAKEN ui[1].items[0].control: "gain" is already shown elsewhere',
    ],
    [
      'a style that is none',
      [{ control: 'gain', label: '', style: 'dial' }],
      'PATCH_INVALID ui[0].style: ',
    ],
    ['a missing label', [{ group: 'tab', items: [] }], 'PATCH_INVALID ui[0].label: missing'],
    [
      'a group that is none',
      [{ group: 'row', label: '', items: [] }],
      'PATCH_INVALID ui[0].group: ',
    ],
    [
      'a faulty group inside',
      [{ group: 'tab', label: '', items: [{ group: 'tab', label: 1, items: [] }] }],
      'PATCH_INVALID ui[0].items[0].label: expected a string, got 1',
    ],
    [
      'an unknown field',
      [{ control: 'gain', label: '', colour: 'red' }],
      'PATCH_INVALID ui[0].colour: unknown field',
    ],
    ['anything else', [1], 'PATCH_INVALID ui[0]: expected { "control": id, … }'],
    ['no list', { control: 'gain', label: '' }, 'PATCH_INVALID ui: expected a list'],
    ['groups without end', nested(100_000), 'PATCH_TOO_LARGE ui'],
    ['65 groups in each other', nested(66), 'PATCH_TOO_LARGE ui'],
    [
      'too many',
      Array.from({ length: 20_001 }, () => ({ control: 'gain', label: '' })),
      'PATCH_TOO_LARGE ui',
    ],
  ])('does not hold %s', (_what, ui, problem) => {
    expect(problems(ui)[0]).toContain(problem);
  });
});
