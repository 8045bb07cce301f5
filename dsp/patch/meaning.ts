/**
 * Does a document of the right shape mean something? References, counts, ranges, loops, lanes, rates.
 *
 * Invariant: a patch without a diagnostic here lowers without a surprise, whatever the sample rate and
 * the device; later checks run only where the earlier ones found nothing, since they build on them.
 */

import { MAX_METERS } from '../control.ts';
import type { ControlSpec, MeterSpec } from '../control.ts';
import { diagnostic, nearest, pathOf, show } from '../diagnostic.ts';
import type { Diagnostic } from '../diagnostic.ts';
import { OPS } from '../ir/ops.ts';
import { FUNCTIONS, isFunction } from './functions.ts';
import { PROGRAM_SIGNAL } from './faust.ts';
import { checkLanes } from './lanes.ts';
import { PLAIN_OPS } from './names.ts';
import type { PlainOp } from './names.ts';
import { checkObjective, termsOf } from './objective.ts';
import type { Operand } from './operand.ts';
import { controlNames, lanesOfParam, wrongInitial } from './params.ts';
import type { ParamSpec } from './params.ts';
import { checkRates } from './rates.ts';
import type { Patch, PatchNode } from './schema.ts';
import { checkUi } from './ui.ts';
import { isVectorOp, operandRange } from './vectors.ts';

/** Limits that keep a hostile document from eating the host. */
const MAX_PARAMS = 100_000;
/** Names in a message: as many as a person reads. */
const SUGGESTIONS = 20;

/**
 * References, counts, ranges, loops, lanes and rates of a document of the right shape.
 *
 * What a Faust program has is known when it has been evaluated: until then references count as right.
 */
export function checkMeaning(patch: Patch): Diagnostic[] {
  const found: Diagnostic[] = [];
  const known = new Set([
    ...Object.keys(patch.sliders),
    ...Object.keys(patch.params),
    ...Object.keys(patch.nodes),
  ]);

  for (const kind of ['sliders', 'params'] as const) {
    for (const [id, spec] of Object.entries(patch[kind])) {
      checkControl(found, pathOf([kind, id]), spec);
      if (kind === 'params' && Object.hasOwn(patch.sliders, id))
        taken(found, 'params', id, 'sliders');
    }
  }
  for (const id of Object.keys(patch.nodes)) {
    if (Object.hasOwn(patch.sliders, id)) taken(found, 'nodes', id, 'sliders');
    if (Object.hasOwn(patch.params, id)) taken(found, 'nodes', id, 'params');
  }

  checkVectors(found, patch, known);

  const { faust } = patch;
  if (faust !== undefined && faust.program === undefined) {
    return patch.training === undefined ? found : [...found, ...checkObjective(patch.training)];
  }
  const isFaust = faust !== undefined;
  const kinds = isFaust ? 'output, input, slider or param' : 'node, slider or param';
  const refer = (path: string, operand: Operand): void => {
    if (typeof operand === 'number' || known.has(operand)) return;
    if (isFaust && PROGRAM_SIGNAL.test(operand)) return;
    // A search through all names each: only for as many as a person reads.
    const near = found.length < SUGGESTIONS ? nearest(operand, known) : undefined;
    found.push(
      diagnostic(
        'PATCH_UNKNOWN_REFERENCE',
        path,
        `nothing is called "${operand}": expected the id of a ${kinds}`,
        near === undefined ? undefined : `did you mean "${near}"?`,
      ),
    );
  };

  for (const [id, node] of Object.entries(patch.nodes)) {
    if (!('in' in node)) continue;
    const [fewest, most] = arityOf(node.op);
    if (node.in.length < fewest || node.in.length > most) {
      const count = fewest === most ? String(fewest) : `${fewest} to ${most}`;
      found.push(
        diagnostic(
          'PATCH_OPERAND_COUNT',
          pathOf(['nodes', id, 'in']),
          `"${node.op}" takes ${count} operand${count === '1' ? '' : 's'}, got ${node.in.length}`,
        ),
      );
    }
    node.in.forEach((operand, i) => refer(pathOf(['nodes', id, 'in', i]), operand));
    if (node.op === 'table' || node.op === 'rwTable') checkTable(found, id, node);
    if ('width' in node && node.width !== undefined && node.gradient !== 'sigmoid') {
      found.push(
        diagnostic(
          'PATCH_INVALID',
          pathOf(['nodes', id, 'width']),
          `the width of a sigmoid: expected "gradient": "sigmoid" with it, got ${show(node.gradient)}`,
        ),
      );
    }
  }
  patch.outputs.forEach((operand, i) => refer(pathOf(['outputs', i]), operand));
  checkMeters(found, patch, refer);
  if (patch.training !== undefined) {
    found.push(...checkObjective(patch.training));
    for (const { estimate, target, path } of termsOf(patch.training)) {
      refer(pathOf([...path, 'estimate']), estimate);
      if (target !== null) refer(pathOf([...path, 'target']), target);
    }
    checkGroups(found, patch);
    const { mode } = patch.training;
    const forward = typeof mode === 'string' ? [] : mode.forward;
    forward.forEach((id, i) => {
      if (Object.hasOwn(patch.params, id)) return;
      const near = nearest(id, Object.keys(patch.params));
      found.push(
        diagnostic(
          'PATCH_UNKNOWN_REFERENCE',
          pathOf(['training', 'mode', 'forward', i]),
          `no param is called "${id}": expected one of ${Object.keys(patch.params).slice(0, SUGGESTIONS).join(', ')}`,
          near === undefined ? undefined : `did you mean "${near}"?`,
        ),
      );
    });
  }
  checkExpectations(found, patch, refer);
  checkVariation(found, patch);
  if (patch.ui !== undefined) {
    const controls = new Set([...Object.keys(patch.sliders), ...Object.keys(patch.params)]);
    found.push(...checkUi(patch.ui, controls, new Set(Object.keys(patch.meters))));
  }
  if (isFaust) return found;
  if (found.length === 0) checkLoops(found, patch);
  if (found.length === 0) found.push(...checkLanes(patch));
  return found.length > 0 ? found : checkRates(patch);
}

