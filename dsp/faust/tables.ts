/**
 * What a table holds before the first sample: so many samples of a signal that needs no input.
 *
 * The signal is compiled, in double precision, with a counter and a table that it is written into, and
 * run once; the numbers are read where the table lies. 65,536 places take milliseconds, a hundredth of
 * the interpreter's time, and what was filled of late is remembered: nearly every program reads the
 * same sine. Invariant: the same signal gives the same numbers on every machine.
 */

import { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { kept } from '../ir/lists.ts';
import { outName, withoutTraining } from '../ir/program.ts';
import { optimise } from '../passes/pipeline.ts';
import { generate } from '../wasm/generate.ts';
import { encode } from '../wasm/module.ts';

const NAME = 'content';

/** Tables that are remembered, the last one asked for behind. */
const MOST = 8;
const filled = new Map<string, readonly number[]>();

/**
 * @param text  says all that the content depends on
 * @param make  the signal, made of a new graph's nodes; nothing of it reads an input or a control
 * @param size  places
 */
export function contentOf(
  text: string,
  make: (b: Builder) => NodeId,
  size: number,
): readonly number[] {
  const key = `${size} ${text}`;
  const content = filled.get(key) ?? kept(fill(make, size));
  filled.delete(key);
  filled.set(key, content);
  for (const oldest of filled.keys()) {
    if (filled.size <= MOST) break;
    filled.delete(oldest);
  }
  return content;
}

function fill(make: (b: Builder) => NodeId, size: number): readonly number[] {
  const b = new Builder('stream');
  const before = b.feedback('int', 1, -1);
  const place = b.node('add', [before, b.int(1)]);
  b.close(before, place);
  const empty = b.filled(0, size);
  const signal = b.asReal(make(b));
  const table = b.within(NAME, () => b.node('rwtable', [empty, signal, place, place]));
  const stream = optimise(b.finish([{ name: outName(0), node: table }]));
  const program = { ...withoutTraining(NAME, 'double', stream), outputs: 1 };
  const { module, layout } = generate(program, size, false);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(encode(module)));
  // The generator wrote these exports; the host's types cannot know them.
  const exports = instance.exports as unknown as {
    readonly memory: { readonly buffer: ArrayBuffer };
    reset(): void;
    stream(offset: number, position: number, length: number): void;
  };
  exports.reset();
  exports.stream(0, 0, 4 * size);
  const slot = layout.states.find(({ names }) => names.some((name) => name.startsWith(NAME)));
  if (slot === undefined) throw new Error('the table that was filled has no place');
  return [...new Float64Array(exports.memory.buffer, slot.address, size)];
}
