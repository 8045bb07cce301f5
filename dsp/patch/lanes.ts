/**
 * How many lanes every node of a patch has, and whether they fit.
 *
 * Operations that work lane by lane have the lanes of their operands, numbers meeting vectors; those
 * of `vectors.ts` say themselves. A recursion has the lanes of what is added to it; where nothing
 * tells, it is a number unless its `delay` says `lanes`.
 * Invariant: a patch without a diagnostic here lowers without a misfit.
 */

import { diagnostic, pathOf } from '../diagnostic.ts';
import type { Diagnostic } from '../diagnostic.ts';
import { OPS } from '../ir/ops.ts';
import type { OpKind } from '../ir/ops.ts';
import { takenBy } from '../learn/losses/table.ts';
import { isFunction } from './functions.ts';
import { termsOf } from './objective.ts';
import type { Operand } from './operand.ts';
import { lanesOfParam } from './params.ts';
import { inferRates } from './rates.ts';
import { MAX_FRAME, MAX_LANES } from './rule.ts';
import type { Patch, PatchNode } from './schema.ts';
import { operandsOf, settle } from './settle.ts';
import { isConstant, isVectorOp, ruleOf } from './vectors.ts';
import type { VectorNode } from './vectors.ts';

export type LanesOf = ReadonlyMap<string, number>;

/** All lanes of all nodes: bounds the code that is made of them. */
export const MAX_TOTAL = 2 ** 18;
/** Frames lie in memory, and their lanes share one loop: they count for so much less. */
export const FRAME_LANES = 16;

/** Lanes that are made one by one, each from several nodes: they count for so many. */
const UNROLLED = 16;

/** Nodes that move signals of any number of lanes. */
const MOVERS: ReadonlySet<string> = new Set(['delay', 'mem', 'align', 'runningSum', 'runningMean']);

/** Does it work lane by lane? */
const isLanewise = (op: string): boolean =>
  MOVERS.has(op) ||
  op === 'delayBy' ||
  isFunction(op) ||
  (Object.hasOwn(OPS, op) && OPS[op as OpKind].inPatch);

/** Tables have the lanes of their first operand: of an index, or of what is written. */
const isTable = (op: string): boolean => op === 'table' || op === 'rwTable';

/** Is it made lane by lane, for operands of so many lanes? */
const isUnrolled = ({ op }: PatchNode, [first = 1, second = 1]: readonly number[]): boolean =>
  (op === 'table' && first > 1) || (op === 'delayBy' && second > 1);

const isVectorNode = (node: PatchNode): node is VectorNode => isVectorOp(node.op);

/** Lanes of every node and control, as far as they can be told. */
export function inferLanes(patch: Patch): LanesOf {
  const known = new Map<string, number>();
  for (const id of Object.keys(patch.sliders)) known.set(id, 1);
  for (const [id, spec] of Object.entries(patch.params)) known.set(id, lanesOfParam(spec));
  const decide = (node: PatchNode): number | undefined => {
    const x = operandsOf(node).map((o) => (typeof o === 'number' ? 1 : known.get(o)));
    if (isVectorNode(node)) return ruleOf(node).lanes(node, x);
    if (node.op === 'delay' && node.lanes !== undefined) return node.lanes;
    if (isTable(node.op)) return x[0];
    if (node.op === 'noise') return node.lanes ?? 1;
    if (!isLanewise(node.op)) return 1;
    return x.find((n) => n !== undefined && n > 1) ?? (x.includes(undefined) ? undefined : 1);
  };
  settle(patch, known, decide, 1);
  return known;
}

/**
 * @returns       PATCH_SHAPE where operands do not fit, PATCH_TOO_LARGE where there are too many lanes
 */