/** What is shown is there, in a range that can be drawn. */
function checkMeters(
  found: Diagnostic[],
  { meters, faust }: Patch,
  refer: (path: string, operand: Operand) => void,
): void {
  const entries = Object.entries(meters);
  if (entries.length > MAX_METERS) {
    const message = `too many meters: expected at most ${MAX_METERS}, got ${entries.length}`;
    found.push(diagnostic('PATCH_TOO_LARGE', 'meters', message));
    return;
  }
  for (const [id, spec] of entries) {
    const path = pathOf(['meters', id]);
    // A bargraph of a Faust program has no other name than that of its meter.
    if (faust === undefined || spec.in !== id) refer(`${path}.in`, spec.in);
    checkRange(found, path, spec);
  }
}

/** What must be learned is there, and so is what it is compared with. */
function checkExpectations(
  found: Diagnostic[],
  patch: Patch,
  refer: (path: string, operand: Operand) => void,
): void {
  const controls = new Set(
    Object.entries(patch.params).flatMap(([id, spec]) => controlNames(id, spec)),
  );
  const sliders = new Set(Object.keys(patch.sliders));
  const among = (path: string, kind: string, id: string, names: ReadonlySet<string>): void => {
    if (names.has(id)) return;
    const some = [...names].slice(0, SUGGESTIONS).join(', ') || 'none';
    found.push(
      diagnostic(
        'PATCH_UNKNOWN_REFERENCE',
        path,
        `no ${kind} is called "${id}": expected one of ${some}`,
      ),
    );
  };
  patch.expect.forEach(({ param, signal, value }, i) => {
    const at = (field: string): string => pathOf(['expect', i, field]);
    if ((param === undefined) === (signal === undefined)) {
      const got = param === undefined ? 'neither' : 'both';
      const message = `what is expected: expected "param" or "signal", got ${got}`;
      found.push(diagnostic('PATCH_INVALID', pathOf(['expect', i]), message));
    }
    if (param !== undefined) among(at('param'), 'param', param, controls);
    if (signal !== undefined) refer(at('signal'), signal);
    if (typeof value === 'string') among(at('value'), 'slider', value, sliders);
  });
}

