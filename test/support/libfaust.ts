/**
 * The reference for Faust programs: libfaust compiles them, and its own WebAssembly plays them.
 *
 * The mathematics that the generated code imports (sin, pow, remainder, …) is the package's own
 * glue, as in a browser. Nothing of ours computes here, so that what our compiler makes of a
 * program can be compared with it, in value and in speed. The module is read once for each process,
 * without writing anywhere, and what it prints is kept from the console.
 *
 * That glue is not C's mathematics everywhere: halves are rounded up by `round` and `remainder`
 * (Math.round), and `copysign` takes the sign of a zero for a third one. Programs to be compared keep
 * away from there.
 *
 * Not here: denormals are left alone (`-ftz 0`) where nobody asks, and nothing is resampled or clipped.
 */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { compileFunction } from 'node:vm';
import {
  FaustWasmInstantiator,
  LibFaust,
  type FaustModuleFactory,
} from '@grame/faustwasm/dist/esm/index.js';
import type { Precision } from '../../dsp/ir/program.ts';

/** Where `generateAuxFiles` may write: a folder of the module's own memory file system. */
const OUT = '/out';

let loading: Promise<LibFaust> | undefined;

/** libfaust itself; the same for the life of the process. */
export function libfaust(): Promise<LibFaust> {
  return (loading ??= load());
}

async function load(): Promise<LibFaust> {
  const require = createRequire(import.meta.url);
  const file = require.resolve('@grame/faustwasm/libfaust-wasm/libfaust-wasm.js');
  // A CommonJS file in a package of ES modules: Node cannot load it by its name.
  const run = compileFunction(readFileSync(file, 'utf8'), [
    'require',
    'module',
    'exports',
    '__filename',
    '__dirname',
    'console',
  ]);
  const module: { exports: unknown } = { exports: {} };
  const keep = (...words: unknown[]): void => void printed?.push(words.join(' '));
  const quiet = { ...console, log: keep, info: keep, warn: keep, error: keep };
  run(require, module, module.exports, file, dirname(file), quiet);
  const data = new Uint8Array(readFileSync(file.replace(/js$/, 'data'))).buffer;
  const factory = module.exports as FaustModuleFactory;
  const lib = new LibFaust(
    await factory({
      wasmBinary: new Uint8Array(readFileSync(file.replace(/js$/, 'wasm'))).buffer,
      getPreloadedPackage: () => data,
    }),
  );
  lib.fs().mkdir(OUT);
  return lib;
}

/** What the module writes to its console goes here while somebody listens. */
let printed: string[] | undefined;

