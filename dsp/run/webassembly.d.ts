/**
 * The part of the WebAssembly JavaScript interface that this project uses.
 *
 * TypeScript declares it only together with the whole browser (`lib.dom`), and dsp/ must not see a browser. The shapes
 * are those of the W3C's "WebAssembly JavaScript Interface", so that both declarations agree where a project has both.
 */
declare namespace WebAssembly {
  interface Module {}
  const Module: {
    prototype: Module;
    new (bytes: Uint8Array | ArrayBuffer): Module;
    exports(module: Module): { name: string; kind: string }[];
    imports(module: Module): { module: string; name: string; kind: string }[];
  };

  interface Instance {
    readonly exports: Exports;
  }
  const Instance: {
    prototype: Instance;
    new (module: Module, imports?: Imports): Instance;
  };

  interface Memory {
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  const Memory: {
    prototype: Memory;
    new (descriptor: { initial: number; maximum?: number; shared?: boolean }): Memory;
  };

  interface CompileError extends Error {}
  const CompileError: { prototype: CompileError; new (message?: string): CompileError };
  interface LinkError extends Error {}
  const LinkError: { prototype: LinkError; new (message?: string): LinkError };
  interface RuntimeError extends Error {}
  const RuntimeError: { prototype: RuntimeError; new (message?: string): RuntimeError };

  type Imports = Record<string, Record<string, ImportValue>>;
  type ImportValue = ((...args: number[]) => number | void) | Memory | number;
  type Exports = Record<string, ExportValue>;
  type ExportValue = ((...args: number[]) => number) | Memory;

  function validate(bytes: Uint8Array | ArrayBuffer): boolean;
  function compile(bytes: Uint8Array | ArrayBuffer): Promise<Module>;
}
