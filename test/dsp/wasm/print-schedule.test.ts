/**
 * The printed schedule against files that a person has read: `test/golden/*.schedule.md`, a sentence
 * and the text. UPDATE_GOLDEN=1 rewrites the text.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { programOf } from '../../../dsp/compile.ts';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { Program } from '../../../dsp/ir/program.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { generate } from '../../../dsp/wasm/generate.ts';
import { printSchedule } from '../../../dsp/wasm/print-schedule.ts';
import { plainProgram } from '../../support/program.ts';

function trained(name: string, mode: 'forward' | 'reverse'): Program {
  const options = { sampleRate: 48_000, maxBlock: 64, latency: 0, mode };
  const program = programOf(EXAMPLES[name]!, options);
  if (!program.ok) throw new Error(name);
  return program.value;
}

/** A filter on spectra that forgets slowly, beside a long delay and what is passed through. */
function spectral(): Program {
  const b = new Builder('stream');
  const x = b.node('input', [], [0]);
  const frame = b.node('frames', [x], [64, 128]);
  const spectrum = b.node('rfft', [frame]);
  const past = b.delay(spectrum, 2);
  const y = b.node('overlap', [b.node('rfftT', [b.node('add', [spectrum, past])])], [64]);
  const late = b.delay(b.node('tanh', [x]), 480);
  const graph = b.finish([
    { name: 'out:0', node: b.node('add', [y, late]) },
    { name: 'out:1', node: x },
  ]);
  return plainProgram(optimise(graph), { inputs: 1, sliders: 0, params: 0 });
}

const PROGRAMS: Readonly<Record<string, () => Program>> = {
  'one-pole-forward': () => trained('one-pole', 'forward'),
  'one-pole-reverse': () => trained('one-pole', 'reverse'),
  'one-pole-double': () => ({ ...trained('one-pole', 'reverse'), precision: 'double' }),
  spectral,
};

it.each(Object.keys(PROGRAMS))('%s', (name) => {
  const url = new URL(`../../golden/${name}.schedule.md`, import.meta.url);
  const text = readFileSync(url, 'utf8');
  const [head = ''] = text.split('```\n');
  const printed = generate(PROGRAMS[name]!(), 64).plans.map(printSchedule).join('\n');
  const made = `${head}\`\`\`\n${printed}\`\`\`\n`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(url, made);
  expect(text).toBe(made);
});
