/** Graphs as data: what the builder makes, what the verifier refuses, what the printer shows. */

import { describe, expect, test } from 'vitest';
import { Builder, rewrite } from '../../../dsp/ir/builder.ts';
import { dependents, reach } from '../../../dsp/ir/graph.ts';
import type { Graph, NodeId } from '../../../dsp/ir/graph.ts';
import { print } from '../../../dsp/ir/print.ts';
import { verify } from '../../../dsp/ir/verify.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { parseIr } from '../../support/parse-ir.ts';

function onePole(): Graph {
  const b = new Builder('stream');
  const past = b.feedback('real', 1);
  const y = b.node('add', [b.node('input', [], [0]), b.node('mul', [past, b.real(0.5)])]);
  b.close(past, y);
  return b.finish([{ name: 'out:0', node: y }]);
}

describe('builder', () => {
  test('equal nodes are one node, but for feedback delays', () => {
    const b = new Builder('stream');
    const x = b.node('input', [], [0]);
    expect(b.node('add', [x, b.real(1)])).toBe(b.node('add', [x, b.real(1)]));
    expect(b.delay(x, 3)).toBe(b.delay(x, 3));
    expect(b.delay(x, 3)).not.toBe(b.delay(x, 4));
    expect(b.feedback('real', 1)).not.toBe(b.feedback('real', 1));
  });

  test('0 and −0 are different constants', () => {
    const b = new Builder('stream');
    expect(b.real(0)).not.toBe(b.real(-0));
  });

  test('rates follow from the operands', () => {
    const b = new Builder('stream');
    const p = b.node('param', [], [0]);
    expect(b.rate(b.real(1))).toBe('const');
    expect(b.rate(b.node('mul', [p, b.real(2)]))).toBe('block');
    expect(b.rate(b.node('mul', [p, b.node('input', [], [0])]))).toBe('sample');
    expect(b.rate(b.delay(p, 1))).toBe('sample');
  });

  test('operands of the wrong type or number are refused', () => {
    const b = new Builder('stream');
    expect(() => b.node('add', [b.real(1), b.int(1)])).toThrow(/cannot take/u);
    expect(() => b.node('add', [b.real(1)])).toThrow(/takes 2 operands/u);
    expect(() => b.node('div', [b.int(1), b.int(1)])).toThrow(/cannot take/u);
  });

  test('a feedback delay without a source is refused at the end', () => {
    const b = new Builder('stream');
    b.feedback('real', 1);
    expect(() => b.finish([])).toThrow(/without a source/u);
  });

  test('a builder can go on from a graph with its ids', () => {
    const graph = onePole();
    const b = Builder.from(graph);
    expect(print(b.finish(graph.outputs))).toBe(print(graph));
  });
});

