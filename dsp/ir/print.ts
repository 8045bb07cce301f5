/**
 * A graph as text, one node a line, for people, goldens and diffs.
 *
 * Invariant: the text is complete: two graphs that print alike are alike. Of a constant with more
 * than `MAX_PRINTED` lanes it shows the first few and a hash of all.
 */

import { ids, isDelay, nodeOf } from './graph.ts';
import type { Graph, Node, NodeId } from './graph.ts';
import { hashOf } from './lists.ts';
import { ATTR_DEFAULTS, OPS } from './ops.ts';
import type { OpSpec } from './ops.ts';

const SUFFIX = { const: '', block: '  @block', frame: '  @frame', sample: '  @sample' } as const;

/**
 * ```
 * stream {
 *   %0 = input channel=0  @sample
 *   %1 = const value=0.5
 *   %2 = mul %0 %1  @sample
 *   out0: %2
 * }
 * ```
 */
export function print(graph: Graph): string {
  const lines = ids(graph).map((id) => {
    const { rate } = nodeOf(graph, id);
    const names = graph.states.get(id);
    const state = names === undefined ? '' : ` state=${names.join()}`;
    return `  %${id} = ${printNode(graph, id)}${state}${SUFFIX[rate]}`;
  });
  const outputs = graph.outputs.map(({ name, node }) => `  ${name}: %${node}`);
  return [`${graph.domain} {`, ...lines, ...outputs, '}', ''].join('\n');
}

/** `mul %0 %2`: an operation, what it is computed from, and its attributes. */
export function printNode(graph: Graph, id: NodeId): string {
  const node = nodeOf(graph, id);
  const spec: OpSpec = OPS[node.op];
  const source = isDelay(node.op) ? [`%${graph.delays.get(id)}`] : [];
  const lanes = isDelay(node.op) && node.shape > 1 ? [`lanes=${node.shape}`] : [];
  const hop = isDelay(node.op) && node.hop > 1 ? [`hop=${node.hop}`] : [];
  const operands = node.args.map((a) => `%${a}`);
  return [node.op, ...source, ...operands, ...attributes(node, spec), ...lanes, ...hop].join(' ');
}

/** `name=value`; what has its usual value is left out, a vector is `value=1,2,3` or `value=1 lanes=3`. */
function attributes(node: Node, spec: OpSpec): string[] {
  if (spec.lanes === 'values') return [`value=${printList(node.attrs)}`];
  return spec.attrs.flatMap((name, i) =>
    node.attrs[i] === ATTR_DEFAULTS[name] ? [] : [`${name}=${printNumber(node.attrs[i]!)}`],
  );
}

const MAX_PRINTED = 4096;

function printList(values: readonly number[]): string {
  const [first = 0] = values;
  if (values.length > 1 && values.every((value) => Object.is(value, first))) {
    return `${printNumber(first)} lanes=${values.length}`;
  }
  if (values.length <= MAX_PRINTED) return values.map(printNumber).join();
  const few = values.slice(0, 4).map(printNumber).join();
  return `${few},…#${hashOf(values).toString(16)} lanes=${values.length}`;
}

const printNumber = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));
