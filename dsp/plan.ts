/**
 * Lowered patch → Program: chooses the differentiation mode, differentiates, adds the optimiser and
 * runs the passes. The last hop before code.
 *
 * Mode `auto` compares rough costs per sample of both modes. Where a derivative passes through
 * memory, forward mode is exact over all time and reverse mode sees one window, so forward mode is
 * taken up to `FORWARD_BONUS` times the cost of reverse mode.
 */

import { activity, hasMemory } from './ad/active.ts';
import { differentiate, objectiveActivity, signalsOf, tangentGroups } from './ad/gradient.ts';
import type { Objective, Way } from './ad/gradient.ts';
import { paramNodes } from './ad/jvp.ts';
import type { Control, Meter } from './control.ts';
import { diagnostic, fail, ok, pathOf } from './diagnostic.ts';
import type { Result } from './diagnostic.ts';
import { isDelay, isSignal, nodeOf } from './ir/graph.ts';
import type { Graph, NodeId, Output } from './ir/graph.ts';
import { OPS } from './ir/ops.ts';
import { comparedName } from './ir/program.ts';
import type { COMPARED, GraphName, Program } from './ir/program.ts';
import { lossOf, wrongOptions, wrongWindow } from './learn/losses/table.ts';
import { guardsOf } from './learn/guards.ts';
import type { Lowered } from './patch/lower.ts';
import { termsOf } from './patch/objective.ts';
import { bankOf, placesOfParams } from './patch/params.ts';
import type { Patch, Training } from './patch/schema.ts';
import { optimise } from './passes/pipeline.ts';
import { updateGraph } from './learn/optimisers/update.ts';
import { measuresOf, rememberedParams, wrongRows, wrongTraining } from './measures.ts';

const FORWARD_BONUS = 2;
/** Bounds the memory of a compilation that the patch forces into forward mode: four lanes each. */
const MAX_TANGENTS = 1_000_000;
/** Bounds what slices of long vectors become in reverse mode: four lanes each. */
const MAX_PLACED = 250_000;
const NAMED_OBSTACLES = 20;

export type Mode = Training['mode'];

/** For those who look on: nothing that they do changes what comes out. */
export interface Watch {
  /** A phase of the compilation is over. */
  readonly done?: (phase: 'lower' | 'differentiate' | 'passes' | 'generate' | 'encode') => void;
  /** A graph as it comes to the passes (null), and after each of them. */
  readonly pass?: (name: GraphName, pass: string | null, graph: Graph) => void;
}