export interface EvaluateOptions {
  readonly precision: Precision;
  /** Libraries that the program imports, by file name. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Runs one request, with libfaust's own words as the error if it refuses. */
async function ask<T>(options: EvaluateOptions, request: (lib: LibFaust, args: string) => T) {
  const lib = await libfaust();
  const files = Object.entries(options.files ?? {});
  for (const [name, text] of files) lib.fs().writeFile(`/${name}`, text);
  const double = options.precision === 'double' ? '-double' : '';
  try {
    return request(lib, `${double} -I /`.trim());
  } catch (thrown) {
    const message = lib.getErrorAfterException();
    lib.cleanupAfterException();
    throw new Error(message || String(thrown), { cause: thrown });
  } finally {
    for (const [name] of files) lib.fs().unlink(`/${name}`);
  }
}

/** The program with its imports resolved, in libfaust's words. */
export function expand(code: string, options: EvaluateOptions): Promise<string> {
  return ask(options, (lib, args) => lib.expandDSP('program', code, args));
}

/**
 * The shared normal form: lines `ID_n = …;` and `SIG = (…);`, as libfaust prints them.
 * Contents of waveforms and kinds of groups are not in it.
 */
export async function normalForm(code: string, options: EvaluateOptions): Promise<string> {
  const lines: string[] = [];
  printed = lines;
  try {
    await ask(options, (lib, args) =>
      lib.generateAuxFiles('program', code, `-lang asc ${args} -norm1 -O ${OUT} -o x`),
    );
  } catch (error) {
    // The dump always ends with an exception.
    if (!(error instanceof Error && error.message.startsWith('Dump shared normal form'))) {
      throw error;
    }
  } finally {
    printed = undefined;
  }
  return lines
    .join('\n')
    .split('\n')
    .filter((line) => /^(ID_\d+|SIG) = /.test(line))
    .map((line) => `${line.trim()}\n`)
    .join('');
}

export interface ReferenceControl {
  /** The label and, behind it, the groups from the innermost out, without metadata. */
  readonly path: readonly string[];
  readonly kind: string;
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** Files of a soundfile. */
  readonly url: string;
  /** Where the instance keeps it, bytes. */
  readonly index: number;
}

/** A program that libfaust compiled; any number of instances can be made of it. */
export interface Reference {
  readonly precision: Precision;
  readonly module: WebAssembly.Module;
  /** libfaust's description of the module. */
  readonly json: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Bytes of an instance's state. */
  readonly size: number;
  /** Sliders, buttons, meters and recordings, in the order of the user interface. */
  readonly controls: readonly ReferenceControl[];
}

interface Item {
  readonly type: string;
  readonly label: string;
  readonly index?: number;
  readonly init?: number;
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
  readonly url?: string;
  readonly items?: readonly Item[];
}
interface Meta {
  readonly inputs: number;
  readonly outputs: number;
  readonly size: number;
  readonly ui: readonly Item[];
}

function controlsOf(items: readonly Item[], groups: readonly string[]): ReferenceControl[] {
  return items.flatMap((item): ReferenceControl[] => {
    const path = [item.label, ...groups];
    if (item.items !== undefined) return controlsOf(item.items, path);
    const { type: kind, index = 0, init: initial = 0, min = 0, max = 0, step = 0, url = '' } = item;
    return [{ path, kind, initial, min, max, step, url, index }];
  });
}

/** Has libfaust compile a program to its WebAssembly. @param options flush: denormals to zero (`-ftz 2`) */
export async function compileReference(
  code: string,
  options: EvaluateOptions & { readonly flush?: boolean },
): Promise<Reference> {
  const ftz = options.flush === true ? 2 : 0;
  const made = await ask(options, (lib, args) => {
    const factory = lib.createDSPFactory('program', code, `${args} -ftz ${ftz}`, true);
    const bytes = Uint8Array.from({ length: factory.data.size() }, (_, k) => factory.data.get(k));
    factory.data.delete();
    lib.deleteDSPFactory(factory.cfactory);
    return { bytes, json: factory.json };
  });
  const meta: Meta = JSON.parse(made.json);
  return {
    precision: options.precision,
    module: new WebAssembly.Module(made.bytes),
    json: made.json,
    inputs: meta.inputs,
    outputs: meta.outputs,
    size: meta.size,
    controls: controlsOf(meta.ui, []),
  };
}

/** A recording for a soundfile. */
export interface Sound {
  readonly sampleRate: number;
  /** [channels, frames] */
  readonly channels: readonly (readonly number[] | Float64Array)[];
}

export interface StartOptions {
  /** Hz; 48000 by default. */
  readonly sampleRate?: number;
  /** Frames that one `compute` makes; 128 by default. */
  readonly blockSize?: number;
  /** Contents of soundfiles, by file name; one that is not here is 1024 zeros at 44100 Hz. */
  readonly sounds?: Readonly<Record<string, Sound>>;
}

type Samples = Float32Array | Float64Array;

/** A running program over buffers of its own. */
export interface ReferenceInstance {
  readonly blockSize: number;
  /** What `compute` reads, [inputs, blockSize]. */
  readonly inputs: readonly Samples[];
  /** What `compute` writes, [outputs, blockSize]. */
  readonly outputs: readonly Samples[];
  /** One block, or its first `frames`; allocates nothing. */
  readonly compute: (frames?: number) => void;
  /** @param path as `controlIn` takes it; @param value not clamped */
  readonly set: (path: string, value: number) => void;
  readonly get: (path: string) => number;
}

/** Allocates behind the instance's own state; memory grows once, when all is known. */
class Heap {
  #end: number;

  constructor(start: number) {
    this.#end = start;
  }

