/**
 * Makes graphs: the only place where nodes come into being.
 *
 * Invariant: equal nodes are one node (hash-consing, so common subexpressions never stand twice);
 * type, rate and lanes of a node follow from its operands, and a node whose operands do not fit
 * throws, because whoever builds has checked the user's document before. It simplifies nothing: that is a
 * pass.
 */

import {
  hasState,
  isDelay,
  isFraming,
  isMemory,
  isOverlap,
  isReduction,
  isTape,
  nodeOf,
} from './graph.ts';
import type { Domain, Graph, Node, NodeId, Output, Rate } from './graph.ts';
import { Interning } from './interning.ts';
import { areEqual, hashOf, kept, mixed } from './lists.ts';
import { ATTR_DEFAULTS, OPS } from './ops.ts';
import type { OpKind, OpSpec, ValueType } from './ops.ts';

const RATES: readonly Rate[] = ['const', 'block', 'frame', 'sample'];

/** Rate of each leaf; everything else is as fast as its fastest operand. */
const LEAF_RATE = {
  const: 'const',
  constInt: 'const',
  input: 'sample',
  slider: 'block',
  param: 'block',
  scalar: 'block',
} as const satisfies Partial<Record<OpKind, Rate>>;

export class Builder {
  readonly domain: Domain;
  readonly nodes: Node[] = [];
  readonly #delays = new Map<NodeId, NodeId>();
  readonly #known = new Interning();
  readonly #open = new Set<NodeId>();
  readonly #states = new Map<NodeId, readonly string[]>();
  /** Of the operands of the node that is being added. */
  readonly #types: ValueType[] = [];
  readonly #shapes: number[] = [];
  /** Names the states that are made, and counts them. */
  #scope: { readonly name: string; count: number } | null = null;

  constructor(domain: Domain) {
    this.domain = domain;
  }

  /** A builder that goes on where `graph` ends; its node ids stay valid. */
  static from(graph: Graph): Builder {
    const builder = new Builder(graph.domain);
    graph.nodes.forEach((node, id) => {
      const [frames = 1, init = 0] = node.attrs;
      const made = isDelay(node.op)
        ? builder.feedback(node.type, frames, init, node.shape, node.hop)
        : builder.node(node.op, node.args, node.attrs);
      if (made !== id) throw new Error(`node ${id} stands twice in the graph, first as ${made}`);
    });
    for (const [id, source] of graph.delays) builder.close(id, source);
    for (const [id, names] of graph.states) builder.nameState(id, names);
    return builder;
  }

  /**
   * Builds with names for states: `name#0`, `name#1`, … in the order in which they are asked for.
   * One that is there already, as another part of the graph asked for the same, gets the name too.
   */
  within<T>(name: string, build: () => T): T {
    const outer = this.#scope;
    this.#scope = { name, count: 0 };
    try {
      return build();
    } finally {
      this.#scope = outer;
    }
  }

  /** Gives names to the state of a node, besides those that it has. */
  nameState(id: NodeId, names: readonly string[]): void {
    const known = this.#states.get(id) ?? [];
    const more = names.filter((name) => !known.includes(name));
    if (more.length > 0) this.#states.set(id, [...known, ...more]);
  }

