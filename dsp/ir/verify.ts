/**
 * Checks the invariants of a graph that `graph.ts` states, and says which one is broken.
 *
 * Run after every pass in tests and once before code generation. A broken invariant is a mistake
 * of ours: `verify` throws, with the node and the pass that left it so. Cost: linear.
 */

import { fits, resultShape, resultType } from './builder.ts';
import { hasState, isDelay, isMemory, isReduction, isSignal, isTape } from './graph.ts';
import type { Graph } from './graph.ts';
import { OPS } from './ops.ts';
import type { OpSpec } from './ops.ts';

/** @param after  what made the graph, for the message: a pass or a transformation */
export function verify(graph: Graph, after: string): Graph {
  const broken = (at: string, what: string): never => {
    throw new Error(`IR broken after ${after}: ${at}: ${what}`);
  };
  const { nodes, delays, domain } = graph;
  const inRange = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < nodes.length;

  nodes.forEach((node, id) => {
    const at = `%${id} ${node.op}`;
    const spec: OpSpec = OPS[node.op];
    if (!fits(spec, node.args.length, node.attrs.length)) {
      broken(
        at,
        `expected ${spec.arity} operands and ${spec.attrs.length} attributes, got ${node.args.length} and ${node.attrs.length}`,
      );
    }
    node.args.forEach((arg) => {
      if (!inRange(arg) || arg >= id) broken(at, `operand %${arg} does not come before it`);
    });
    const type = resultType(
      node.op,
      node.args.map((a) => nodes[a]!.type),
    );
    if (type !== node.type) broken(at, `expected type ${type}, got ${node.type}`);
    const shapes = node.args.map((a) => nodes[a]!.shape);
    const shape = isDelay(node.op) ? node.shape : resultShape(node.op, shapes, node.attrs);
    if (shape !== node.shape) broken(at, `expected ${shape} lanes, got ${node.shape}`);
    if (domain === 'once' && node.rate === 'sample') broken(at, 'a signal in a graph without time');
    if (
      domain !== 'backward' &&
      (isReduction(node.op) || isTape(node.op) || node.op === 'framesT' || node.op === 'overlapT')
    ) {
      broken(at, 'belongs to a backward graph');
    }
    if (domain !== 'stream' && node.op === 'overlap') broken(at, 'belongs to a stream graph');
    if (domain !== 'once' && node.op === 'solve') broken(at, 'belongs to a graph without time');
    if (domain === 'backward' && node.op === 'frames' && !isTape(nodes[node.args[0]!]!.op)) {
      broken(at, 'looks back from a graph that runs backwards: only a tape knows what was before');
    }
    if (node.op === 'lineT' || node.op === 'rwtableT') {
      if (domain !== 'backward') broken(at, 'belongs to a backward graph');
    } else if (isMemory(node.op) && domain !== 'stream') broken(at, 'belongs to a stream graph');
    if (isMemory(node.op) && node.op !== 'rwtable') {
      const [size] = node.attrs;
      if (!Number.isInteger(size) || size! < 1) broken(at, `a memory of ${size} places`);
    }
    const [first] = node.args.map((a) => nodes[a]!);
    if (node.op === 'rwtable' && first?.op !== 'const')
      broken(at, 'starts with what is no constant');
    if (node.op === 'lookup' && first !== undefined && isSignal(first))
      broken(at, 'looks into a signal');
    if (isDelay(node.op)) {
      const source = delays.get(id as never);
      if (source === undefined || !inRange(source)) broken(at, 'has no source');
      else if (nodes[source]!.type !== node.type)
        broken(at, `its source is ${nodes[source]!.type}`);
      else if (nodes[source]!.shape !== node.shape)
        broken(at, `its source has ${nodes[source]!.shape} lanes, it has ${node.shape}`);
      const [frames] = node.attrs;
      const longest = domain === 'once' ? 1 : Infinity;
      if (!Number.isInteger(frames) || frames! < 1 || frames! > longest) {
        broken(at, `a delay of ${frames} frames`);
      }
      if (domain === 'backward' && node.attrs[1] !== 0) broken(at, 'a cotangent that starts');
    }
  });
  for (const id of delays.keys()) {
    if (!inRange(id) || !isDelay(nodes[id]!.op)) broken(`%${id}`, 'has a source but is no delay');
  }
  const states = new Set<string>();
  for (const [id, own] of graph.states) {
    if (!inRange(id) || !hasState(nodes[id]!.op)) broken(`%${id}`, 'names a state and has none');
    if (domain === 'backward') broken(`%${id}`, 'names a state that no run keeps');
    for (const name of own) {
      if (states.has(name)) broken(`%${id}`, `the state "${name}" stands twice`);
      states.add(name);
    }
  }
  const names = new Set<string>();
  for (const { name, node } of graph.outputs) {
    if (!inRange(node)) broken(`output ${name}`, `there is no node %${node}`);
    if (names.has(name)) broken(`output ${name}`, 'the name is used twice');
    names.add(name);
    const { type, shape } = nodes[node]!;
    if (name.startsWith('meter:') && (type !== 'real' || shape !== 1))
      broken(`output ${name}`, `expected a real number, got ${type} in ${shape} lanes`);
  }
  return graph;
}
