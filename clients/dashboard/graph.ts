/**
 * A patch as boxes and wires in layers, from what comes in on the left to what goes out on the right.
 *
 * Wires that lead back, those of recursions, are found first and bent around; every other one goes
 * from its layer to a later one, over a place of its own in each layer between. Order within layers
 * is by the mean place of the neighbours, a few times to and fro.
 *
 * Invariants: the same patch gives the same drawing; nothing is drawn twice. Of a Faust program only
 * what the patch says is known: what it is played with, and what comes in and out. Cost: sweeps ×
 * layers that wires pass: some ms of a shipped example, 0.4 s of a chain of 400 with as many long ones.
 */

import type { PatchDocument, UiNode } from './types.ts';

export type BoxKind = 'input' | 'param' | 'slider' | 'node' | 'output' | 'meter' | 'learning';

export interface Box {
  readonly id: string;
  readonly kind: BoxKind;
  /** What it does. */
  readonly title: string;
  /** Its name in the patch, where it is another word. */
  readonly name: string;
  /** Where it stands in the document. */
  readonly path: readonly string[] | undefined;
}

export interface Wire {
  readonly from: string;
  readonly to: string;
}

export interface Graph {
  readonly boxes: readonly Box[];
  readonly wires: readonly Wire[];
  /** Nodes that are not drawn, where there are too many. */
  readonly hidden: number;
}

/** Boxes that are drawn. */
export const MOST_BOXES = 600;

export function graphOf(patch: PatchDocument): Graph {
  const all = patch.faust === undefined ? ofNodes(patch) : ofProgram(patch);
  const boxes = all.boxes.slice(0, MOST_BOXES);
  const known = new Set(boxes.map(({ id }) => id));
  const seen = new Set<string>();
  const wires = all.wires.filter(({ from, to }) => {
    const key = `${from}\n${to}`;
    if (seen.has(key) || !known.has(from) || !known.has(to)) return false;
    return Boolean(seen.add(key));
  });
  return { boxes, wires, hidden: all.boxes.length - boxes.length };
}

type Raw = Pick<Graph, 'boxes' | 'wires'>;

function ofNodes({ nodes, params, sliders, outputs, meters, training }: PatchDocument): Raw {
  const controls = [
    ...Object.keys(params ?? {}).map((id) => control(id, 'param')),
    ...Object.keys(sliders ?? {}).map((id) => control(id, 'slider')),
  ];
  const drawn = Object.entries(nodes).map(([id, node]): Box => {
    const isInput = node.op === 'input';
    const title = isInput ? `input ${node.channel}` : node.op;
    return { id, kind: isInput ? 'input' : 'node', title, name: id, path: ['nodes', id] };
  });
  const known = new Set([...controls, ...drawn].map(({ id }) => id));
  const wires = Object.entries(nodes).flatMap(([to, node]) =>
    referencesIn(node, known).map((from) => ({ from, to })),
  );
  const ends: Box[] = [];
  const lead = (from: unknown, box: Box): void => {
    const sources = referencesIn({ from }, known);
    if (sources.length === 0) return;
    ends.push(box);
    wires.push(...sources.map((source) => ({ from: source, to: box.id })));
  };
  (outputs ?? []).forEach((from, k) => lead(from, end(`output ${k + 1}`, 'output', ['outputs'])));
  for (const [name, meter] of Object.entries(meters ?? {})) {
    lead(meter, end(name, 'meter', ['meters', name]));
  }
  lead(training, end('learning', 'learning', ['training']));
  // What nothing is done with is not in the drawing.
  const used = new Set(wires.flatMap(({ from, to }) => [from, to]));
  return { boxes: [...controls, ...drawn, ...ends].filter(({ id }) => used.has(id)), wires };
}

const control = (id: string, kind: 'param' | 'slider'): Box => ({
  id,
  kind,
  title: id,
  name: kind === 'param' ? 'learns' : 'slider',
  path: [kind === 'param' ? 'params' : 'sliders', id],
});