  /** The node of this operation, operands and attributes: an old one if there is one. */
  node(op: OpKind, args: readonly NodeId[] = [], attrs: readonly number[] = []): NodeId {
    if (isDelay(op)) throw new Error('delays are made by delay() and feedback()');
    const all = withDefaults(op, attrs);
    const hash = hashOfNode(op, args, all);
    const known = this.#known.find(hash, (id) => {
      const node = this.nodes[id]!;
      return node.op === op && areEqual(node.args, args) && areEqual(node.attrs, all);
    });
    const id = known ?? this.#add(op, args, all);
    if (known === undefined) this.#known.add(hash, id);
    return hasState(op) ? this.#named(id) : id;
  }

  /** A real constant. */
  real(value: number): NodeId {
    return this.node('const', [], [value]);
  }

  /** A real constant in every lane of a vector. */
  filled(value: number, lanes: number): NodeId {
    return this.node('const', [], new Array<number>(lanes).fill(value));
  }

  /** A 32-bit integer constant. */
  int(value: number): NodeId {
    return this.node('constInt', [], [value | 0]);
  }

  /**
   * `source`, `frames` samples ago; `init` before the first. Frames are delayed by as many frames.
   * @param hop  of the delay where the source is no signal
   */
  delay(source: NodeId, frames: number, init = 0, hop = 1): NodeId {
    const type = this.type(source);
    const own = this.hop(source) || hop;
    const op = type === 'int' ? 'delayInt' : 'delay';
    const attrs = [frames, init];
    const hash = mixed(hashOfNode(op, [source], attrs), own);
    const known = this.#known.find(hash, (id) => {
      const node = this.nodes[id]!;
      const isDelayOf = node.op === op && this.#delays.get(id) === source;
      return isDelayOf && (node.hop || own) === own && areEqual(node.attrs, attrs);
    });
    if (known !== undefined) return this.#named(known);
    const id = this.#add(op, [], attrs, this.shape(source), own);
    this.#known.add(hash, id);
    this.#delays.set(id, source);
    return this.#named(id);
  }

  /** A delay whose source comes later, by `close`: this is how recursion is written. */
  feedback(type: ValueType, frames: number, init = 0, lanes = 1, hop = 1): NodeId {
    const op = type === 'int' ? 'delayInt' : 'delay';
    const id = this.#add(op, [], [frames, init], lanes, hop);
    this.#open.add(id);
    return this.#named(id);
  }

  /** Gives a feedback delay its source. */
  close(delay: NodeId, source: NodeId): void {
    if (!this.#open.delete(delay)) throw new Error(`node ${delay} is not an open feedback delay`);
    if (this.type(source) !== this.type(delay)) {
      throw new Error(`delay ${delay} is ${this.type(delay)}, its source ${this.type(source)}`);
    }
    if (this.shape(source) !== this.shape(delay)) {
      throw new Error(
        `delay ${delay} has ${this.shape(delay)} lanes, its source ${this.shape(source)}`,
      );
    }
    const hop = nodeOf(this, source).hop;
    if (hop > 0 && hop !== nodeOf(this, delay).hop && this.domain !== 'once') {
      throw new Error(`delay ${delay} is of another rate than its source ${source}`);
    }
    this.#delays.set(delay, source);
  }

  /** The graph built so far. Every feedback delay must be closed. */
  finish(outputs: readonly Output[]): Graph {
    if (this.#open.size > 0) {
      throw new Error(`feedback delays without a source: ${[...this.#open].join(', ')}`);
    }
    return {
      domain: this.domain,
      nodes: this.nodes.slice(),
      delays: new Map(this.#delays),
      states: new Map(this.#states),
      outputs: outputs.slice(),
    };
  }

  /** What a delay remembers; undefined while that is open. */
  sourceOf(delay: NodeId): NodeId | undefined {
    return this.#delays.get(delay);
  }

  type(id: NodeId): ValueType {
    return nodeOf(this, id).type;
  }

  rate(id: NodeId): Rate {
    return nodeOf(this, id).rate;
  }

  shape(id: NodeId): number {
    return nodeOf(this, id).shape;
  }

  /** Samples from one value to the next; 0 for what is no signal. */
  hop(id: NodeId): number {
    return nodeOf(this, id).hop;
  }

  /** The value of a constant that is the same in all lanes, or undefined. */
  constant(id: NodeId): number | undefined {
    const { op, attrs } = nodeOf(this, id);
    if (op !== 'const' && op !== 'constInt') return undefined;
    return attrs.every((a) => Object.is(a, attrs[0])) ? attrs[0] : undefined;
  }

  /** A number as a vector of equal lanes; a vector of as many lanes is itself. */
  asLanes(id: NodeId, lanes: number): NodeId {
    return this.shape(id) === lanes ? id : this.node('splat', [id], [lanes]);
  }

  /** As a real: an int is converted, a real is itself. */
  asReal(id: NodeId): NodeId {
    return this.type(id) === 'int' ? this.node('toReal', [id]) : id;
  }

  /** The node, with the next name of the scope if there is one. */
  #named(id: NodeId): NodeId {
    const scope = this.#scope;
    if (scope !== null) this.nameState(id, [`${scope.name}#${scope.count++}`]);
    return id;
  }

  #add(
    op: OpKind,
    args: readonly NodeId[],
    attrs: readonly number[],
    lanes = 1,
    delayHop = 1,
  ): NodeId {
    const spec: OpSpec = OPS[op];
    if (!fits(spec, args.length, attrs.length)) {
      throw new Error(
        `${op} takes ${spec.arity} operands and ${spec.attrs.length} attributes, got ${args.length} and ${attrs.length}`,
      );
    }
    const [types, shapes] = [this.#types, this.#shapes];
    types.length = shapes.length = args.length;
    for (let k = 0; k < args.length; k++) {
      const operand = nodeOf(this, args[k]!);
      types[k] = operand.type;
      shapes[k] = operand.shape;
    }
    const type = resultType(op, types);
    if (type === undefined) {
      throw new Error(`${op} cannot take operands of type ${types.join(', ')}`);
    }
    const shape = isDelay(op) ? lanes : resultShape(op, shapes, attrs);
    if (shape === undefined) {
      throw new Error(`${op} cannot take operands of ${shapes.join(', ')} lanes`);
    }
    const rate = this.#rate(op, args, attrs, delayHop);
    const hop = this.#hop(op, args, attrs, rate, delayHop);
    const id = this.nodes.length as NodeId;
    this.nodes.push({
      op,
      args: args.slice(),
      attrs: kept(attrs),
      type,
      rate,
      shape,
      hop,
    });
    return id;
  }

  #rate(op: OpKind, args: readonly NodeId[], attrs: readonly number[], delayHop: number): Rate {
    if (isDelay(op)) {
      if (this.domain === 'once') return 'block';
      return delayHop > 1 ? 'frame' : 'sample';
    }
    if (isReduction(op)) return 'block';
    if (isTape(op)) return attrs[2]! > 1 ? 'frame' : 'sample';
    if (isFraming(op)) return attrs[0]! > 1 ? 'frame' : 'sample';
    if (isOverlap(op)) return 'sample';
    if (isMemory(op)) return 'sample';
    if (op in LEAF_RATE) return LEAF_RATE[op as keyof typeof LEAF_RATE];
    let fastest = 0;
    for (const a of args) fastest = Math.max(fastest, RATES.indexOf(this.rate(a)));
    return RATES[fastest]!;
  }

  /** Signals of different hops do not meet but in `frames` and `overlap`. */
  #hop(
    op: OpKind,
    args: readonly NodeId[],
    attrs: readonly number[],
    rate: Rate,
    delayHop: number,
  ): number {
    if (rate !== 'frame' && rate !== 'sample') return 0;
    if (isDelay(op)) return delayHop;
    if (isTape(op)) return attrs[2]!;
    let hop = 0;
    let others = false;
    for (const a of args) {
      const its = nodeOf(this, a).hop;
      if (its > 0 && hop > 0 && its !== hop) others = true;
      if (its > 0) hop = its;
    }
    const fails = (): never => {
      const hops = [...new Set(args.map((a) => nodeOf(this, a).hop).filter((its) => its > 0))];
      const on = isFraming(op) || isOverlap(op) ? ` with hop ${attrs[0]}` : '';
      throw new Error(
        `${op}${on} cannot take ${others ? 'signals of hops' : 'a signal of hop'} ${hops.join(', ')}`,
      );
    };
    if (others) return fails();
    if (isFraming(op) || isOverlap(op)) {
      const [made = 1] = attrs;
      const wanted = isFraming(op) ? 1 : made;
      if ((hop > 0 && hop !== wanted) || !Number.isInteger(made) || made < 1) return fails();
      return isFraming(op) ? made : 1;
    }
    if (isMemory(op) && hop > 1) return fails();
    return hop || 1;
  }
}

