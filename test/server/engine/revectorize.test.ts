/**
 * Eight numbers at a time: what the engine takes computes the same to the bit, on noise that it has
 * not been compared with as well; what does not is found out. Which programs V8 gets wrong is V8's
 * affair, so no test asks for any.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import type { Artifact } from '../../../dsp/artifact.ts';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { wasmKernel } from '../../../dsp/run/wasm-kernel.ts';
import { tryRevectorize } from '../../../server/engine/revectorize.ts';
import { translate } from '../../../server/engine/translate.ts';
import type { Supervised } from '../../support/supervised.ts';
import { exampleProgram, supervise } from '../../support/supervised.ts';

const BLOCK = 64;

function artifactOf(patch: Patch): Artifact {
  const made = compile(patch, { sampleRate: 48000, maxBlock: BLOCK, latency: 0, fused: true });
  if (!made.ok) throw new Error(JSON.stringify(made.diagnostics));
  return made.value;
}

/** Sixteen recorded lanes that a matrix product reads again: V8 13.6 computes garbage for it. */
function network(): Patch {
  const patch = buildPatch('network', (p) => {
    const weights = (id: string, size: number) =>
      p.param(id, { initial: { init: 'uniform', scale: 0.5, seed: size }, size, min: -1, max: 1 });
    const hidden = p.vector('dense', [p.input(1), weights('w1', 16)], { units: 16 });
    const next = p.vector('dense', [hidden, weights('w2', 128)], { units: 8 });
    const y = p.vector('dense', [next, weights('w3', 8)], { units: 1 });
    return {
      outputs: [y],
      training: {
        estimate: y,
        target: p.input(2),
        loss: 'mse',
        window: BLOCK,
        mode: 'reverse',
        optimiser: { kind: 'sgd' },
        schedule: { kind: 'constant', rate: 1e-3 },
      },
    };
  });
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  return patch.value;
}

const PATCHES = [...Object.values(EXAMPLES), network()];

/** What a program plays of a ramp that never repeats. */
function output(artifact: Artifact, module: WebAssembly.Module): number[] {
  const kernel = wasmKernel(artifact, module);
  artifact.params.forEach(({ initial }, k) => (kernel.params[k] = initial));
  return Array.from({ length: 8 }, (_, block) => {
    kernel.inputs.forEach((input, c) => {
      for (let n = 0; n < BLOCK; n++) input[n] = Math.sin((n + BLOCK * block) ** 1.5 + c);
    });
    kernel.stream(0, 0, BLOCK);
    return kernel.outputs.flatMap((channel) => [...channel.subarray(0, BLOCK)]);
  }).flat();
}

describe('eight numbers at a time', () => {
  it.each(PATCHES)('compute the same as four, or are not taken: $name', (patch) => {
    const artifact = artifactOf(patch);
    const plain = translate(artifact.wasm);
    const { module, detail } = tryRevectorize(artifact, plain);
    expect(detail).not.toBe('');
    if (module !== null) expect(output(artifact, module)).toEqual(output(artifact, plain));
  });

  it('are not taken where the memory differs', () => {
    const artifact = artifactOf(EXAMPLES['equaliser']!);
    const options = { sampleRate: 48000, maxBlock: BLOCK, latency: 0, fused: false };
    const plain = compile(EXAMPLES['equaliser']!, options);
    if (!plain.ok) throw new Error('the example compiles');
    expect(tryRevectorize(artifact, translate(plain.value.wasm)).module).toBeNull();
  });
});

describe('an engine that is to try them', () => {
  let run: Supervised | null = null;
  afterEach(async () => {
    await run?.close();
    run = null;
  });

  it('says what became of it, and stays with four after a crash', async () => {
    run = await supervise({}, 'auto');
    const { supervisor, events, states, until } = run;
    expect(supervisor.status.revectorized).toBeNull();
    expect(await supervisor.load(exampleProgram('gain'))).toMatchObject({ ok: true });
    expect(supervisor.status.revectorized).toBe(process.arch === 'x64');
    expect(events.map(({ kind }) => kind)).toEqual(['revectorized']);
    process.kill(supervisor.status.pid!, 'SIGSEGV');
    await until('another engine', () => states.join().endsWith('restarting,running'), 30);
    expect(supervisor.status.revectorized).toBeNull();
  });
});