/** Ids of ends are none that a patch can give. */
const end = (title: string, kind: BoxKind, path: readonly string[]): Box => ({
  id: `→${kind} ${title}`,
  kind,
  title,
  name: kind === 'output' || kind === 'learning' ? '' : kind,
  path,
});

/** All texts of a node, but its operation, that name something. */
function referencesIn(value: unknown, known: ReadonlySet<string>): string[] {
  if (typeof value === 'string') return known.has(value) ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]: [string, unknown]) =>
    key === 'op' ? [] : referencesIn(member, known),
  );
}

const PROGRAM = '→program';

function ofProgram({ name, params, sliders, outputs, meters, ui }: PatchDocument): Raw {
  const program: Box = { id: PROGRAM, kind: 'node', title: name, name: 'Faust', path: undefined };
  const groups = new Map((ui ?? []).flatMap((node) => groupsOf(node, '')));
  const controls = [
    ...Object.keys(params ?? {}).map((id) => control(id, 'param')),
    ...Object.keys(sliders ?? {}).map((id) => control(id, 'slider')),
  ].map((box) => ({ ...box, path: undefined }));
  const grouped = [...new Set(controls.flatMap(({ id }) => groups.get(id) ?? []))].map(
    (label): Box => ({
      id: `→group ${label}`,
      kind: 'node',
      title: label,
      name: 'group',
      path: undefined,
    }),
  );
  const ends = [
    ...(outputs ?? []).map((_, k) => ({
      ...end(`output ${k + 1}`, 'output', []),
      path: undefined,
    })),
    ...Object.keys(meters ?? {}).map((id) => ({ ...end(id, 'meter', []), path: undefined })),
  ];
  const wires = [
    ...controls.map(({ id }) => {
      const group = groups.get(id);
      return { from: id, to: group === undefined ? PROGRAM : `→group ${group}` };
    }),
    ...grouped.map(({ id }) => ({ from: id, to: PROGRAM })),
    ...ends.map(({ id }) => ({ from: PROGRAM, to: id })),
  ];
  return { boxes: [...controls, ...grouped, program, ...ends], wires };
}

/** The innermost group with a name of each control. */
function groupsOf(node: UiNode, label: string): (readonly [string, string])[] {
  if ('group' in node) {
    return node.items.flatMap((item) => groupsOf(item, node.label === '' ? label : node.label));
  }
  return 'control' in node && label !== '' ? [[node.control, label]] : [];
}

// --- layout ------------------------------------------------------------------------------------

export const BOX = { width: 116, height: 34 } as const;
const GAP = { x: 40, y: 12 } as const;
/** A wire on its way takes less room than a box. */
const LANE = 10;
const SWEEPS = 6;

export interface Placed {
  readonly box: Box;
  readonly x: number;
  readonly y: number;
}

export interface Path {
  readonly wire: Wire;
  readonly isBack: boolean;
  /** From the right side of a box to the left side of another, place by place. */
  readonly points: readonly (readonly [number, number])[];
}

export interface Drawing {
  readonly boxes: readonly Placed[];
  readonly paths: readonly Path[];
  readonly width: number;
  readonly height: number;
}

/** A box, or the place of a wire in a layer between. */
interface Cell {
  readonly key: string;
  readonly box: Box | undefined;
  y: number;
}

