/**
 * Optimisers in a patch: what it may say of them, and their reference in `dsp/patch/README.md`,
 * which is written from their table. UPDATE_GOLDEN=1 rewrites what stands between the markers.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { LEARN_SCALES } from '../../../dsp/control.ts';
import { SCALINGS } from '../../../dsp/learn/optimisers/scaling.ts';
import { OPTIMISER_KINDS, rowOf } from '../../../dsp/learn/optimisers/table.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { PatchEnd } from '../../../dsp/patch/builder.ts';
import type { ParamSpec } from '../../../dsp/patch/params.ts';
import { bankOf } from '../../../dsp/patch/params.ts';
import { tableOf } from '../../support/markdown.ts';

const FILE = new URL('../../../dsp/patch/README.md', import.meta.url);

/** Options as the schema has them: names, ranges, defaults. */
function optionsOf(shape: Readonly<Record<string, z.ZodType>>): string {
  const { properties = {} } = z.toJSONSchema(z.object(shape), { io: 'input' });
  const texts = Object.entries(properties).map(([name, property]) => {
    const { type, default: initial, ...is } = property as z.core.JSONSchema.JSONSchema;
    if (type === 'boolean') return `\`${name}\`: ${String(initial)}`;
    const low = is.minimum === undefined ? `(${is.exclusiveMinimum}` : `[${is.minimum}`;
    const high = is.maximum === undefined ? `${is.exclusiveMaximum})` : `${is.maximum}]`;
    return `\`${name}\`: ${String(initial)}, in ${low}, ${high}`;
  });
  return texts.join('; ');
}

function expectPart(name: string, made: string): void {
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- end of ${name} -->`];
  const text = readFileSync(FILE, 'utf8');
  const [before, rest] = text.split(begin) as [string, string];
  const whole = `${before}${begin}\n${made}\n${rest.slice(rest.indexOf(end))}`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(FILE, whole);
  expect(text).toBe(whole);
}

test('the reference of optimisers is their table', () => {
  const rows = OPTIMISER_KINDS.map((kind) => {
    const { doc, source, options, decay, weightDecay = 0 } = rowOf(kind);
    const decays = `\`weightDecay\`: ${weightDecay}, ${decay}`;
    const all = [optionsOf(options), decays].filter((text) => text !== '').join('; ');
    return [`\`${kind}\``, `${doc} (${source})`.replaceAll('|', '\\|'), all];
  });
  expectPart('optimisers', tableOf([['kind', 'step', 'options and defaults'], ...rows]));
});

test('the reference of scales is their table', () => {
  const rows = LEARN_SCALES.map((name) => {
    return [`\`${name}\``, name === 'linear' ? 'p = u, if not given' : SCALINGS[name].doc];
  });
  expectPart('scales', tableOf([['learn', 'p from u'], ...rows]));
});

const built = (training: object, params: Readonly<Record<string, object>> = {}) =>
  buildPatch('t', (p): PatchEnd => {
    const x = p.input(1);
    const gain = p.param('gain', { initial: 0, min: -1, max: 1 });
    for (const [id, spec] of Object.entries(params)) p.param(id, spec as ParamSpec);
    p.op('mul', [x, gain], 'y');
    return {
      training: {
        estimate: 'y',
        target: x,
        loss: 'mse',
        window: 64,
        schedule: { kind: 'constant', rate: 1 },
        ...training,
      },
    };
  });

test('options have their defaults', () => {
  const patch = built({ optimiser: { kind: 'adam', beta1: 0.5 } });
  expect(patch.ok && patch.value.training?.optimiser).toEqual({
    kind: 'adam',
    beta1: 0.5,
    beta2: 0.999,
    epsilon: 1e-8,
    amsgrad: false,
    weightDecay: 0,
  });
  expect(built({})).toMatchObject({ value: { training: { optimiser: { kind: 'sgd' } } } });
});

test.each([
  ['training.optimiser.kind', { optimiser: { kind: 'adm' } }, {}],
  ['training.optimiser.beta', { optimiser: { kind: 'adam', beta: 0.5 } }, {}],
  ['training.optimiser.beta1', { optimiser: { kind: 'adam', beta1: 1 } }, {}],
  ['training.optimiser.clip.norm', { optimiser: { kind: 'sgd', clip: { norm: 0 } } }, {}],
  ['training.every', { every: 0 }, {}],
  ['training.groups.a.params[0]', { groups: { a: { params: ['gian'] } } }, {}],
  [
    'training.groups.b.params[0]',
    { groups: { a: { params: ['gain'] }, b: { params: ['gain'] } } },
    {},
  ],
  ['training.groups.a.rate', { groups: { a: { params: ['gain'], rate: -1 } } }, {}],
  ['params.f.min', {}, { f: { initial: 1, min: 0, max: 2, learn: 'log' } }],
  ['params.f.learn', {}, { f: { initial: 1, min: 0, max: 2, learn: 'octaves' } }],
])('what is wrong at %s is said', (path, training, params) => {
  const patch = built(training, params);
  expect(patch.ok ? [] : patch.diagnostics.map((d) => d.path)).toEqual([path]);
});

test('rates and decays of groups reach every number of their parameters', () => {
  const patch = built(
    { groups: { slow: { params: ['w', 'gain'], rate: 0.5, weightDecay: 0.25 } } },
    {
      w: { initial: 0, min: -1, max: 1, size: 2, rate: 0.5 },
      other: { initial: 0, min: 0, max: 1 },
    },
  );
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  const bank = bankOf(patch.value.params, patch.value.training?.groups);
  expect(bank.map(({ id, rate, weightDecay }) => [id, rate, weightDecay])).toEqual([
    ['gain', 0.5, 0.25],
    ['w/0', 0.25, 0.25],
    ['w/1', 0.25, 0.25],
    ['other', undefined, undefined],
  ]);
});