/** What varies is a control, and stays within its range. */
function checkVariation(found: Diagnostic[], { vary = {}, sliders, params }: Patch): void {
  for (const [id, [from, to]] of Object.entries(vary)) {
    const spec = Object.hasOwn(sliders, id)
      ? sliders[id]
      : Object.hasOwn(params, id)
        ? params[id]
        : undefined;
    const path = pathOf(['vary', id]);
    if (spec === undefined) {
      const message = `nothing to vary is called "${id}": expected the id of a slider or param`;
      found.push(diagnostic('PATCH_UNKNOWN_REFERENCE', path, message));
    } else if (!(spec.min <= from && from <= to && to <= spec.max)) {
      const message = `expected a range within ${spec.min} to ${spec.max}, got ${from} to ${to}`;
      found.push(diagnostic('PATCH_CONTROL_RANGE', path, message));
    }
  }
}

/** Where a table's values come from is said once. */
function checkTable(
  found: Diagnostic[],
  id: string,
  node: Extract<PatchNode, { op: 'table' | 'rwTable' }>,
): void {
  const has = (field: string): boolean => Object.hasOwn(node, field);
  const isWave = node.op === 'table';
  const other = isWave ? ['waveform', 'size'] : ['size'];
  const isLearnt = isWave && node.in.length > 1;
  const ways = [isLearnt, has('values'), other.some(has)].filter(Boolean).length;
  if (ways === 1 && (!other.some(has) || other.every(has))) return;
  const wanted = isWave
    ? 'a vector as in[1], "values", or "waveform" and "size"'
    : '"values" or "size"';
  const given = ['values', ...other].filter(has).map((field) => `"${field}"`);
  if (isLearnt) given.unshift('in[1]');
  found.push(
    diagnostic(
      'PATCH_INVALID',
      pathOf(['nodes', id]),
      `what is in the table: expected ${wanted}, got ${given.join(' and ') || 'nothing'}`,
    ),
  );
}

/** Starting values of vectors, and names that their numbers take from others. */
function checkVectors(found: Diagnostic[], patch: Patch, known: ReadonlySet<string>): void {
  let total = 0;
  for (const [id, spec] of Object.entries(patch.params)) {
    total += lanesOfParam(spec);
    const wrong = wrongInitial(spec);
    if (wrong !== null)
      found.push(diagnostic('PATCH_INVALID', pathOf(['params', id, 'initial']), wrong));
    if (spec.size === undefined) continue;
    const name = controlNames(id, spec).find((one) => known.has(one));
    if (name === undefined) continue;
    const kind = (['sliders', 'params', 'nodes'] as const).find((k) =>
      Object.hasOwn(patch[k], name),
    )!;
    taken(found, kind, name, `params: it is a number of the vector "${id}"`);
  }
  if (total > MAX_PARAMS) {
    const message = `too many learnable numbers: expected at most ${MAX_PARAMS}, got ${total}`;
    found.push(diagnostic('PATCH_TOO_LARGE', 'params', message));
  }
}

/** Groups hold parameters, each at most one. */
function checkGroups(found: Diagnostic[], { params, training }: Patch): void {
  const grouped = new Map<string, string>();
  for (const [name, group] of Object.entries(training?.groups ?? {})) {
    group.params.forEach((id, k) => {
      const path = pathOf(['training', 'groups', name, 'params', k]);
      const other = grouped.get(id);
      if (!Object.hasOwn(params, id)) {
        const near = nearest(id, Object.keys(params));
        found.push(
          diagnostic(
            'PATCH_UNKNOWN_REFERENCE',
            path,
            `no param is called "${id}": expected the id of one`,
            near === undefined ? undefined : `did you mean "${near}"?`,
          ),
        );
      } else if (other !== undefined) {
        found.push(diagnostic('PATCH_NAME_TAKEN', path, `"${id}" is already in group "${other}"`));
      }
      grouped.set(id, name);
    });
  }
}

