/**
 * libfaust, Faust's own compiler, as a function from text to normal form.
 *
 * `@grame/faustwasm` holds it as an Emscripten module with the standard libraries; this loads that
 * module's files as they are, in any thread. It is given no `fs`, no network and no `process` of
 * ours, prints into a list, and reads nothing but its memory file system (see libraries.ts).
 *
 * Invariant: an instance that ran out of stack or memory, or hit an assertion, is thrown away, as
 * is one whose memory has grown; the next call boots another. libfaust ends every run with a C++
 * exception, which the module cannot catch: the stack is set back before each run.
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, posix } from 'node:path';
import type { Waveform } from '../../dsp/faust/program.ts';
import { OWN, mountOf, readOwn, type Libraries } from './libraries.ts';
import { Standard } from './standard.ts';
import { tag, type Label, type Tagged } from './tag.ts';

/** The name of the program in libfaust's messages: no file can be called so. */
export const PROGRAM = 'lg:program';

/** What came of one run. */
export type Dump =
  | {
      readonly kind: 'form';
      /** As it was printed: tagged (see tag.ts). */
      readonly text: string;
      readonly waveforms: ReadonlyMap<string, Waveform>;
      /** Labels of the program, and of all libraries that were opened. */
      readonly own: readonly Label[];
      readonly imported: readonly Label[];
    }
  /** libfaust refused the program; its message. */
  | { readonly kind: 'refused'; readonly message: string }
  /** libfaust itself gave up. */
  | {
      readonly kind: 'broken';
      readonly why: 'stack' | 'memory' | 'fault';
      readonly detail: string;
    };

export interface LibfaustLimits {
  /** Most that one evaluation may use, bytes. */
  readonly memory: number;
  /** An instance that uses more after an evaluation is not kept, bytes. */
  readonly keep: number;
}

const LIMITS: LibfaustLimits = { memory: 768 << 20, keep: 192 << 20 };

/** Larger than what one function takes of the module's own stack, bytes. */
const STACK_MARGIN = 64 << 10;

const STANDARD = '/usr/share/faust/';

/** Where the module may open what is there already; its devices and folders are no libraries. */
const OPEN = [STANDARD, '/out/'];

/** "No such file", as the module's own file system says it. */
const ABSENT = -44;

export class Libfaust {
  readonly #limits: LibfaustLimits;
  #instance: Promise<Instance> | undefined;
  #boots = 0;
  #standard: Standard | undefined;

  constructor(limits: LibfaustLimits = LIMITS) {
    this.#limits = limits;
  }

  /** How often the module was booted. */
  get boots(): number {
    return this.#boots;
  }

  /** Boots it, so that the first evaluation need not. */
  async boot(): Promise<void> {
    await this.#ready();
  }

  /**
   * The normal form of a program. Throws only when the module's files are not there.
   *
   * @param entry  the definition that is evaluated
   */
  async dump(
    code: string,
    double: boolean,
    libraries: Libraries,
    entry = 'process',
  ): Promise<Dump> {
    const instance = await this.#ready();
    const dump = instance.dump(code, double, libraries, entry);
    if (dump.kind === 'broken' || instance.bytes > this.#limits.keep) this.#instance = undefined;
    return dump;
  }

  /** The program with all imports and definitions put in; undefined where that fails. */
  async expand(code: string, double: boolean, libraries: Libraries): Promise<string | undefined> {
    const instance = await this.#ready();
    const text = instance.expand(code, double, libraries);
    if (text === undefined || instance.bytes > this.#limits.keep) this.#instance = undefined;
    return text;
  }

  /** What the standard libraries define. */
  async standard(): Promise<Standard> {
    const instance = await this.#ready();
    return (this.#standard ??= new Standard((file) =>
      file === OWN ? readOwn() : instance.textOf(file),
    ));
  }

  #ready(): Promise<Instance> {
    if (this.#instance === undefined) {
      this.#boots++;
      this.#instance = Instance.boot(this.#limits.memory);
      this.#instance.catch(() => (this.#instance = undefined));
    }
    return this.#instance;
  }
}

// --- the module ------------------------------------------------------------------------------

interface Emscripten {
  readonly FS: {
    mkdirTree(path: string): void;
    writeFile(path: string, content: string): void;
    readFile(path: string, options: { encoding: 'utf8' }): string;
    unlink(path: string): void;
    analyzePath(path: string): { readonly exists: boolean };
    cwd(): string;
    chdir(path: string): void;
  };
  readonly libFaustWasm: new () => {
    expandDSP(name: string, code: string, options: string): string;
    generateAuxFiles(name: string, code: string, options: string): boolean;
    getErrorAfterException(): string;
    cleanupAfterException(): void;
  };
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  emscripten_stack_get_current(): number;
  emscripten_stack_get_end(): number;
  _emscripten_stack_restore(address: number): void;
}

type Import = (a: number, b: number, c: number, d: number) => number | void;
type Imports = Record<string, Record<string, Import>>;