type Rule = (builder: Builder, node: Node, args: readonly NodeId[]) => NodeId;

const same: Rule = (builder, { op, attrs }, args) => builder.node(op, args, attrs);

/**
 * Builds a changed copy: `rule` makes each live node from its operands' copies, in order. Delays are
 * copied; those of a source that came before become one where they are equal. Names of states go
 * along to what remembers the same.
 *
 * @param live  what to copy; must hold everything that its members depend on
 */
export function rewrite(graph: Graph, rule: Rule = same, live?: ReadonlySet<NodeId>): Graph {
  const builder = new Builder(graph.domain);
  /** By node of the graph; nothing for one that is left out. */
  const copy: (NodeId | undefined)[] = new Array<undefined>(graph.nodes.length).fill(undefined);
  const open: { readonly delay: NodeId; readonly source: NodeId }[] = [];
  graph.nodes.forEach((node, i) => {
    const id = i as NodeId;
    if (live?.has(id) === false) return;
    if (!isDelay(node.op)) {
      const args = node.args.map((a) => copy[a]!);
      copy[id] = rule(builder, node, args);
      return;
    }
    const source = graph.delays.get(id)!;
    const [frames = 1, init = 0] = node.attrs;
    if (source < id) {
      copy[id] = builder.delay(copy[source]!, frames, init, node.hop);
    } else {
      const delay = builder.feedback(node.type, frames, init, node.shape, node.hop);
      open.push({ delay, source });
      copy[id] = delay;
    }
  });
  for (const { delay, source } of open) builder.close(delay, copy[source]!);
  for (const [id, names] of graph.states) {
    const made = copy[id];
    if (made === undefined) continue;
    const { op, args } = nodeOf(graph, id);
    const { op: is, args: its } = nodeOf(builder, made);
    // It remembers the same signal: not one that a rule put in its place.
    const isSame = isDelay(op)
      ? isDelay(is)
      : op === is
        ? args.every((a, k) => copy[a] === its[k])
        : isDelay(is) && builder.sourceOf(made) === copy[args[0]!];
    if (isSame) builder.nameState(made, names);
  }
  return builder.finish(graph.outputs.map(({ name, node }) => ({ name, node: copy[node]! })));
}

