/**
 * Code in which V8 may join operations on four numbers side by side into one on eight (AVX2), where
 * that is asked for and computes the same.
 *
 * V8 calls it an experiment, and rightly so: 13.6 computes wrong numbers for some of what the
 * generator writes (test/server/engine/revectorize.test.ts has one). So each program is translated
 * both ways, both learn from the same noise, and unless all of their memory is equal to the bit it
 * plays as it always did. Invariant: without that, never. It is no proof: what only other inputs
 * reach has not been compared. Cost: a second translation and twice some blocks, off the audio thread.
 */
import type { Artifact } from '../../dsp/artifact.ts';
import { COURSE } from '../../dsp/ir/judging.ts';
import { wasmKernel } from '../../dsp/run/wasm-kernel.ts';
import { translate } from './translate.ts';

/** Runs that are compared, each of at least a window and a block. */
const RUNS = 4;
/** Bytes: larger programs are not compared. */
const LARGEST = 64 * 2 ** 20;

export interface Revectorized {
  /** Null where the program is to be played as it is. */
  readonly module: WebAssembly.Module | null;
  /** Why. */
  readonly detail: string;
}

/** @param plain  the same code, translated as usual */
export function tryRevectorize(artifact: Artifact, plain: WebAssembly.Module): Revectorized {
  const no = (detail: string): Revectorized => ({ module: null, detail });
  if (process.arch !== 'x64') return no(`V8 has no such code for ${process.arch}`);
  if (artifact.layout.bytes > LARGEST) return no('the program is too large to be compared');
  // V8 does not translate the bytes again that it has just translated: an empty section is added.
  const bytes = new Uint8Array(artifact.wasm.length + NAMELESS_SECTION.length);
  bytes.set(artifact.wasm);
  bytes.set(NAMELESS_SECTION, artifact.wasm.length);
  const module = translate(bytes, true);
  const [a, b] = [plain, module].map((code) => played(artifact, code)) as [Int32Array, Int32Array];
  if (!a.every((word, k) => word === b[k])) return no(`V8 ${process.versions.v8} gets it wrong`);
  return { module, detail: 'the same bits as four at a time' };
}

const NAMELESS_SECTION = [0, 1, 0] as const;

/** The memory of a program that has played and learned. */
function played(artifact: Artifact, module: WebAssembly.Module): Int32Array {
  const kernel = wasmKernel(artifact, module);
  const { maxBlock, window, params, sliders, layout } = artifact;
  let state = 1;
  const noise = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 32;
  };
  params.forEach(({ initial }, k) => (kernel.params[k] = initial));
  sliders.forEach(({ initial }, k) => (kernel.sliders[k] = initial));
  kernel.learningRate[0] = 1e-3;
  for (let run = 0; run < RUNS; run++) {
    let done = 0;
    do {
      // Not always a multiple of eight.
      const frames = Math.min(maxBlock - (run % 4), Math.max(1, (window || maxBlock) - done));
      for (const input of kernel.inputs) for (let n = 0; n < frames; n++) input[n] = noise();
      kernel.stream(0, done, frames);
      done += frames;
    } while (done < window);
    if (window > 0) {
      kernel.backward();
      kernel.update();
    }
    const { course } = kernel;
    if (course === null) continue;
    course.words[COURSE.active] = 1;
    course.rates.fill(1e-3);
    const frames = maxBlock - (run % 4);
    course.run(0, Math.max(0, window - frames), frames);
  }
  // The generator's code has a memory, which alone the interpreter has not.
  return kernel.memory!.words.slice(0, layout.bytes >> 2);
}