export function layOut({ boxes, wires }: Graph): Drawing {
  const back = wiresBack(boxes, wires);
  const ahead = wires.filter((wire) => !back.has(wire));
  const layerOf = layersOf(boxes, ahead);
  const count = Math.max(0, ...layerOf.values()) + 1;
  const layers: Cell[][] = Array.from({ length: count }, () => []);
  for (const box of boxes) layers[layerOf.get(box.id)!]!.push({ key: box.id, box, y: 0 });
  const links: (readonly [string, string])[] = [];
  const [lanes, linked] = [new Set<string>(), new Set<string>()];
  const chains = ahead.map((wire) => {
    const chain = [wire.from];
    for (let k = layerOf.get(wire.from)! + 1; k < layerOf.get(wire.to)!; k++) {
      // Wires from one box share their way.
      const key = `${wire.from}\n${k}`;
      if (!lanes.has(key)) layers[k]!.push({ key, box: undefined, y: 0 });
      lanes.add(key);
      chain.push(key);
    }
    chain.push(wire.to);
    for (let k = 1; k < chain.length; k++) {
      const link = [chain[k - 1]!, chain[k]!] as const;
      // What is shared counts once.
      if (!linked.has(link.join('\n\n'))) links.push(link);
      linked.add(link.join('\n\n'));
    }
    return chain;
  });
  order(layers, links);
  const height = place(layers, links);

  const spots = new Map<string, readonly [number, number, boolean]>();
  layers.forEach((cells, k) => {
    const x = k * (BOX.width + GAP.x);
    for (const { key, box, y } of cells) spots.set(key, [x, y, box !== undefined]);
  });
  const pointsOf = (chain: readonly string[]): (readonly [number, number])[] =>
    chain.flatMap((key, k): (readonly [number, number])[] => {
      const [x, y, isBox] = spots.get(key)!;
      if (k === 0) return [[x + BOX.width, y]];
      if (k === chain.length - 1) return [[x, y]];
      return isBox
        ? []
        : [
            [x, y],
            [x + BOX.width, y],
          ];
    });
  return {
    boxes: layers
      .flat()
      .flatMap(({ key, box }) =>
        box === undefined ? [] : [{ box, x: spots.get(key)![0], y: spots.get(key)![1] }],
      ),
    paths: [
      ...ahead.map((wire, k) => ({ wire, isBack: false, points: pointsOf(chains[k]!) })),
      ...[...back].map((wire) => ({ wire, isBack: true, points: pointsOf([wire.from, wire.to]) })),
    ],
    width: count * (BOX.width + GAP.x) - GAP.x,
    height,
  };
}

/** Those that close a loop, by a walk that follows each wire once. */
function wiresBack(boxes: readonly Box[], wires: readonly Wire[]): Set<Wire> {
  const outgoing = Map.groupBy(wires, ({ from }) => from);
  const state = new Map<string, 'open' | 'done'>();
  const back = new Set<Wire>();
  for (const { id } of boxes) {
    // By hand: a chain of nodes may be longer than the stack.
    const stack: { readonly id: string; next: number }[] = [];
    const enter = (box: string): void => {
      state.set(box, 'open');
      stack.push({ id: box, next: 0 });
    };
    if (!state.has(id)) enter(id);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const wire = outgoing.get(top.id)?.[top.next++];
      if (wire === undefined) {
        state.set(top.id, 'done');
        stack.pop();
      } else if (state.get(wire.to) === 'open') back.add(wire);
      else if (!state.has(wire.to)) enter(wire.to);
    }
  }
  return back;
}

/** The longest way to each; what is only a source stands right before what it feeds. */
function layersOf(boxes: readonly Box[], wires: readonly Wire[]): Map<string, number> {
  const incoming = Map.groupBy(wires, ({ to }) => to);
  const outgoing = Map.groupBy(wires, ({ from }) => from);
  const waiting = new Map(boxes.map(({ id }) => [id, incoming.get(id)?.length ?? 0]));
  const layer = new Map(boxes.map(({ id }) => [id, 0]));
  const ready = boxes.filter(({ id }) => waiting.get(id) === 0).map(({ id }) => id);
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    for (const { to } of outgoing.get(id) ?? []) {
      layer.set(to, Math.max(layer.get(to)!, layer.get(id)! + 1));
      waiting.set(to, waiting.get(to)! - 1);
      if (waiting.get(to) === 0) ready.push(to);
    }
  }
  const last = Math.max(0, ...layer.values());
  for (const { id, kind } of boxes) {
    const nexts = (outgoing.get(id) ?? []).map(({ to }) => layer.get(to)!);
    if (!incoming.has(id) && nexts.length > 0) layer.set(id, Math.min(...nexts) - 1);
    if (!outgoing.has(id) && kind !== 'node') layer.set(id, last);
  }
  return layer;
}