/** The type of an operation's result, or undefined where the operands do not fit. */
export function resultType(op: OpKind, args: readonly ValueType[]): ValueType | undefined {
  const all = (type: ValueType): boolean => args.every((a) => a === type);
  switch (OPS[op].signature) {
    case 'real':
      return 'real';
    case 'int':
      return 'int';
    case 'same': {
      const type = args[0];
      return type !== undefined && all(type) && !(op === 'div' && type === 'int')
        ? type
        : undefined;
    }
    case 'select':
      return args[0] === 'int' && args[1] === args[2] ? args[1] : undefined;
    case 'real→real':
    case 'real,real→real':
    case 'real,real,real→real':
      return all('real') ? 'real' : undefined;
    case 'real→int':
      return all('real') ? 'int' : undefined;
    case 'int→real':
      return all('int') ? 'real' : undefined;
    case 'int→int':
      return all('int') ? 'int' : undefined;
    case 'same→int':
      return args[0] === args[1] ? 'int' : undefined;
    case 'reals→real':
      return args.length > 0 && all('real') ? 'real' : undefined;
    case 'real,int→real':
    case 'real,int,int→real':
    case 'real,real,int,int→real': {
      const wanted = OPS[op].signature.split('→')[0]!.split(',');
      return wanted.every((type, i) => args[i] === type) ? 'real' : undefined;
    }
    case 'pairs→real':
      return args.length % 2 === 0 &&
        args.every((type, i) => type === (i % 2 === 0 ? 'real' : 'int'))
        ? 'real'
        : undefined;
  }
}