export function plan(
  patch: Patch,
  lowered: Lowered,
  mode: Mode,
  watch: Watch = {},
): Result<Program> {
  const improve = (name: GraphName, made: Graph): Graph => {
    watch.pass?.(name, null, made);
    return optimise(made, (changed, pass) => watch.pass?.(name, pass, changed));
  };
  const named = (controls: Patch['sliders']): Control[] =>
    Object.entries(controls).map(([id, spec]) => ({ ...spec, id }));
  const { training } = patch;
  const base = {
    name: patch.name,
    precision: patch.precision ?? 'single',
    throughDevice: lowered.throughDevice,
    inputs: lowered.inputs,
    outputs: patch.outputs.length,
    sliders: named(patch.sliders),
    params: bankOf(patch.params, patch.training?.groups),
    meters: shownIn(patch),
    guards: guardsOf(training?.guards, training !== undefined && measuresOf(training).length > 0),
  };
  const { terms, graph, sampleRate } = lowered;
  if (training === undefined || terms.length === 0) {
    watch.done?.('differentiate');
    const stream = improve('stream', graph);
    watch.done?.('passes');
    return ok({
      ...base,
      stream,
      loss: null,
      backward: null,
      update: null,
      window: 0,
      carry: 0,
      mode: 'none',
      reasons: ['the patch has no training'],
    });
  }

  for (const { estimate, target, loss, path } of terms) {
    const invalid = wrongOptions(loss, sampleRate);
    if (invalid !== null) {
      return fail(diagnostic('PATCH_SIGNAL_RANGE', pathOf([...path, 'loss']), invalid));
    }
    const misfit = wrongWindow(loss, training.window, sampleRate);
    if (misfit !== null) return fail(diagnostic('PATCH_SIGNAL_RANGE', 'training.window', misfit));
    if (estimate !== target) continue;
    const message = `estimate and target are the same signal: the loss is 0 whatever the parameters are`;
    return fail(diagnostic('PATCH_NOTHING_TO_LEARN', pathOf([...path, 'target']), message));
  }
  const measures = measuresOf(training);
  const unfit = wrongTraining(training, base.params.length);
  if (unfit.length > 0) return fail(...unfit);
  const objective: Objective = {
    terms: terms.map((term) => ({ ...term, loss: lossOf(term.loss, sampleRate) })),
    window: training.window,
    params: base.params.length,
    names: base.params.map((p) => p.id),
    measures,
  };
  const { active, obstacles } = objectiveActivity(graph, objective);
  if (obstacles.length > 0) {
    return fail(
      ...obstacles.map(({ node, reason }, k) => {
        // A search through the graph each: only for as many as a person reads.
        const [learnt] = k < NAMED_OBSTACLES ? namesBehind(graph, node, base.params) : [];
        const which = learnt === undefined ? 'a learnable parameter' : `the parameter "${learnt}"`;
        return diagnostic(
          'PATCH_NOT_DIFFERENTIABLE',
          lowered.origin.get(node) ?? 'nodes',
          `${which} reaches "${nodeOf(graph, node).op}", which has no gradient: ${reason}`,
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
          : `no parameter has a gradient at ${signalNames(training)}: expected at least one of ${Object.keys(patch.params).join(', ')}`,
      ),
    );
  }

  const choice = choose(
    graph,
    objective,
    active,
    typeof mode === 'string' ? mode : namesIn(patch, mode),
  );
  if (measures.length > 0) {
    const { kind } = training.optimiser;
    const reversed = learnable.filter((id) => choice.wayOf(id) === 'reverse');
    const nameOf = (place: number): string => base.params[place]!.id;
    const signals = signalsOf(objective);
    const unknown = wrongRows(graph, kind, { reversed, signals, nameOf });
    if (unknown.length > 0) return fail(...unknown);
  }
  const fours = (id: NodeId): number => Math.ceil(nodeOf(graph, id).shape / 4);
  const ofAll = [...choice.forward].reduce((sum, id) => sum + fours(id), 0);
  const tangents = tangentGroups(graph, choice.forward).length * ofAll;
  if (tangents > MAX_TANGENTS) {
    return fail(
      diagnostic(
        'PATCH_TOO_LARGE',
        'training.mode',
        `forward mode needs a tangent per parameter and operation: expected at most ${MAX_TANGENTS}, got up to ${tangents}`,
        'use "reverse" or "auto"',
      ),
    );
  }
  const { way } = choice;
  // The cotangent of a slice is a vector as long as what it is a slice of.
  const slices = [...active].filter((id) => nodeOf(graph, id).op === 'slice');
  const placed = slices.reduce((sum, id) => sum + fours(nodeOf(graph, id).args[0]!), 0);
  if (way !== 'forward' && placed > MAX_PLACED) {
    return fail(
      diagnostic(
        'PATCH_TOO_LARGE',
        'nodes',
        `reverse mode needs all lanes of a vector for each of its slices: expected at most ${4 * MAX_PLACED} together, got ${4 * placed}`,
        'take fewer slices of shorter vectors, or use "forward"',
      ),
    );
  }
  // Where nothing goes backwards through time there is nothing to carry over.
  const isLocal = way === 'forward' || measures.length > 0 || !hasMemory(graph, active);
  const carried = isLocal ? 0 : (training.carry ?? 0);
  const hops = new Set(graph.nodes.map(({ hop }) => hop).filter((hop) => hop > 1));
  for (const hop of hops) {
    for (const [name, length] of [
      ['window', training.window],
      ['carry', carried],
    ] as const) {
      if (length % hop === 0) continue;
      return fail(
        diagnostic(
          'PATCH_SIGNAL_RANGE',
          `training.${name}`,
          `frames must not be divided by the training window: expected a multiple of the hop of ${hop} samples, got ${length}`,
        ),
      );
    }
  }
  const reach = training.window + carried;
  const blind = way === 'forward' ? [] : unseenDelays(graph, active, reach);
  const seen = { ...graph, outputs: [...graph.outputs, ...comparedIn(graph, terms[0]!)] };
  const made = differentiate(seen, { ...objective, carry: carried }, active, choice.wayOf);
  const stepOf = (isFree: boolean): Graph =>
    updateGraph(training.optimiser, base.params, training.window, isFree);
  watch.done?.('differentiate');
  const graphs = {
    stream: improve('stream', made.stream),
    loss: made.loss === null ? null : improve('loss', made.loss),
    backward: improve('backward', made.backward),
    update: improve('update', stepOf(false)),
    freeUpdate: optimise(stepOf(true)),
  };
  watch.done?.('passes');
  return ok({
    ...base,
    ...graphs,
    measures,
    window: training.window,
    every: training.every ?? 1,
    carry: carried,
    mode: way,
    idle: idleOf(graph, active, base.params),
    reasons: [...choice.reasons, ...blind],
  });
}

/** What a term compares, where that is one number of every sample. */
function comparedIn(
  graph: Graph,
  { estimate, target }: Pick<Lowered['terms'][number], (typeof COMPARED)[number]>,
): Output[] {
  const isSeen = (id: NodeId): boolean => {
    const { shape, hop } = nodeOf(graph, id);
    return shape === 1 && hop <= 1;
  };
  if (!isSeen(estimate) || (target !== null && !isSeen(target))) return [];
  const seen = [{ name: comparedName('estimate'), node: estimate }];
  return target === null ? seen : [...seen, { name: comparedName('target'), node: target }];
}

/** Meters without what they show, which is an output of the graph. */
const shownIn = ({ meters }: Patch): Meter[] =>
  Object.entries(meters).map(([id, { min, max, unit, scale, doc }]) => ({
    id,
    min,
    max,
    ...(unit === undefined ? {} : { unit }),
    ...(scale === undefined ? {} : { scale }),
    ...(doc === undefined ? {} : { doc }),
  }));

/** Parameters that pass a derivative to a node. */
function namesBehind(graph: Graph, node: NodeId, params: readonly Control[]): string[] {
  const nodes = paramNodes(graph);
  const { active } = activity(graph, [...nodes.values()], [node]);
  return [...nodes].flatMap(([place, id]) => (active.has(id) ? [params[place]!.id] : []));
}

/** Parameters whose gradient is 0, whatever their values and the signals are. */
function idleOf(graph: Graph, active: ReadonlySet<NodeId>, params: readonly Control[]): string[] {
  const reached = new Set<number>();
  for (const [place, id] of paramNodes(graph)) {
    if (!active.has(id)) continue;
    for (let lane = 0; lane < nodeOf(graph, id).shape; lane++) reached.add(place + lane);
  }
  return params.flatMap(({ id }, place) => (reached.has(place) ? [] : [id]));
}

/** What the loss compares, for messages. */
function signalNames(training: Training): string {
  const names = termsOf(training).flatMap(({ estimate, target }) => [estimate, target ?? estimate]);
  return [...new Set(names)].map((name) => `"${name}"`).join(' or ');
}

/** Delays longer than the window pass no gradient in reverse mode: worth a word. */
function unseenDelays(graph: Graph, active: ReadonlySet<NodeId>, window: number): string[] {
  const lengths = [...active].flatMap((id) => {
    const node = nodeOf(graph, id);
    const frames = isDelay(node.op) ? node.attrs[0]! * node.hop : 0;
    return frames >= window ? [frames] : [];
  });
  if (lengths.length === 0) return [];
  const longest = lengths.reduce((a, b) => Math.max(a, b));
  return [
    `no gradient passes through a delay as long as the window of ${window} frames (the longest has ${longest}): use a longer window or forward mode`,
  ];
}

interface Choice {
  readonly way: 'forward' | 'reverse' | 'mixed';
  readonly wayOf: (param: NodeId) => Way;
  /** What the derivatives of the parameters in forward mode pass through. */
  readonly forward: ReadonlySet<NodeId>;
  /** Sentences. */
  readonly reasons: readonly string[];
}

/** Places in the bank of the parameters that a patch names for forward mode. */
interface Named {
  readonly places: ReadonlySet<number>;
  readonly names: string;
}

function namesIn(patch: Patch, { forward }: { readonly forward: readonly string[] }): Named {
  const places = placesOfParams(patch.params);
  return { places: new Set(forward.map((id) => places.get(id)!)), names: forward.join(', ') };
}

/** Tangents of at most this many parameters are considered at all. */
const FORWARD_PARAMS = 256;

/**
 * Decides by counting: nothing is differentiated to find out what it would cost. Parameters that are
 * numbers are a group, vectors another: a filter's settings may go forward, exact over all time,
 * while the weights of a network in front of it go backwards.
 */
function choose(
  graph: Graph,
  objective: Objective,
  active: ReadonlySet<NodeId>,
  mode: 'auto' | 'forward' | 'reverse' | Named,
): Choice {
  const params = [...paramNodes(graph).values()].filter((id) => active.has(id));
  const signals = signalsOf(objective);
  const through = (some: readonly NodeId[]): ReadonlySet<NodeId> =>
    some.length === 0 ? new Set() : activity(graph, some, signals).active;
  const choice = (forward: readonly NodeId[], reasons: readonly string[]): Choice => {
    const chosen = new Set(forward);
    const way = chosen.size === 0 ? 'reverse' : chosen.size === params.length ? 'forward' : 'mixed';
    const wayOf = (param: NodeId): Way => (chosen.has(param) ? 'forward' : 'reverse');
    return { way, wayOf, forward: through(forward), reasons };
  };
  const lanes = (some: readonly NodeId[]): number =>
    some.reduce((sum, id) => sum + nodeOf(graph, id).shape, 0);
  const named = (count: number): string => `${count} parameter${count === 1 ? '' : 's'}`;
  const all = named(lanes(params));

  if (typeof mode === 'object') {
    const forward = [...paramNodes(graph)].flatMap(([place, id]) =>
      mode.places.has(place) && active.has(id) ? [id] : [],
    );
    const rest = params.length > forward.length ? ', all others in reverse' : '';
    return choice(forward, [`${mode.names} in forward mode${rest}, as the patch asks`]);
  }
  if (mode !== 'auto') {
    return choice(mode === 'forward' ? params : [], [`${mode} mode, as the patch asks`]);
  }
  const reverseCost = REVERSE_FACTOR * costOf(graph, active);
  if (!hasMemory(graph, active)) {
    return choice(
      [],
      [
        `${all}; no derivative passes through a delay, so reverse mode is exact`,
        `about ${reverseCost} operations per sample for the gradient`,
      ],
    );
  }
  if ((objective.measures ?? []).length > 0) {
    const remembered = rememberedParams(graph, params, signals);
    const count = lanes(remembered);
    return choice(remembered, [
      `${all}; the optimiser wants to know what each sample says of each of them`,
      `${named(count)} with memory behind ${count === 1 ? 'it' : 'them'} in forward mode, exact over all time`,
    ]);
  }
  const limit = FORWARD_BONUS * reverseCost;
  const forwardCost = (some: readonly NodeId[]): number => {
    let cost = 0;
    for (const group of tangentGroups(graph, through(some))) {
      if (cost > limit) break;
      cost += FORWARD_FACTOR * costOf(graph, through(group.map(({ node }) => node)));
    }
    return cost;
  };
  const numbers = params.filter((id) => nodeOf(graph, id).shape === 1);
  const cost = lanes(params) > FORWARD_PARAMS ? Infinity : forwardCost(params);
  const atLeast = cost <= limit ? 'about' : 'more than';
  const costs =
    cost === Infinity
      ? `${all}: too many for forward mode`
      : `${atLeast} ${cost} operations per sample forward, about ${reverseCost} reverse`;
  if (cost <= limit) {
    return choice(params, [`${all}; forward mode is exact through recursion over all time`, costs]);
  }
  const isMixable = numbers.length > 0 && numbers.length < params.length;
  if (isMixable && numbers.length <= FORWARD_PARAMS && hasMemory(graph, through(numbers))) {
    const own = forwardCost(numbers);
    if (own <= limit) {
      return choice(numbers, [
        `${named(numbers.length)} in forward mode, exact over all time; about ${own} operations per sample`,
        `the vectors of ${named(lanes(params) - numbers.length)} in reverse mode`,
        TRUNCATED,
        costs,
      ]);
    }
  }
  return choice([], [`${all}; reverse mode is cheaper`, TRUNCATED, costs]);
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
