/**
 * Generated code -> machine code, by the optimising compiler, whole, at once: the audio thread must
 * not meet slow code first.
 *
 * The flags hold for the process, so they are set for this moment only: Node's own WebAssembly (it
 * strips the types of these sources) compiled this way costs two seconds.
 */
import { setFlagsFromString } from 'node:v8';

/** Joins operations on four numbers into one on eight: V8 knows it on x86-64 alone. */
const REVECTORIZE = 'experimental-wasm-revectorize';

/** Longest translation that the engine may be busy with, seconds: then it counts as hung. */
export const LONGEST_TRANSLATION = 1;

/**
 * Throws a CompileError for code that this engine refuses.
 *
 * @param wide  may V8 join vectors of four to vectors of eight? See revectorize.ts
 */
export function translate(wasm: Uint8Array, wide = false): WebAssembly.Module {
  try {
    setFlagsFromString('--no-liftoff');
    setFlagsFromString('--no-wasm-lazy-compilation');
    if (wide) setFlagsFromString(`--${REVECTORIZE}`);
    return new WebAssembly.Module(wasm);
  } finally {
    setFlagsFromString('--liftoff');
    setFlagsFromString('--wasm-lazy-compilation');
    if (wide) setFlagsFromString(`--no-${REVECTORIZE}`);
  }
}
