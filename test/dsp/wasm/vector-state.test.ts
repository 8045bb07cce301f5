/**
 * The state of vectors: delays of every length with and without recursion, what they start from,
 * resets, ragged blocks, in either precision, and that neither a NaN nor a denormal stays in them.
 */

import { describe, expect, test } from 'vitest';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { NodeId } from '../../../dsp/ir/graph.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { PRECISIONS, assembled, compiledInstance, plainProgram } from '../../support/program.ts';
import { both, close, play, probes, vectorOf } from '../../support/vectors.ts';

const BLOCK = 16;
const LANES = [2, 3, 4, 5, 9];
const DELAYS = [1, 2, 3, 5, 16, 17, 100];
const INITS = [0, 0.7, -0];

function programOf(write: (b: Builder) => NodeId[]) {
  const b = new Builder('stream');
  const outputs = write(b).map((node, k) => ({ name: `out:${k}`, node }));
  const params = Math.max(
    0,
    ...b.nodes.filter((n) => n.op === 'param').map((n) => n.attrs[0]! + n.shape),
  );
  return plainProgram(optimise(b.finish(outputs)), { inputs: 2, sliders: 1, params });
}

const instanceOf = (write: (b: Builder) => NodeId[]) =>
  compiledInstance(assembled(programOf(write), BLOCK));

/** Ragged by the code against whole blocks by the interpreter, from the start and after a reset. */
function check(what: string, write: (b: Builder) => NodeId[]): void {
  for (const precision of PRECISIONS) {
    const { code, oracle } = both({ ...programOf(write), precision }, BLOCK);
    const expected = play(oracle, { frames: 250, blocks: [BLOCK] });
    const ragged = { frames: 250, blocks: [1, 7, 16, 3, 5] };
    const most = precision === 'single' ? 1e-6 : 1e-15;
    close(play(code, ragged), expected, most, `${what} ${precision}`);
    code.resetState();
    const again = play(code, { frames: 250, blocks: [BLOCK] });
    close(again, expected, most, `${what} ${precision} after a reset`);
  }
}

describe('vectors of ints', () => {
  test.each([1, 2, 9])('recur and are delayed over %i frames, small ones too', (frames) => {
    for (const lanes of LANES) {
      for (const init of [0, 3]) {
        check(`${lanes} ${init}`, (b) => {
          const past = b.feedback('int', frames, init, lanes);
          const more = b.node('gt', [vectorOf(b, 'sample', lanes, 7), b.real(0)]);
          const now = b.node('add', [past, more]);
          b.close(past, now);
          const late = b.delay(now, 2, init);
          return [now, late, past].flatMap((v) => probes(b, b.node('toReal', [v])));
        });
      }
    }
  });
});

describe('vectors', () => {
  test.each(DELAYS)('are delayed by %i frames', (frames) => {
    for (const lanes of LANES) {
      for (const init of INITS) {
        for (const source of ['sample', 'slider', 'const', 'param', 'recursive'] as const) {
          check(`${source} ${lanes} ${init}`, (b) => {
            const v = vectorOf(b, source, lanes, 1);
            const late = b.delay(v, frames, init);
            const later = b.delay(v, frames + 3, init);
            return [...probes(b, late), ...probes(b, b.node('sub', [later, late]))];
          });
        }
      }
    }
  });

  test.each(DELAYS)('recur over %i frames', (frames) => {
    for (const lanes of LANES) {
      for (const init of INITS) {
        check(`${lanes} ${init}`, (b) => {
          const past = b.feedback('real', frames, init, lanes);
          const fed = b.node('mul', [past, vectorOf(b, 'const', lanes, 2)]);
          const now = b.node('add', [vectorOf(b, 'sample', lanes, 3), fed]);
          const held = b.node('max', [b.real(-2), b.node('min', [b.real(2), now])]);
          b.close(past, held);
          return [...probes(b, held), ...probes(b, past)];
        });
      }
    }
  });

  test('recur through a matrix, two of them in one recursion', () => {
    for (const lanes of LANES) {
      check(`${lanes}`, (b) => {
        const [h, c] = [b.feedback('real', 1, 0.1, lanes), b.feedback('real', 1, 0, lanes)];
        const matrix = b.node('param', [], [0, lanes * lanes]);
        const x = vectorOf(b, 'sample', lanes, 4);
        const next = b.node('mul', [
          b.node('add', [b.node('matvec', [matrix, h]), x]),
          b.real(0.5 / lanes),
        ]);
        const cell = b.node('mul', [b.node('add', [c, next]), b.real(0.5)]);
        b.close(c, cell);
        b.close(h, b.node('mul', [cell, b.real(0.9)]));
        return [...probes(b, cell), ...probes(b, h)];
      });
    }
  });

  test('are handed from one recursion to another, and swapped in one', () => {
    check('swap', (b) => {
      const [p, q] = [b.feedback('real', 1, 1, 3), b.feedback('real', 1, -2, 3)];
      const x = vectorOf(b, 'sample', 3, 5);
      const moved = b.node('mul', [b.node('add', [p, x]), b.real(0.5)]);
      b.close(p, q);
      b.close(q, moved);
      return [...probes(b, p), ...probes(b, q)];
    });
  });
});

const decaying = (frames: number) => (b: Builder) => {
  const past = b.feedback('real', frames, 0, 6);
  const x = b.node('mul', [vectorOf(b, 'const', 6, 6), b.node('input', [], [0])]);
  const now = b.node('add', [x, b.node('mul', [past, b.real(0.9)])]);
  b.close(past, now);
  return probes(b, now);
};

test.each([1, 2, 7])('a decaying vector ends in silence, over %i frames', (frames) => {
  const y = play(instanceOf(decaying(frames)), {
    frames: 6000,
    blocks: [16],
    input: (_, n) => (n === 0 ? 1 : 0),
  });
  for (const lane of y) {
    expect(lane.at(-1)).toBe(0);
    expect(lane.every((v) => v === 0 || Math.abs(v) > 1e-20)).toBe(true);
  }
});

test.each([1, 2, 7])('a NaN does not stay in a recursion over %i frames', (frames) => {
  const y = play(instanceOf(decaying(frames)), {
    frames: 6000,
    blocks: [16],
    input: (_, n) => (n === 3 ? NaN : n === 4 ? Infinity : 0),
  });
  for (const lane of y) expect(lane.at(-1)).toBe(0);
});

test('one lane that is not finite is forgotten, the others go on', () => {
  const write = (b: Builder) => {
    const past = b.feedback('real', 1, 0, 5);
    const zero = b.real(0);
    const x = b.node('concat', [
      b.node('input', [], [0]),
      zero,
      zero,
      zero,
      b.node('input', [], [1]),
    ]);
    const now = b.node('add', [x, b.node('mul', [past, b.real(0.5)])]);
    b.close(past, now);
    return probes(b, now);
  };
  const y = play(instanceOf(write), {
    frames: 48,
    blocks: [16],
    input: (c, n) => (c === 0 ? 1 : n === 5 ? NaN : 0),
  });
  expect(y[0]!.at(-1)).toBeCloseTo(2, 6);
  expect(y[4]!.slice(16)).toEqual(new Array(32).fill(0));
});