interface Files {
  readonly factory: (
    ...surroundings: unknown[]
  ) => (module: Record<string, unknown>) => Promise<Emscripten>;
  readonly wasm: WebAssembly.Module;
  readonly data: ArrayBuffer;
}

const SURROUNDINGS = ['require', 'process', '__dirname', '__filename', 'console', 'WebAssembly'];

let files: Files | undefined;

/** Reads and translates the module's files, once in a thread: 40 ms. */
function readFiles(): Files {
  const script = createRequire(import.meta.url).resolve(
    '@grame/faustwasm/libfaust-wasm/libfaust-wasm.js',
  );
  const file = (name: string): Uint8Array<ArrayBuffer> =>
    new Uint8Array(readFileSync(join(dirname(script), name)));
  const source = readFileSync(script, 'utf8');
  const name = /^\s*var (\w+)\s*=/u.exec(source)?.[1] ?? 'FaustModule';
  return {
    // The file is neither an ES module nor, by its package, CommonJS.
    // oxlint-disable-next-line no-new-func, no-implied-eval
    factory: new Function(...SURROUNDINGS, `${source}\nreturn ${name};`) as Files['factory'],
    wasm: new WebAssembly.Module(file('libfaust-wasm.wasm')),
    data: file('libfaust-wasm.data').buffer,
  };
}

/** A C++ exception: libfaust's own way to say no. */
class Thrown extends Error {}

/** An import by URL. */
class Remote extends Error {}

/** The module needs more memory than it may have. */
class OutOfMemory extends Error {}

class Instance {
  readonly #module: Emscripten;
  readonly #compiler: InstanceType<Emscripten['libFaustWasm']>;
  readonly #exports: Exports;
  readonly #output: string[];
  readonly #stack: number;
  /** Standard libraries that were tagged, by path. */
  readonly #standard = new Map<string, Tagged>();
  #libraries: Libraries | undefined;
  /** What the run under way has opened, by path. */
  #opened = new Map<string, Tagged>();

  static async boot(limit: number): Promise<Instance> {
    files ??= readFiles();
    const output: string[] = [];
    const print = (...words: unknown[]): void => void output.push(words.join(' '));
    let exports: Exports | undefined;
    const hooks: { open?: (path: string) => boolean } = {};
    const memory = (): Uint8Array => new Uint8Array(exports!.memory.buffer);
    const guard = (env: Record<string, Import>): void => {
      const { __syscall_openat: open, emscripten_resize_heap: resize } = env;
      env['__syscall_openat'] = (folder, path, flags, mode) => {
        const isThere = hooks.open?.(textAt(memory(), path)) ?? true;
        return isThere ? open!(folder, path, flags, mode) : ABSENT;
      };
      env['emscripten_resize_heap'] = (bytes) => {
        if (bytes >>> 0 > limit) throw new OutOfMemory('it ran out of memory');
        return resize!(bytes, 0, 0, 0);
      };
      env['__cxa_throw'] = () => {
        throw new Thrown('a C++ exception');
      };
      // The one piece of JavaScript in libfaust: a synchronous request for a library by its URL.
      env['emscripten_asm_const_int'] = (_code, _types, args) => {
        const address = new DataView(exports!.memory.buffer).getUint32(args, true);
        throw new Remote(textAt(memory(), address));
      };
    };
    const instantiate = (_bytes: unknown, imports: Imports): unknown => {
      guard(imports['env']!);
      const instance = new WebAssembly.Instance(files!.wasm, imports);
      exports = instance.exports as unknown as Exports;
      return { instance, module: files!.wasm };
    };
    const surroundings = [
      () => ({}),
      { versions: process.versions, argv: [] },
      '/',
      '/libfaust.js',
      { log: print, warn: print, error: print },
      { Memory: WebAssembly.Memory, RuntimeError: WebAssembly.RuntimeError, instantiate },
    ];
    const module = await files.factory(...surroundings)({
      wasmBinary: new Uint8Array(),
      getPreloadedPackage: () => files!.data,
    });
    const instance = new Instance(module, exports!, output);
    hooks.open = (path) => instance.#opening(path);
    return instance;
  }

  private constructor(module: Emscripten, exports: Exports, output: string[]) {
    this.#module = module;
    this.#exports = exports;
    this.#output = output;
    this.#compiler = new module.libFaustWasm();
    this.#stack = exports.emscripten_stack_get_current();
    module.FS.mkdirTree('/out');
  }

  get bytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  dump(code: string, double: boolean, libraries: Libraries, entry: string): Dump {
    const options = `-lang asc -norm1 -O /out -o x -pn ${entry} ${this.#prepare(double, libraries)}`;
    const tagged = tag(withoutMark(code));
    try {
      this.#compiler.generateAuxFiles(PROGRAM, tagged.text, options);
      return { kind: 'broken', why: 'fault', detail: 'it printed no normal form' };
    } catch (error) {
      return this.#ended(error, tagged);
    }
  }