  take(bytes: number): number {
    const at = (this.#end + 15) & ~15;
    this.#end = at + bytes;
    return at;
  }

  fit(memory: WebAssembly.Memory): void {
    const missing = Math.ceil((this.#end - memory.buffer.byteLength) / 65536);
    if (missing > 0) memory.grow(missing);
  }
}

/** libfaust's limits: so many parts and channels stand in a soundfile, whether they are used or not. */
const SOUND_PARTS = 256;
const SOUND_CHANNELS = 64;
const SILENT_PART: Sound = { sampleRate: 44100, channels: [new Float64Array(1024)] };

/**
 * Makes an instance of a compiled program, with all of its state at zero.
 *
 * @returns buffers and a closure over them; `compute` costs one call through the package's glue
 */
export function startReference(
  reference: Reference,
  options: StartOptions = {},
): ReferenceInstance {
  const { sampleRate = 48000, blockSize = 128, sounds = {} } = options;
  const { memory, api } = FaustWasmInstantiator.createSyncMonoDSPInstance(reference);
  const heap = new Heap(reference.size);
  const bytes = reference.precision === 'double' ? 8 : 4;
  const block = (): number => heap.take(blockSize * bytes);
  const inputAt = Array.from({ length: reference.inputs }, block);
  const outputAt = Array.from({ length: reference.outputs }, block);
  const inputList = heap.take(4 * reference.inputs);
  const outputList = heap.take(4 * reference.outputs);
  const placed = reference.controls
    .filter(({ kind }) => kind === 'soundfile')
    .map((control) => placeSound(heap, control, sounds, bytes));
  heap.fit(memory);

  const view = new DataView(memory.buffer);
  inputAt.forEach((at, k) => view.setInt32(inputList + 4 * k, at, true));
  outputAt.forEach((at, k) => view.setInt32(outputList + 4 * k, at, true));
  api.init(0, sampleRate);
  for (const write of placed) write(view);
  const samples = (at: number): Samples =>
    bytes === 8
      ? new Float64Array(memory.buffer, at, blockSize)
      : new Float32Array(memory.buffer, at, blockSize);
  return {
    blockSize,
    inputs: inputAt.map(samples),
    outputs: outputAt.map(samples),
    compute: (frames = blockSize) => api.compute(0, frames, inputList, outputList),
    set: (path, value) => api.setParamValue(0, controlIn(reference, path).index, value),
    get: (path) => api.getParamValue(0, controlIn(reference, path).index),
  };
}

/** Takes the room of a soundfile; @returns what fills it in, once there is memory. */
function placeSound(
  heap: Heap,
  control: ReferenceControl,
  sounds: Readonly<Record<string, Sound>>,
  bytes: number,
): (view: DataView) => void {
  // `{'a.wav';'b.wav'}`, whose quotes libfaust's description replaces by hyphens.
  const named = control.url.replace(/^\{|\}$/g, '').split(';');
  const parts = Array.from(
    { length: SOUND_PARTS },
    (_, k) => sounds[named[k]?.slice(1, -1) ?? ''] ?? SILENT_PART,
  );
  const lengths = parts.map(({ channels }) => channels[0]!.length);
  const frames = lengths.reduce((sum, length) => sum + length, 0);
  const width = Math.max(...parts.map(({ channels }) => channels.length));
  const at = heap.take(16);
  // Whole numbers and the list of channels take as much room as reals do. (The package's own loader
  // packs the list, and so hears the first channel twice in double precision.)
  const buffers = heap.take(bytes * SOUND_CHANNELS);
  const [lengthAt, rateAt, offsetAt] = [0, 1, 2].map(() => heap.take(bytes * SOUND_PARTS)) as [
    number,
    number,
    number,
  ];
  const channelAt = Array.from({ length: width }, () => heap.take(bytes * frames));
  return (view) => {
    view.setInt32(control.index, at, true);
    [buffers, lengthAt, rateAt, offsetAt].forEach((to, k) => view.setInt32(at + 4 * k, to, true));
    for (let k = 0; k < SOUND_CHANNELS; k++) {
      view.setInt32(buffers + bytes * k, channelAt[k % width]!, true);
    }
    let offset = 0;
    parts.forEach(({ sampleRate, channels }, part) => {
      view.setInt32(lengthAt + bytes * part, lengths[part]!, true);
      view.setInt32(rateAt + bytes * part, sampleRate, true);
      view.setInt32(offsetAt + bytes * part, offset, true);
      channelAt.forEach((to, c) => {
        channels[c % channels.length]!.forEach((x, t) => {
          const where = to + bytes * (offset + t);
          if (bytes === 8) view.setFloat64(where, x, true);
          else view.setFloat32(where, x, true);
        });
      });
      offset += lengths[part]!;
    });
  };
}

/**
 * A control by its path: the label, then "/" and its groups from the innermost out, as the normal
 * form names it (`gain[unit:dB]/mixer`); metadata and outer groups may be left out.
 *
 * Errors: none or more than one of that path.
 */
export function controlIn(reference: Reference, path: string): ReferenceControl {
  const wanted = path
    .replace(/\[[^\]]*\]/g, '')
    .split('/')
    .map((label) => label.trim());
  const found = reference.controls.filter(({ path }) =>
    wanted.every((label, k) => label === path[k]),
  );
  const exact = found.filter(({ path }) => path.length === wanted.length);
  const [control] = exact.length === 1 ? exact : found;
  if (control === undefined || (found.length > 1 && exact.length !== 1)) {
    throw new Error(`${found.length} controls with the path ${path}`);
  }
  return control;
}

/** A control moved before the sample `at` is computed. */
export interface Move {
  readonly at: number;
  readonly path: string;
  readonly value: number;
}

export interface PlayOptions extends StartOptions {
  readonly frames: number;
  /** [inputs, frames]; what is missing is silence. */
  readonly inputs?: readonly Float64Array[];
  /** In order of time. */
  readonly moves?: readonly Move[];
}

/** Plays a program from its start; @returns [outputs, frames]. */
export function playReference(reference: Reference, options: PlayOptions): Float64Array[] {
  const { frames, inputs = [], moves = [] } = options;
  const instance = startReference(reference, options);
  const outputs = instance.outputs.map(() => new Float64Array(frames));
  let next = 0;
  for (let from = 0; from < frames;) {
    for (; next < moves.length && moves[next]!.at <= from; next++) {
      instance.set(moves[next]!.path, moves[next]!.value);
    }
    const until = Math.min(frames, from + instance.blockSize, moves[next]?.at ?? frames);
    instance.inputs.forEach((block, k) => {
      block.fill(0);
      block.set(inputs[k]?.subarray(from, until) ?? []);
    });
    instance.compute(until - from);
    instance.outputs.forEach((block, k) => outputs[k]!.set(block.subarray(0, until - from), from));
    from = until;
  }
  return outputs;
}
