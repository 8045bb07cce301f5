/**
 * A plan as text: which nodes run in which loop, in their order there, and where signals are kept.
 *
 * An arrow says where a loop stores a signal; a signal without one is in locals alone. Invariant: what
 * is printed is what the generator decided, by the same functions; nothing is decided here. Of a
 * constant vector only the length is shown. Cost: linear.
 */

import { isOverlap, isTape, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { printNode } from '../ir/print.ts';
import type { Plan } from './generate.ts';
import type { Storage } from './memory.ts';
import { isLong } from './schedule.ts';
import type { Stage } from './stages.ts';
import { placeSignals } from './sites.ts';
import type { Sites } from './sites.ts';

/** Wider operations are cut, wider lists broken. */
const OPERATION = 44;
const LINE = 80;

/**
 * ```
 * stream: every block, up to 64 samples
 *   read where they are: %0 input 0
 *   stage 1
 *     values, once a run
 *       %1 = param
 *     loop of four samples at a time
 *       %2 = mul %0 %1  -> output 0
 * ```
 */
export function printSchedule(plan: Plan): string {
  const { order } = plan;
  const places = placesOf(plan);
  const stages = order.stages.flatMap((stage, k) => {
    const text = stageText(plan, stage, places, k);
    return text.length === 0 ? [] : [`  stage ${k + 1}`, ...text];
  });
  const lines = [headingOf(plan), ...leaves(plan), ...stages, ...memories(plan)];
  return `${lines.join('\n')}\n`;
}

function headingOf({ name, frames, storage }: Plan): string {
  const double = storage.element.precision === 'double' ? ', in double precision' : '';
  switch (name) {
    case 'stream':
      return `stream: every block, up to ${frames} samples${double}`;
    case 'loss':
    case 'backward':
      return `${name}: once a window, over ${frames} samples from the last to the first${double}`;
    case 'update':
      return 'update: once a window, in double precision, vectors lane by lane';
  }
}

function leaves({ graph, frames, storage }: Plan): string[] {
  const resident = graph.nodes.flatMap((node, n) => {
    const id = n as NodeId;
    if (isLong(graph, id, frames)) return [`%${id} the line of %${storage.lines.get(id)!.source}`];
    if (node.op !== 'input' && !isTape(node.op)) return [];
    const [index = 0, lag = 0] = node.attrs;
    const kind = node.op === 'input' ? 'input' : 'tape';
    return [`%${id} ${kind} ${index}${isTape(node.op) && lag > 0 ? `, ${lag} back` : ''}`];
  });
  const constants = graph.nodes.flatMap(({ rate, attrs, shape }, id) => {
    if (rate !== 'const') return [];
    return [`%${id} ${shape > 1 ? `of ${shape} lanes` : short(attrs[0] ?? 0)}`];
  });
  return [
    ...(resident.length > 0 ? broken('  read where they are: ', resident) : []),
    ...(constants.length > 0 ? broken('  constants: ', constants) : []),
  ];
}

const short = (value: number): string =>
  String(Number.isInteger(value) ? value : Number(value.toPrecision(6)));

/** A list over as many lines as it takes. */
function broken(head: string, items: readonly string[]): string[] {
  const lines: string[] = [];
  let line = head;
  items.forEach((item, k) => {
    const text = k < items.length - 1 ? `${item}; ` : item;
    if (line.length + text.length > LINE && line.trim() !== '') {
      lines.push(line.trimEnd());
      line = '    ';
    }
    line += text;
  });
  return [...lines, line];
}

interface Places {
  /** By stage: what its loops copy. */
  readonly copies: Sites['copies'];
  /** What some loop only copies: it says where to. */
  readonly copied: ReadonlySet<NodeId>;
  readonly goes: (id: NodeId) => string[];
  readonly reads: (id: NodeId) => string[];
}

/** Asks for places as the generator does, with room that can be told from all other room. */
function placesOf({ graph, order, storage, frames, name }: Plan): Places {
  const FIRST = 2 ** 40;
  let rooms = 0;
  const none = { inputs: [], outputs: [], compared: [], tapes: [] };
  const bases = { offset: null, position: null, heads: new Map() };
  const room = (): number => FIRST + rooms++;
  const sites = placeSignals(graph, order, storage, none, bases, room, frames);
  const outputs = new Map<NodeId, string[]>();
  for (const { name: output, node } of graph.outputs) {
    const [kind = '', index] = output.split(':');
    const text = [kind === 'out' ? 'output' : kind, index].filter(Boolean).join(' ');
    outputs.set(node, [...(outputs.get(node) ?? []), text]);
  }
  const sources = new Set(storage.allLines.map(({ source }) => source));
  // Frames that a later stage reads.
  const recorded = new Set(
    [...order.place].flatMap(([user, { stage }]) =>
      nodeOf(graph, user).args.filter((arg) => {
        const from = order.place.get(arg);
        return from !== undefined && nodeOf(graph, arg).hop > 1 && from.stage < stage;
      }),
    ),
  );
  const goes = (id: NodeId): string[] => {
    const isRoom = (sites.sinks.get(id) ?? []).some(({ address }) => address >= FIRST);
    const into = [...(outputs.get(id) ?? [])];
    if (sources.has(id)) into.push('line');
    if (isRoom || recorded.has(id)) into.push('later loops');
    return into.length > 0 ? [`-> ${into.join(', ')}`] : [];
  };
  const reads = (id: NodeId): string[] => {
    const line = storage.lines.get(id) ?? storage.framed.get(id) ?? storage.frameLines.get(id);
    const marks: string[] = [];
    const isHeld = storage.carries.has(id) || storage.held.has(id);
    if (isHeld && name !== 'update') marks.push('state in locals');
    if (line !== undefined) marks.push(`reads the line of %${line.source}`);
    if (isOverlap(nodeOf(graph, id).op)) marks.push('adds to samples to come');
    if (storage.tables.has(id)) marks.push('table in memory');
    return marks;
  };
  // In a graph without time outputs are written at the end, and nothing is copied by loops.
  const copies: Sites['copies'] = name === 'update' ? new Map() : sites.copies;
  const copied = new Set([...copies.values()].flat());
  return { copies, copied, goes, reads };
}

/** An operation, and what there is to say about its place. */
type Row = readonly [string, readonly string[]];

/** Places in a column of their own, or below where that is too wide. */
function aligned(rows: readonly Row[]): string[] {
  const width = Math.max(...rows.map(([text]) => text.length));
  return rows.flatMap(([text, marks]) => {
    const place = marks.join('; ');
    const line = `      ${text.padEnd(width)}  ${place}`.trimEnd();
    return line.length <= LINE ? [line] : [`      ${text}`, ...broken('        ', marks)];
  });
}

const headings = ({ element }: Storage): Readonly<Record<keyof Stage, string>> => ({
  value: 'values, once a run',
  vector: `loop of ${element.width === 4 ? 'four' : 'two'} samples at a time`,
  serial: 'loop of one sample at a time',
  product: 'products, summed over the window',
  frame: 'frames',
});

function stageText({ graph, storage }: Plan, stage: Stage, places: Places, k: number): string[] {
  const section = (
    heading: string,
    members: readonly NodeId[],
    copies: readonly NodeId[] = [],
  ): string[] => {
    const live = members.filter((id) => nodeOf(graph, id).rate !== 'const');
    const rows = [
      ...copies.map((id): Row => [`%${id} copied`, places.goes(id)]),
      ...live.map((id): Row => {
        const goes = places.copied.has(id) ? [] : places.goes(id);
        return [`%${id} = ${clipped(operation(graph, id))}`, [...goes, ...places.reads(id)]];
      }),
    ];
    return rows.length === 0 ? [] : [`    ${heading}`, ...aligned(rows)];
  };
  const titles = headings(storage);
  const copied = places.copies.get(k) ?? [];
  const isNumber = (id: NodeId): boolean => nodeOf(graph, id).shape === 1;
  const hops = [...new Set(stage.frame.map((id) => hopOf(graph, id)))];
  return [
    ...section(titles.value, stage.value),
    ...section(titles.vector, stage.vector, copied.filter(isNumber)),
    ...section(
      titles.serial,
      stage.serial,
      copied.filter((id) => !isNumber(id)),
    ),
    ...section(titles.product, stage.product),
    ...hops.flatMap((hop) =>
      section(
        `loop of one frame at a time, every ${hop} samples`,
        stage.frame.filter((id) => hopOf(graph, id) === hop),
      ),
    ),
  ];
}

/** Of the loop that computes a node. */
function hopOf(graph: Graph, id: NodeId): number {
  const { op, args, attrs, hop } = nodeOf(graph, id);
  if (isOverlap(op)) return attrs[0]!;
  return op === 'sum' ? nodeOf(graph, args[0]!).hop : hop;
}

/** With the lanes of what is a vector. */
function operation(graph: Graph, id: NodeId): string {
  const { shape } = nodeOf(graph, id);
  const text = printNode(graph, id);
  return shape > 1 && !text.includes('lanes=') ? `${text} lanes=${shape}` : text;
}

const clipped = (text: string): string =>
  text.length <= OPERATION ? text : `${text.slice(0, OPERATION - 3)}...`;

/** What stays from run to run, and how large it is. */
function memories({ graph, storage, name }: Plan): string[] {
  const lines = storage.allLines.map(
    ({ source, depth, places, capacity }) =>
      `    of %${source}: ${depth} samples back, ${places * capacity + 16} bytes`,
  );
  const frames = [...storage.frameLines.values()].map(
    ({ source, depth, places }) =>
      `    of %${source}: ${depth} frames back, ${storage.element.bytes * depth * places} bytes`,
  );
  const overlaps = [...storage.overlaps].map(
    ([id, { size }]) => `    of %${id}: ${size} samples to come`,
  );
  const tables = [...storage.tables].map(
    ([id, { size, places }]) =>
      `    of %${id}: ${size} places, ${storage.element.bytes * size * places} bytes`,
  );
  const kept = [...storage.carries.keys(), ...storage.held.keys()].map((id) => {
    const { shape } = nodeOf(graph, id);
    return shape > 1 ? `%${id} of ${shape} lanes` : `%${id}`;
  });
  const isKept = name === 'stream' || name === 'update';
  const titled = (title: string, list: readonly string[]): string[] =>
    list.length > 0 ? [title, ...list] : [];
  return [
    ...titled('  lines, the past of a signal', [...lines, ...frames]),
    ...titled('  overlapping frames', overlaps),
    ...titled('  tables that are written into', tables),
    ...(kept.length > 0
      ? broken(`  state, ${isKept ? 'kept from run to run' : 'for one window'}: `, kept)
      : []),
  ];
}
