/** A patch as boxes and wires, and where they stand. */

import { expect, it } from 'vitest';
import {
  BOX,
  curveOf,
  graphOf,
  layOut,
  MOST_BOXES,
  type Graph,
} from '../../../clients/dashboard/graph.ts';
import type { PatchDocument } from '../../../clients/dashboard/types.ts';
import { EXAMPLES } from '../../../dsp/examples/index.ts';

const patch = (parts: object): PatchDocument => ({ name: 'p', ...parts }) as PatchDocument;

const onePole = patch({
  params: { feedback: {} },
  sliders: { unused: {} },
  nodes: {
    x: { op: 'input', channel: 1 },
    before: { op: 'delay', in: 'y', frames: 1 },
    back: { op: 'mul', in: ['before', 'feedback'] },
    y: { op: 'add', in: ['x', 'back'] },
  },
  outputs: ['y'],
  meters: { level: { of: 'y' } },
  training: { estimate: 'y', target: 'x', loss: 'mse' },
});

const chain = (length: number): PatchDocument =>
  patch({
    nodes: Object.fromEntries(
      Array.from({ length }, (_, k) => [
        `n${k}`,
        k === 0 ? { op: 'noise' } : { op: 'add', in: [`n${k - 1}`, `n${Math.floor(k / 2)}`] },
      ]),
    ),
    outputs: [`n${length - 1}`],
  });

/** No two boxes of a layer overlap, and every wire goes from a box to a box. */
function expectSound(graph: Graph): void {
  const { boxes, paths, width, height } = layOut(graph);
  expect(boxes.length).toBe(graph.boxes.length);
  expect(paths.length).toBe(graph.wires.length);
  for (const column of Map.groupBy(boxes, ({ x }) => x).values()) {
    const ys = column.map(({ y }) => y).sort((a, b) => a - b);
    ys.slice(1).forEach((y, k) => expect(y - ys[k]!).toBeGreaterThanOrEqual(BOX.height));
  }
  const at = new Map(boxes.map((placed) => [placed.box.id, placed]));
  for (const { wire, points, isBack } of paths) {
    const [from, to] = [at.get(wire.from)!, at.get(wire.to)!];
    expect(points[0]).toEqual([from.x + BOX.width, from.y]);
    expect(points.at(-1)).toEqual([to.x, to.y]);
    if (!isBack) expect(to.x).toBeGreaterThan(from.x);
  }
  for (const { x, y } of boxes) {
    expect(x).toBeGreaterThanOrEqual(0);
    expect(x + BOX.width).toBeLessThanOrEqual(width);
    expect(y).toBeGreaterThanOrEqual(0);
    expect(y + BOX.height / 2).toBeLessThanOrEqual(height + 1e-9);
  }
}

it('nodes, controls and ends are boxes, references are wires, what is not used is not drawn', () => {
  const { boxes, wires } = graphOf(onePole);
  expect(boxes.map(({ kind, title }) => `${kind} ${title}`)).toEqual([
    'param feedback',
    'input input 1',
    'node delay',
    'node mul',
    'node add',
    'output output 1',
    'meter level',
    'learning learning',
  ]);
  expect(wires.map(({ from, to }) => `${from} > ${to}`)).toContain('feedback > back');
  expect(wires.length).toBe(9);
});

it('one wire of a recursion leads back, all others ahead', () => {
  const drawing = layOut(graphOf(onePole));
  const back = drawing.paths.filter(({ isBack }) => isBack);
  expect(back.length).toBe(1);
  expect(curveOf(back[0]!)).toMatch(/^M[\d.]+ [\d.]+C.*S/u);
  expectSound(graphOf(onePole));
});

it('every shipped example is drawn whole', () => {
  for (const document of Object.values(EXAMPLES)) {
    const graph = graphOf(document);
    expect(graph.boxes.length).toBeGreaterThan(1);
    expectSound(graph);
  }
});

it('hundreds of nodes are drawn, and of more the rest is counted', () => {
  expectSound(graphOf(chain(400)));
  const cut = graphOf(chain(1000));
  expect([cut.boxes.length, cut.hidden]).toEqual([MOST_BOXES, 401]);
  expectSound(cut);
});

it('of a Faust program its controls, groups and ends are known', () => {
  const { boxes, wires } = graphOf(
    patch({
      faust: { code: 'process = _;' },
      params: { cutoff: {} },
      sliders: { 'eq/q': {} },
      outputs: ['x', 'y'],
      ui: [{ group: 'vertical', label: 'eq', items: [{ control: 'eq/q', label: 'q' }] }],
    }),
  );
  expect(boxes.map(({ title }) => title)).toEqual([
    'cutoff',
    'eq/q',
    'eq',
    'p',
    'output 1',
    'output 2',
  ]);
  expect(wires.length).toBe(5);
});

it('a patch with nothing in it is an empty drawing', () => {
  expect(layOut(graphOf(patch({ nodes: {} })))).toMatchObject({ boxes: [], paths: [] });
});
