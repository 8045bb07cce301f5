/**
 * Passes and differentiation against files that a person has read: `test/golden/*.ir.md`, each a
 * sentence, the graph before, and the graphs after. UPDATE_GOLDEN=1 rewrites what comes after.
 */

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { differentiate, objectiveActivity } from '../../dsp/ad/gradient.ts';
import { outputOf } from '../../dsp/ir/graph.ts';
import type { Graph } from '../../dsp/ir/graph.ts';
import { print } from '../../dsp/ir/print.ts';
import { verify } from '../../dsp/ir/verify.ts';
import { mse } from '../../dsp/learn/losses/pointwise.ts';
import { fold } from '../../dsp/passes/fold.ts';
import { optimise } from '../../dsp/passes/pipeline.ts';
import { late } from '../../dsp/passes/late.ts';
import { prune } from '../../dsp/passes/prune.ts';
import { unmark } from '../../dsp/passes/unmark.ts';
import { parseIr } from '../support/parse-ir.ts';

const FOLDER = new URL('../golden/', import.meta.url);
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.ir.md'));

/** Outputs `estimate` and `target` of the graph, MSE over 64 frames. */
function gradient(graph: Graph, mode: 'forward' | 'reverse'): Graph[] {
  const objective = {
    terms: [
      { estimate: outputOf(graph, 'estimate'), target: outputOf(graph, 'target'), loss: mse },
    ],
    window: 64,
    params: 1,
  };
  const { active } = objectiveActivity(graph, objective);
  const made = differentiate(graph, objective, active, mode);
  return [optimise(made.stream), optimise(made.backward)];
}

const TRANSFORMS: Readonly<Record<string, (graph: Graph) => Graph[]>> = {
  fold: (graph) => [fold(graph)],
  late: (graph) => [late(graph)],
  prune: (graph) => [prune(graph)],
  unmark: (graph) => [unmark(graph)],
  forward: (graph) => gradient(graph, 'forward'),
  reverse: (graph) => gradient(graph, 'reverse'),
};

test('there are goldens for every transformation', () => {
  const covered = new Set(files.map((name) => name.split('-')[0]!));
  expect(covered).toEqual(new Set(Object.keys(TRANSFORMS)));
});

test.each(files)('%s', (name) => {
  const url = new URL(name, FOLDER);
  const text = readFileSync(url, 'utf8');
  const [head, before] = text.split('```ir\n') as [string, string];
  const input = before.split('```')[0]!;
  const results = TRANSFORMS[name.split('-')[0]!]!(parseIr(input));
  const blocks = [input, ...results.map((g) => print(verify(g, name)))];
  const made = `${head}${blocks.map((b) => `\`\`\`ir\n${b}\`\`\`\n`).join('\nbecomes\n\n')}`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(url, made);
  expect(text).toBe(made);
});