  /** Of a standard library. */
  textOf(file: string): string | undefined {
    const path = `${STANDARD}${file}`;
    const { FS } = this.#module;
    return file !== '' && FS.analyzePath(path).exists
      ? FS.readFile(path, { encoding: 'utf8' })
      : undefined;
  }

  expand(code: string, double: boolean, libraries: Libraries): string | undefined {
    try {
      return this.#compiler.expandDSP(PROGRAM, withoutMark(code), this.#prepare(double, libraries));
    } catch {
      return undefined;
    }
  }

  /** Everything as before the first run. @returns libfaust's options for these folders */
  #prepare(double: boolean, libraries: Libraries): string {
    const folders = libraries.folders.map((_folder, k) => mountOf(k));
    for (const folder of folders) this.#module.FS.mkdirTree(folder);
    // A program imports relative to the folder that it would lie in, the first.
    this.#module.FS.chdir(folders[0] ?? '/');
    this.#libraries = libraries;
    this.#opened = new Map();
    this.#output.length = 0;
    this.#exports._emscripten_stack_restore(this.#stack);
    const search = [...folders, '/'].map((folder) => `-I ${folder}`);
    return [...(double ? ['-double'] : []), ...search].join(' ');
  }

  /** How a run ended: libfaust ends each by an exception, a good one too. */
  #ended(error: unknown, own: Tagged): Dump {
    if (error instanceof RangeError || this.#hasOverrun()) {
      return { kind: 'broken', why: 'stack', detail: String(error) };
    }
    if (error instanceof OutOfMemory) {
      return { kind: 'broken', why: 'memory', detail: error.message };
    }
    if (error instanceof Remote) {
      this.#compiler.cleanupAfterException();
      return { kind: 'refused', message: `ERROR : unable to access URL ${error.message}` };
    }
    if (!(error instanceof Thrown)) return { kind: 'broken', why: 'fault', detail: String(error) };
    const message = this.#compiler.getErrorAfterException();
    this.#compiler.cleanupAfterException();
    const text = this.#output.join('\n');
    if (!message.startsWith('Dump shared normal form finished')) {
      return message.includes('ERROR')
        ? { kind: 'refused', message }
        : { kind: 'broken', why: 'fault', detail: message };
    }
    // Whole: it says how many lines it has, and ends with the outputs.
    const size = Number(/^\/\/ Size = (\d+)/mu.exec(text)?.[1]);
    const lines = text.match(/^ID_\d+ = /gmu)?.length ?? 0;
    if (lines !== size || !/^SIG = \(.*\);$/mu.test(text)) {
      return { kind: 'broken', why: 'fault', detail: `${lines} of ${size} lines of the form` };
    }
    const imported = [...this.#opened.values()];
    const waveforms = new Map([own, ...imported].flatMap((tagged) => [...tagged.waveforms]));
    const labels = imported.flatMap((tagged) => tagged.labels);
    return { kind: 'form', text, waveforms, own: own.labels, imported: labels };
  }

  /**
   * Whether the run went over the end of the module's own stack, which is in its memory (8 MB) and
   * not watched. The stack is still as deep as it was when the run ended.
   */
  #hasOverrun(): boolean {
    const depth = this.#exports.emscripten_stack_get_current();
    return depth < this.#exports.emscripten_stack_get_end() + STACK_MARGIN;
  }

  /** Puts the file where libfaust is about to look for it. @returns false where it may not look */
  #opening(path: string): boolean {
    const { FS } = this.#module;
    const at = posix.resolve(FS.cwd(), path);
    const isOwned = this.#libraries?.owns(at) === true;
    if (at.startsWith(STANDARD)) {
      const tagged = this.#standard.get(at) ?? this.#prepareStandard(at);
      if (tagged === undefined) return true;
      this.#standard.set(at, tagged);
      this.#opened.set(at, tagged);
    } else if (isOwned && !this.#opened.has(at)) {
      const content = this.#libraries?.read(at);
      if (content !== undefined) {
        FS.mkdirTree(posix.dirname(at));
        this.#opened.set(at, this.#write(at, content));
      } else if (FS.analyzePath(at).exists) FS.unlink(at);
    }
    return isOwned || OPEN.some((folder) => at.startsWith(folder));
  }

  /** A standard library is more than half comments, and reading them is a tenth of all time. */
  #prepareStandard(path: string): Tagged | undefined {
    const { FS } = this.#module;
    if (!FS.analyzePath(path).exists) return undefined;
    const content = FS.readFile(path, { encoding: 'utf8' });
    return this.#write(path, content.replaceAll(/^\/\/.*$/gmu, ''));
  }

  #write(path: string, content: string): Tagged {
    const tagged = tag(withoutMark(content));
    this.#module.FS.writeFile(path, tagged.text);
    return tagged;
  }
}

/** Without the byte order mark that some editors begin a text with. */
const withoutMark = (text: string): string => text.replace(/^\uFEFF/u, '');

function textAt(memory: Uint8Array, address: number): string {
  return new TextDecoder().decode(memory.slice(address, memory.indexOf(0, address)));
}