export function checkLanes(patch: Patch): Diagnostic[] {
  const found: Diagnostic[] = [];
  const known = inferLanes(patch);
  const lanesOf = (operand: Operand): number =>
    typeof operand === 'number' ? 1 : (known.get(operand) ?? 1);
  const misfit = (path: readonly PropertyKey[], what: string, expected: string, got: number) => {
    const lanes = `${got} lane${got === 1 ? '' : 's'}`;
    found.push(
      diagnostic('PATCH_SHAPE', pathOf(path), `${what}: expected ${expected}, got ${lanes}`),
    );
  };
  let total = 0;
  const rates = inferRates(patch);
  for (const [id, node] of Object.entries(patch.nodes)) {
    const own = known.get(id) ?? 1;
    const x = operandsOf(node).map(lanesOf);
    if (!isConstant(node.op)) {
      const isFrame = (rates.get(id) ?? 0) > 1;
      total += isFrame ? own / FRAME_LANES : own * (isUnrolled(node, x) ? UNROLLED : 1);
      const most = isFrame ? MAX_FRAME + 2 : MAX_LANES;
      if (own > most) {
        const message = `a vector of too many lanes: expected at most ${most}, got ${own}`;
        found.push(diagnostic('PATCH_TOO_LARGE', pathOf(['nodes', id]), message));
        continue;
      }
    }
    if (isVectorNode(node)) {
      const wrong = ruleOf(node).misfit(node, x);
      if (wrong !== null) {
        const { operand, expected } = wrong;
        misfit(['nodes', id, 'in', operand], `lanes of "${node.op}"`, expected, x[operand]!);
      }
      continue;
    }
    x.forEach((lanes, k) => {
      const where = ['nodes', id, 'in', k];
      // What a table holds has lanes of its own.
      if (node.op === 'table' && k === 1) return;
      if (!isLanewise(node.op) && !(isTable(node.op) && k === 0)) {
        if (lanes !== 1) misfit(where, `"${node.op}" takes numbers`, '1 lane', lanes);
      } else if (lanes !== own && (lanes !== 1 || MOVERS.has(node.op))) {
        misfit(where, `lanes of "${node.op}"`, `${own} lane${own === 1 ? '' : 's'}`, lanes);
      }
    });
  }
  if (total > MAX_TOTAL) {
    const message = `all vectors together: expected at most ${MAX_TOTAL} lanes, got ${Math.ceil(total)}`;
    found.push(diagnostic('PATCH_TOO_LARGE', 'nodes', message));
  }
  const single = (path: readonly PropertyKey[], operand: Operand): void => {
    const lanes = lanesOf(operand);
    if (lanes !== 1) misfit(path, 'a signal of one number', '1 lane', lanes);
  };
  patch.outputs.forEach((operand, k) => single(['outputs', k], operand));
  for (const [id, spec] of Object.entries(patch.meters)) single(['meters', id, 'in'], spec.in);
  if (patch.training !== undefined) {
    for (const { estimate, target, loss, path } of termsOf(patch.training)) {
      if (takenBy(loss) === 'sound') {
        single([...path, 'estimate'], estimate);
        if (target !== null) single([...path, 'target'], target);
        continue;
      }
      if (target === null) continue;
      const [lanes, other] = [lanesOf(estimate), lanesOf(target)];
      // Frames stand beside numbers and constants: a vector that moves has no frames of its own.
      const isFramed = [estimate, target].some((id) => (rates.get(id) ?? 0) > 1);
      for (const [field, id] of Object.entries({ estimate, target })) {
        const isStill = rates.get(id) === 0 && !isConstant(patch.nodes[id]?.op ?? '');
        if (!isFramed || !isStill || lanesOf(id) === 1) continue;
        const what = `a vector beside frames, and no frame itself: expected frames, a constant or a number, got ${lanesOf(id)} lanes`;
        const hint = 'subtract them in the patch, and learn the mean with the loss "value"';
        found.push(diagnostic('PATCH_SHAPE', pathOf([...path, field]), what, hint));
      }
      const isFixed = [estimate, target].some((id) => lanesOf(id) === 1 && rates.get(id) === 0);
      if (lanes === other || isFixed) continue;
      misfit([...path, 'target'], 'lanes of estimate and target', `${lanes} lanes`, other);
    }
  }
  return found;
}
