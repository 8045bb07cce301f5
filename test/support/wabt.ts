/** An independent assembler: the WebAssembly Binary Toolkit. */

import loadWabt from 'wabt';

const wabt = await loadWabt();

/** Bytes of a module in the text format. */
export function assemble(text: string): Uint8Array {
  const module = wabt.parseWat('test.wat', text, {
    simd: true,
    bulk_memory: true,
    relaxed_simd: true,
  });
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}