/** The number of lanes of an operation's result, or undefined where the operands do not fit. */
export function resultShape(
  op: OpKind,
  args: readonly number[],
  attrs: readonly number[],
): number | undefined {
  const spec: OpSpec = OPS[op];
  const [first = 1, second = 1] = args;
  switch (spec.lanes ?? 'each') {
    case 'one':
      return op === 'lookup' && second !== 1 ? undefined : 1;
    case 'source':
      return 1;
    case 'stored': {
      const from = op === 'rwtable' ? 1 : 0;
      return args.slice(from + 1).every((n) => n === 1) ? args[from] : undefined;
    }
    case 'values':
      return attrs.length;
    case 'attr': {
      const lanes = attrs.at(-1)!;
      if (!Number.isInteger(lanes) || lanes < 1) return undefined;
      if (op === 'slice' && !(attrs[0]! >= 0 && attrs[0]! + lanes <= first)) return undefined;
      return TO_LANES.has(op) && args.some((n) => n !== 1) ? undefined : lanes;
    }
    case 'each': {
      const lanes = Math.max(...args);
      return args.every((n) => n === lanes || n === 1) ? lanes : undefined;
    }
    case 'alike':
      return first > 1 && args.every((n) => n === first) ? first : undefined;
    case 'measured':
      return first > 1 && args.every((n) => n === first) ? 1 : undefined;
    case 'joined':
      return args.reduce((sum, n) => sum + n, 0);
    case 'spectrum':
      return isTransformSize(first) ? first + 2 : undefined;
    case 'fromSpectrum':
      return isTransformSize(first - 2) ? first - 2 : undefined;
    case 'product':
      return first * second;
    case 'quotient':
      return first % second === 0 ? first / second : undefined;
    case 'unknowns': {
      const unknowns = args.at(-1)!;
      return second === unknowns && first === unknowns * unknowns ? unknowns : undefined;
    }
  }
}

/** Sizes of transforms: powers of two. */
export const LEAST_TRANSFORM = 64;
export const MOST_TRANSFORM = 8192;
export const isTransformSize = (size: number): boolean =>
  size >= LEAST_TRANSFORM && size <= MOST_TRANSFORM && Number.isInteger(Math.log2(size));

/** Operations that make a vector of numbers. */
const TO_LANES: ReadonlySet<OpKind> = new Set(['splat', 'scatter', 'sumScatter']);

/** Does an operation take so many operands and attributes? */
export function fits(spec: OpSpec, operands: number, attrs: number): boolean {
  if (spec.arity === 'any' ? operands < 1 : operands !== spec.arity) return false;
  return spec.lanes === 'values' ? attrs >= 1 : attrs === spec.attrs.length;
}

const OP_NUMBERS: ReadonlyMap<OpKind, number> = new Map(
  (Object.keys(OPS) as OpKind[]).map((op, number) => [op, number]),
);

/** Equal for equal operations. */
function hashOfNode(op: OpKind, args: readonly NodeId[], attrs: readonly number[]): number {
  let hash = mixed(OP_NUMBERS.get(op)!, hashOf(attrs));
  for (let k = 0; k < args.length; k++) hash = mixed(hash, args[k]!);
  return hash;
}

function withDefaults(op: OpKind, attrs: readonly number[]): readonly number[] {
  const names: readonly string[] = OPS[op].attrs;
  if (attrs.length >= names.length) return attrs;
  const missing = names.slice(attrs.length).map((name) => ATTR_DEFAULTS[name]);
  return missing.includes(undefined) ? attrs : [...attrs, ...(missing as number[])];
}