/** By the mean of the places of the neighbours in the layer before, then in the one behind. */
function order(layers: Cell[][], links: readonly (readonly [string, string])[]): void {
  const before = Map.groupBy(links, ([, to]) => to);
  const behind = Map.groupBy(links, ([from]) => from);
  const places = new Map<string, number>();
  const note = (cells: readonly Cell[]): void =>
    cells.forEach(({ key }, k) => places.set(key, k / Math.max(1, cells.length)));
  layers.forEach(note);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isForth = sweep % 2 === 0;
    for (const cells of isForth ? layers : layers.toReversed()) {
      const meanOf = ({ key }: Cell): number => {
        const near = isForth
          ? (before.get(key) ?? []).map(([from]) => from)
          : (behind.get(key) ?? []).map(([, to]) => to);
        const sum = near.reduce((all, id) => all + (places.get(id) ?? 0), 0);
        return near.length === 0 ? (places.get(key) ?? 0) : sum / near.length;
      };
      const means = new Map(cells.map((cell) => [cell.key, meanOf(cell)]));
      cells.sort((a, b) => means.get(a.key)! - means.get(b.key)!);
      note(cells);
    }
  }
}

/**
 * Heights of the middles: near those of the neighbours, in order, and never closer than there is room.
 *
 * @returns the height of all
 */
function place(layers: readonly Cell[][], links: readonly (readonly [string, string])[]): number {
  const near = new Map<string, string[]>();
  for (const cell of layers.flat()) near.set(cell.key, []);
  for (const [from, to] of links) {
    near.get(from)?.push(to);
    near.get(to)?.push(from);
  }
  const heightOf = ({ box }: Cell): number => (box === undefined ? LANE : BOX.height);
  const spread = (cells: readonly Cell[], wishes: readonly number[]): void => {
    // Down from the top as wished, then all up by what they were pushed down too far.
    let floor = -Infinity;
    cells.forEach((cell, k) => {
      const half = heightOf(cell) / 2;
      cell.y = Math.max(wishes[k]!, floor + half);
      floor = cell.y + half + GAP.y;
    });
    const push =
      cells.reduce((sum, { y }, k) => sum + y - wishes[k]!, 0) / Math.max(1, cells.length);
    for (const cell of cells) cell.y -= push;
  };
  for (const cells of layers)
    spread(
      cells,
      cells.map((_, k) => k * (BOX.height + GAP.y)),
    );
  const spots = new Map(layers.flat().map((cell) => [cell.key, cell]));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const cells of sweep % 2 === 0 ? layers : layers.toReversed()) {
      const wishes = cells.map((cell) => {
        const others = near.get(cell.key) ?? [];
        const sum = others.reduce((all, key) => all + spots.get(key)!.y, 0);
        return others.length === 0 ? cell.y : sum / others.length;
      });
      spread(cells, wishes);
    }
  }
  const all = layers.flat();
  const top = Math.min(0, ...all.map((cell) => cell.y - heightOf(cell) / 2));
  for (const cell of all) cell.y -= top;
  return Math.max(0, ...all.map((cell) => cell.y + heightOf(cell) / 2));
}

/** As the path of an SVG: curves that leave and arrive level. */
export function curveOf({ points, isBack }: Path): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  let [x, y] = first;
  let d = `M${x} ${y}`;
  for (const [toX, toY] of rest) {
    const bend = isBack ? GAP.x : (toX - x) / 2;
    if (isBack) {
      const under = Math.max(y, toY) + BOX.height;
      d += `C${x + bend} ${y} ${x + bend} ${under} ${(x + toX) / 2} ${under}`;
      d += `S${toX - bend} ${toY} ${toX} ${toY}`;
    } else {
      d += y === toY ? `L${toX} ${toY}` : `C${x + bend} ${y} ${toX - bend} ${toY} ${toX} ${toY}`;
    }
    [x, y] = [toX, toY];
  }
  return d;
}
