/**
 * Lowered patch → Program: chooses the differentiation mode, differentiates, adds the optimiser and
 * runs the passes. The last hop before code.
 *
 * Mode `auto` compares rough costs per sample of both modes. Where a derivative passes through
 * memory, forward mode is exact over all time and reverse mode sees one window, so forward mode is
 * taken up to `FORWARD_BONUS` times the cost of reverse mode.
 */

import { activity, hasMemory } from './ad/active.ts';
import { differentiate, objectiveActivity, tangentGroups } from './ad/gradient.ts';
import type { Objective } from './ad/gradient.ts';
import { paramNodes } from './ad/jvp.ts';
import type { Control } from './control.ts';
import { diagnostic, fail, ok } from './diagnostic.ts';
import type { Result } from './diagnostic.ts';
import { isDelay, isSignal, nodeOf } from './ir/graph.ts';
import type { Graph, NodeId } from './ir/graph.ts';
import { OPS } from './ir/ops.ts';
import type { Program } from './ir/program.ts';
import { LOSSES } from './learn/losses.ts';
import type { Lowered } from './patch/lower.ts';
import { pathOf } from './patch/schema.ts';
import type { Patch, Training } from './patch/schema.ts';
import { optimise } from './passes/pipeline.ts';
import { updateGraph } from './learn/optimisers.ts';

const FORWARD_BONUS = 2;
/** Bounds the memory of a compilation that the patch forces into forward mode. */
const MAX_TANGENTS = 1_000_000;

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
    });
  }

  const objective: Objective = {
    estimate,
    target,
    loss: LOSSES[training.loss],
    window: training.window,
    params: base.params.length,
  };
  if (estimate === target) {
    return fail(
      diagnostic(
        'PATCH_NOTHING_TO_LEARN',
        'training.target',
        `estimate and target are the same signal: the loss is 0 whatever the parameters are`,
      ),
    );
  }
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

  const choice: Choice =
    mode === 'auto'
      ? choose(graph, objective, active)
      : { way: mode, reasons: [`${mode} mode, as the patch asks`] };
  const tangents = tangentGroups(graph, active).length * active.size;
  if (choice.way === 'forward' && tangents > MAX_TANGENTS) {
    return fail(
      diagnostic(
        'PATCH_TOO_LARGE',
        'training.mode',
        `forward mode needs a tangent per parameter and operation: expected at most ${MAX_TANGENTS}, got up to ${tangents}`,
        'use "reverse" or "auto"',
      ),
    );
  }
  const blind = choice.way === 'reverse' ? unseenDelays(graph, active, training.window) : [];
  const made = differentiate(graph, objective, active, choice.way);
  return ok({
    ...base,
    stream: optimise(made.stream),
    backward: optimise(made.backward),
    update: optimise(updateGraph(training.optimiser.kind, base.params)),
    window: training.window,
    mode: choice.way,
    reasons: [...choice.reasons, ...blind],
  });
}

/** Delays longer than the window pass no gradient in reverse mode: worth a word. */
function unseenDelays(graph: Graph, active: ReadonlySet<NodeId>, window: number): string[] {
  const lengths = [...active].flatMap((id) => {
    const node = nodeOf(graph, id);
    return isDelay(node.op) && node.attrs[0]! >= window ? [node.attrs[0]!] : [];
  });
  if (lengths.length === 0) return [];
  const longest = lengths.reduce((a, b) => Math.max(a, b));
  return [
    `no gradient passes through a delay as long as the window of ${window} frames (the longest has ${longest}): use a longer window or forward mode`,
  ];
}

interface Choice {
  readonly way: 'forward' | 'reverse';
  readonly reasons: readonly string[];
}

/** Tangents of at most this many parameters are considered at all. */
const FORWARD_PARAMS = 256;

/** Decides by counting: nothing is differentiated to find out what it would cost. */
function choose(graph: Graph, objective: Objective, active: ReadonlySet<NodeId>): Choice {
  const groups = tangentGroups(graph, active);
  const count = groups.reduce((sum, group) => sum + group.length, 0);
  const many = `${count} parameter${count === 1 ? '' : 's'}`;
  const reverseCost = REVERSE_FACTOR * costOf(graph, active);
  if (!hasMemory(graph, active)) {
    return {
      way: 'reverse',
      reasons: [
        `${many}; no derivative passes through a delay, so reverse mode is exact`,
        `about ${reverseCost} operations per sample for the gradient`,
      ],
    };
  }
  if (count > FORWARD_PARAMS) {
    return { way: 'reverse', reasons: [`${many}: too many for forward mode`, TRUNCATED] };
  }
  const limit = FORWARD_BONUS * reverseCost;
  let forwardCost = 0;
  for (const group of groups) {
    if (forwardCost > limit) break;
    const wrt = group.map(({ node }) => node);
    const own = activity(graph, wrt, [objective.estimate, objective.target]).active;
    forwardCost += FORWARD_FACTOR * costOf(graph, own);
  }
  const forward = forwardCost <= limit;
  const atLeast = forward ? 'about' : 'more than';
  const costs = `${atLeast} ${forwardCost} operations per sample forward, about ${reverseCost} reverse`;
  return forward
    ? {
        way: 'forward',
        reasons: [`${many}; forward mode is exact through recursion over all time`, costs],
      }
    : { way: 'reverse', reasons: [`${many}; reverse mode is cheaper`, TRUNCATED, costs] };
}

const TRUNCATED = 'what a parameter does through earlier windows is not seen (truncation)';

/** Operations that a derivative adds for each operation it passes: tangents, cotangents and tapes. */
const FORWARD_FACTOR = 2;
const REVERSE_FACTOR = 3;

function costOf(graph: Graph, nodes: ReadonlySet<NodeId>): number {
  let total = 0;
  for (const id of nodes) {
    const node = nodeOf(graph, id);
    if (isSignal(node)) total += (OPS[node.op].cost * node.shape) / node.hop;
  }
  return total;
}