/** Fewest and most operands; any for an operation whose schema counts them itself. */
function arityOf(op: string): readonly [number, number] {
  if (isVectorOp(op)) return operandRange(op);
  if (isFunction(op)) return [FUNCTIONS[op].arity, FUNCTIONS[op].arity];
  if (!(PLAIN_OPS as readonly string[]).includes(op)) return [0, Infinity];
  const { arity } = OPS[op as PlainOp];
  return [arity, arity];
}

function taken(found: Diagnostic[], kind: string, id: string, other: string): void {
  found.push(
    diagnostic('PATCH_NAME_TAKEN', pathOf([kind, id]), `"${id}" is already used in ${other}`),
  );
}

/** Is there something from `min` to `max`? And can it be drawn as it is to be? */
function checkRange(found: Diagnostic[], path: string, spec: ControlSpec | MeterSpec): boolean {
  const { min, max, scale } = spec;
  const isRange = min < max;
  if (!isRange) {
    const message = `the range is empty: expected max > min (${min}), got ${max}`;
    found.push(diagnostic('PATCH_CONTROL_RANGE', `${path}.max`, message));
  }
  if (scale === 'log' && min <= 0) {
    const message = `a logarithmic scale needs min > 0, got ${min}`;
    found.push(diagnostic('PATCH_CONTROL_RANGE', `${path}.min`, message));
  }
  return isRange;
}

function checkControl(found: Diagnostic[], path: string, spec: ControlSpec | ParamSpec): void {
  const add = (field: string, message: string): void => {
    found.push(diagnostic('PATCH_CONTROL_RANGE', `${path}.${field}`, message));
  };
  if (checkRange(found, path, spec)) {
    const { initial } = spec;
    const values = typeof initial === 'number' ? [initial] : 'init' in initial ? [] : initial;
    values.forEach((value, k) => {
      if (value >= spec.min && value <= spec.max) return;
      const field = typeof initial === 'number' ? 'initial' : `initial[${k}]`;
      add(field, `expected a value from ${spec.min} to ${spec.max}, got ${value}`);
    });
  }
  if (spec.learn === 'log' && spec.min <= 0) {
    add('min', `a parameter that learns as a logarithm needs min > 0, got ${spec.min}`);
  }
}

/** What a node needs in the same sample: a delay needs nothing. */
function instantOperands(node: PatchNode): readonly Operand[] {
  return 'in' in node && node.op !== 'delay' && node.op !== 'mem' ? node.in : [];
}

function checkLoops(found: Diagnostic[], patch: Patch): void {
  const done = new Set<string>();
  for (const start of Object.keys(patch.nodes)) {
    if (done.has(start)) continue;
    // Depth first with an own stack: a patch may be deeper than the call stack.
    const trail: { id: string; next: number }[] = [{ id: start, next: 0 }];
    const onTrail = new Set([start]);
    for (let top = trail.at(-1); top !== undefined; top = trail.at(-1)) {
      const node = patch.nodes[top.id];
      const operand = node === undefined ? undefined : instantOperands(node)[top.next++];
      if (operand === undefined) {
        done.add(top.id);
        onTrail.delete(top.id);
        trail.pop();
      } else if (
        typeof operand === 'string' &&
        Object.hasOwn(patch.nodes, operand) &&
        !done.has(operand)
      ) {
        if (onTrail.has(operand)) {
          const ring = [
            ...trail.map((t) => t.id).slice(trail.findIndex((t) => t.id === operand)),
            operand,
          ];
          found.push(
            diagnostic(
              'PATCH_INSTANT_LOOP',
              pathOf(['nodes', operand]),
              `a loop without a delay: ${ring.join(' → ')}`,
              'put a "delay" of at least one frame into the loop',
            ),
          );
          return;
        }
        trail.push({ id: operand, next: 0 });
        onTrail.add(operand);
      }
    }
  }
}