describe('verifier', () => {
  const good = onePole();
  const named = (states: [number, string[]][]): Graph => ({
    ...good,
    states: new Map(states as [NodeId, string[]][]),
  });
  const broken: readonly (readonly [string, Graph, RegExp])[] = [
    [
      'an operand that comes later',
      {
        ...good,
        nodes: good.nodes.map((n) => (n.op === 'mul' ? { ...n, args: [4, 0] as NodeId[] } : n)),
      },
      /does not come before/u,
    ],
    ['a delay without a source', { ...good, delays: new Map() }, /has no source/u],
    [
      'a delay of no frames',
      { ...good, nodes: good.nodes.map((n) => (n.op === 'delay' ? { ...n, attrs: [0, 0] } : n)) },
      /delay of 0 frames/u,
    ],
    [
      'a wrong type',
      { ...good, nodes: good.nodes.map((n) => (n.op === 'mul' ? { ...n, type: 'int' } : n)) },
      /expected type real/u,
    ],
    [
      'a missing operand',
      { ...good, nodes: good.nodes.map((n) => (n.op === 'add' ? { ...n, args: [] } : n)) },
      /expected 2 operands/u,
    ],
    [
      'an output that is no node',
      { ...good, outputs: [{ name: 'x', node: 99 as NodeId }] },
      /no node/u,
    ],
    [
      'two outputs of one name',
      { ...good, outputs: [...good.outputs, ...good.outputs] },
      /used twice/u,
    ],
    ['a signal without time', { ...good, domain: 'once' }, /without time/u],
    ['a state at what has none', named([[4, ['a']]]), /has none/u],
    [
      'two states of one name',
      {
        ...named([
          [0, ['a']],
          [5, ['a']],
        ]),
        nodes: [...good.nodes, good.nodes[0]!],
        delays: new Map([...good.delays, [5 as NodeId, 1 as NodeId]]),
      },
      /stands twice/u,
    ],
    ['a state that no run keeps', { ...named([[0, ['a']]]), domain: 'backward' }, /no run keeps/u],
  ];

  test('lets a good graph through', () => {
    expect(verify(good, 'the test')).toBe(good);
  });
  test.each(broken)('finds %s and names the pass', (_, graph, message) => {
    expect(() => verify(graph, 'pass X')).toThrow(/IR broken after pass X/u);
    expect(() => verify(graph, 'pass X')).toThrow(message);
  });
});

test('the printed graph shows operands, attributes, rates and delay sources', () => {
  expect(print(onePole())).toBe(
    [
      'stream {',
      '  %0 = delay %4 frames=1 init=0  @sample',
      '  %1 = input channel=0  @sample',
      '  %2 = const value=0.5',
      '  %3 = mul %0 %2  @sample',
      '  %4 = add %1 %3  @sample',
      '  out:0: %4',
      '}',
      '',
    ].join('\n'),
  );
});

describe('names of states', () => {
  function shared(): Graph {
    const b = new Builder('stream');
    const input = b.node('input', [], [0]);
    const twice = (): NodeId => b.node('add', [b.delay(input, 3), b.delay(input, 5)]);
    const [first, second] = [b.within('one', twice), b.within('two', twice)];
    b.delay(input, 9);
    return b.finish([{ name: 'out:0', node: b.node('mul', [first, second]) }]);
  }

  test('are counted in their scope; a state that two scopes ask for has both', () => {
    expect([...shared().states.values()]).toEqual([
      ['one#0', 'two#0'],
      ['one#1', 'two#1'],
    ]);
  });

  test('are printed, and go along when a graph is copied or gone on with', () => {
    const graph = verify(shared(), 'the test');
    const text = print(graph);
    expect(text).toContain('%1 = delay %0 frames=3 init=0 state=one#0,two#0  @sample');
    expect(print(rewrite(graph))).toBe(text);
    expect(print(Builder.from(graph).finish(graph.outputs))).toBe(text);
    expect(print(parseIr(text))).toBe(text);
  });

  test('are left behind where a state turns out to be none', () => {
    const b = new Builder('stream');
    const zero = b.within('still', () => b.delay(b.real(0), 4));
    const y = b.node('add', [b.node('input', [], [0]), zero]);
    const graph = optimise(b.finish([{ name: 'out:0', node: y }]));
    expect(graph.states.size).toBe(0);
  });
});

test('a printed vector names its one value once, but keeps 0 and −0 apart', () => {
  const printed = (lanes: readonly number[]): string | undefined => {
    const b = new Builder('stream');
    b.node('const', [], lanes);
    return print(b.finish([])).split('\n')[1];
  };
  expect(printed([2, 2, 2])).toBe('  %0 = const value=2 lanes=3');
  expect(printed([0, -0])).toBe('  %0 = const value=0,-0');
  expect(printed([2])).toBe('  %0 = const value=2');
});

test('reach and dependents see through recursion', () => {
  const graph = onePole();
  expect(reach(graph, [0 as NodeId]).size).toBe(5);
  expect(dependents(graph, [1 as NodeId])).toEqual(new Set([0, 1, 3, 4]));
});
