/**
 * Lowered patch → Program: chooses the differentiation mode, differentiates, adds the optimiser and
 * runs the passes. The last hop before code.
 *
 * Mode `auto` compares rough costs per sample of both programs. Where a derivative passes through
 * memory, forward mode is exact over all time and reverse mode sees one window, so forward mode is
 * taken up to `FORWARD_BONUS` times the cost of reverse mode.
 */

import { hasMemory } from './ad/active.ts';
import { differentiate, objectiveActivity } from './ad/gradient.ts';
import type { Differentiated, Objective } from './ad/gradient.ts';
import { paramNodes } from './ad/jvp.ts';
import type { Control } from './control.ts';
import { diagnostic, fail, ok } from './diagnostic.ts';
import type { Result } from './diagnostic.ts';
import { nodeOf } from './ir/graph.ts';
import type { Graph } from './ir/graph.ts';
import { OPS } from './ir/ops.ts';
import type { Program } from './ir/program.ts';
import { LOSSES } from './learn/losses.ts';
import type { Lowered } from './patch/lower.ts';
import { pathOf } from './patch/schema.ts';
import type { Patch, Training } from './patch/schema.ts';
import { optimise } from './passes/pipeline.ts';
import { updateGraph } from './learn/optimisers.ts';

const FORWARD_BONUS = 2;

export type Mode = Training['mode'];

export function plan(patch: Patch, lowered: Lowered, mode: Mode): Result<Program> {
  const named = (controls: Patch['sliders']): Control[] =>
    Object.entries(controls).map(([id, spec]) => ({ ...spec, id }));
  const base = {
    name: patch.name,
    throughDevice: lowered.throughDevice,
    inputs: lowered.inputs,
    outputs: patch.outputs.length,
    sliders: named(patch.sliders),
    params: named(patch.params),
  };
  const { training } = patch;
  const { estimate, target, graph } = lowered;
  if (training === undefined || estimate === null || target === null) {
    return ok({
      ...base,
      stream: optimise(graph),
      backward: null,
      update: null,
      window: 0,
      mode: 'none',
      reasons: ['the patch has no training'],
      tapes: 0,
    });
  }

  const objective: Objective = {
    estimate,
    target,
    loss: LOSSES[training.loss],
    window: training.window,
    params: base.params.length,
  };
  const { active, obstacles } = objectiveActivity(graph, objective);
  if (obstacles.length > 0) {
    return fail(
      ...obstacles.map(({ node, reason }) => {
        const origin = lowered.origin.get(node);
        return diagnostic(
          'PATCH_NOT_DIFFERENTIABLE',
          origin === undefined ? 'nodes' : pathOf(['nodes', origin]),
          `a learnable parameter reaches "${nodeOf(graph, node).op}", which has no gradient: ${reason}`,
        );
      }),
    );
  }
  const learnable = [...paramNodes(graph).values()].filter((id) => active.has(id));
  if (learnable.length === 0) {
    return fail(
      diagnostic(
        'PATCH_NOTHING_TO_LEARN',
        'training',
        base.params.length === 0
          ? 'the patch has no learnable parameter: expected at least one under "params"'
          : `no parameter has a gradient at "${training.estimate}" or "${training.target}": expected at least one of ${base.params.map((p) => p.id).join(', ')}`,
      ),
    );
  }

  const cleaned = (d: Differentiated): Differentiated => ({
    ...d,
    stream: optimise(d.stream),
    backward: optimise(d.backward),
  });
  const build = (way: 'forward' | 'reverse'): Differentiated =>
    cleaned(differentiate(graph, objective, active, way));

  const memory = hasMemory(graph, active);
  const choice = mode === 'auto' ? choose(build, memory, learnable.length) : null;
  const way = choice?.way ?? (mode === 'forward' ? 'forward' : 'reverse');
  const made = choice?.made ?? build(way);
  return ok({
    ...base,
    stream: made.stream,
    backward: made.backward,
    update: optimise(updateGraph(training.optimiser.kind, base.params)),
    window: training.window,
    mode: way,
    reasons: choice?.reasons ?? [`${way} mode, as the patch asks`],
    tapes: made.tapes,
  });
}

function choose(
  build: (way: 'forward' | 'reverse') => Differentiated,
  memory: boolean,
  params: number,
): { way: 'forward' | 'reverse'; made: Differentiated; reasons: string[] } {
  const reverse = build('reverse');
  const reverseCost = cost(reverse);
  const many = `${params} parameter${params === 1 ? '' : 's'}`;
  if (!memory) {
    return {
      way: 'reverse',
      made: reverse,
      reasons: [
        `${many}; no derivative passes through a delay, so reverse mode is exact`,
        `cost about ${reverseCost} operations per sample`,
      ],
    };
  }
  // Tangents cost at least one operation each: do not even build forward mode for a large model.
  if (params > FORWARD_BONUS * reverseCost) {
    return {
      way: 'reverse',
      made: reverse,
      reasons: [`${many}: too many for forward mode; reverse mode, truncated at the window`],
    };
  }
  const forward = build('forward');
  const forwardCost = cost(forward);
  const costs = `cost about ${forwardCost} operations per sample forward, ${reverseCost} reverse`;
  return forwardCost <= FORWARD_BONUS * reverseCost
    ? {
        way: 'forward',
        made: forward,
        reasons: [`${many}; forward mode is exact through recursion over all time`, costs],
      }
    : {
        way: 'reverse',
        made: reverse,
        reasons: [`${many}; reverse mode, truncated at the window, is cheaper`, costs],
      };
}

/** Operations per sample: four samples at a time outside of recursion. */
function cost(d: Differentiated): number {
  return Math.round(signalCost(d.stream) + signalCost(d.backward));
}

function signalCost(graph: Graph): number {
  let total = 0;
  for (const node of graph.nodes) if (node.rate === 'sample') total += OPS[node.op].cost;
  return total;
}
