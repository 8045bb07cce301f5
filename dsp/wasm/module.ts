/**
 * A WebAssembly module as data, and its two writings: bytes and text.
 *
 * Invariant: the encoding depends on the module alone, so equal modules give equal bytes; both
 * writings come from the same instruction lists. It checks nothing that the engine's validator
 * checks anyway. Source: WebAssembly Core Specification 2.0, section 5 (binary format).
 */

import type { Part } from '../artifact.ts';
import { SINGLE } from './element.ts';
import type { Element } from './element.ts';
import { INSTRUCTIONS, alignmentOf } from './instructions.ts';
import type { Mnemonic } from './instructions.ts';

export type WasmType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

/**
 * Mnemonic, then immediates: an index, a memory offset, a constant, or 16 bytes. What follows `loop`
 * is not encoded: how often its body runs each time, when a function runs over all that it can.
 */
export type Instr = readonly [Mnemonic, ...number[]];

/** A function local by its index. */
export interface Local {
  readonly index: number;
  readonly type: WasmType;
}

/** One function under construction: exported by its name, unless only other functions call it. */
export class Func {
  readonly name: string;
  readonly params: readonly WasmType[];
  readonly internal: boolean;
  /** May it multiply and add vectors with one rounding, where the machine can? */
  readonly fused: boolean;
  #element: Element;
  readonly locals: WasmType[] = [];
  readonly body: Instr[] = [];
  /** What the code from an instruction on is for, for those who count it. */
  readonly parts: { readonly part: Part; readonly from: number }[] = [];
  readonly #released = new Map<WasmType, Local[]>();

  constructor(
    name: string,
    params: readonly WasmType[],
    {
      internal = false,
      fused = false,
      element = SINGLE,
    }: {
      readonly internal?: boolean;
      readonly fused?: boolean;
      readonly element?: Element;
    } = {},
  ) {
    this.name = name;
    this.params = params;
    this.internal = internal;
    this.fused = fused;
    this.#element = element;
  }

  /** What the numbers are that it computes. */
  get element(): Element {
    return this.#element;
  }

  /** Code that computes with other numbers, and is part of this function. */
  within(element: Element, write: () => void): void {
    const own = this.#element;
    this.#element = element;
    write();
    this.#element = own;
  }

  param(index: number): Local {
    const type = this.params[index];
    if (type === undefined) throw new Error(`${this.name} has no parameter ${index}`);
    return { index, type };
  }

  /** A local that nothing else uses now: a released one if there is one. */
  local(type: WasmType): Local {
    const released = this.#released.get(type)?.pop();
    return released ?? this.fresh(type);
  }

  /** A local that nothing has used before: it may be set ahead of code that was already written. */
  fresh(type: WasmType): Local {
    this.locals.push(type);
    return { index: this.params.length + this.locals.length - 1, type };
  }

  /** Gives a local back: its value will not be read again. Engines allow 50,000 of them. */
  release(local: Local): void {
    const list = this.#released.get(local.type);
    if (list === undefined) this.#released.set(local.type, [local]);
    else list.push(local);
  }

  /** What is written from now on is for this. */
  begin(part: Part): void {
    this.parts.push({ part, from: this.body.length });
  }

  emit(...code: readonly Instr[]): void {
    this.append(code);
  }

  /** As `emit`, for code of any length: arguments live on the call stack. */
  append(code: readonly Instr[]): void {
    for (const instr of code) this.body.push(instr);
  }
}

/** Bytes that are in memory when the module has been instantiated. */
export interface Data {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export interface Module {
  /** A function's place in this list is the index that `call` takes. */
  readonly functions: readonly Func[];
  /** 64 KiB each; the memory never grows. */
  readonly pages: number;
  readonly data: readonly Data[];
}

export const get = (local: Local): Instr => ['local.get', local.index];
export const set = (local: Local): Instr => ['local.set', local.index];
/** @param index  the callee's place in `Module.functions`; its arguments are on the stack */
export const call = (index: number): Instr => ['call', index];

const TYPE_BYTE = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
const VOID = 0x40;

/** A growing byte array: no number is boxed, however large the module. */
class Bytes {
  #data = new Uint8Array(1 << 12);
  #view = new DataView(this.#data.buffer);
  length = 0;

  #room(extra: number): void {
    if (this.length + extra <= this.#data.length) return;
    const larger = new Uint8Array(Math.max(this.#data.length * 2, this.length + extra));
    larger.set(this.#data);
    this.#data = larger;
    this.#view = new DataView(larger.buffer);
  }

  byte(value: number): void {
    this.#room(1);
    this.#data[this.length++] = value;
  }

  bytes(values: ArrayLike<number>): void {
    this.#room(values.length);
    this.#data.set(values, this.length);
    this.length += values.length;
  }

  /** LEB128, unsigned. */
  unsigned(value: number): void {
    let rest = value;
    do {
      const low = rest % 128;
      rest = Math.floor(rest / 128);
      this.byte(rest > 0 ? low | 128 : low);
    } while (rest > 0);
  }

  /** LEB128, signed 32-bit. */
  signed(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 127;
      rest >>= 7;
      if ((rest === 0 && (low & 64) === 0) || (rest === -1 && (low & 64) !== 0)) {
        this.byte(low);
        return;
      }
      this.byte(low | 128);
    }
  }

  /** LEB128, signed; a whole number that a double holds exactly. */
  signed64(value: number): void {
    let rest = BigInt(value);
    for (;;) {
      const low = Number(rest & 127n);
      rest >>= 7n;
      if ((rest === 0n && (low & 64) === 0) || (rest === -1n && (low & 64) !== 0)) {
        this.byte(low);
        return;
      }
      this.byte(low | 128);
    }
  }

  float32(value: number): void {
    this.#room(4);
    this.#view.setFloat32(this.length, value, true);
    this.length += 4;
  }

  float64(value: number): void {
    this.#room(8);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.#data.slice(0, this.length);
  }
}

export function encode(module: Module): Uint8Array<ArrayBuffer> {
  const out = new Bytes();
  out.bytes([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const section = (id: number, write: (b: Bytes) => void): void => {
    const content = new Bytes();
    write(content);
    out.byte(id);
    out.unsigned(content.length);
    out.bytes(content.done());
  };
  const name = (b: Bytes, text: string): void => {
    // Names are ours and plain ASCII.
    b.unsigned(text.length);
    b.bytes(Array.from(text, (c) => c.charCodeAt(0)));
  };
  const { functions } = module;
  const signatures = [...new Set(functions.map((f) => f.params.join()))];
  section(1, (b) => {
    b.unsigned(signatures.length);
    for (const signature of signatures) {
      const { params } = functions.find((f) => f.params.join() === signature)!;
      b.byte(0x60);
      b.unsigned(params.length);
      b.bytes(params.map((t) => TYPE_BYTE[t]));
      b.unsigned(0);
    }
  });
  section(3, (b) => {
    b.unsigned(functions.length);
    for (const f of functions) b.unsigned(signatures.indexOf(f.params.join()));
  });
  section(5, (b) => {
    b.bytes([1, 1]);
    b.unsigned(module.pages);
    b.unsigned(module.pages);
  });
  section(7, (b) => {
    b.unsigned(functions.filter((f) => !f.internal).length + 1);
    name(b, 'memory');
    b.bytes([2, 0]);
    functions.forEach((f, i) => {
      if (f.internal) return;
      name(b, f.name);
      b.byte(0);
      b.unsigned(i);
    });
  });
  section(10, (b) => {
    b.unsigned(functions.length);
    for (const f of functions) {
      const body = new Bytes();
      const runs = runsOf(f.locals);
      body.unsigned(runs.length);
      for (const { type, count } of runs) {
        body.unsigned(count);
        body.byte(TYPE_BYTE[type]);
      }
      for (const instr of f.body) encodeInstr(body, instr);
      body.byte(0x0b);
      b.unsigned(body.length);
      b.bytes(body.done());
    }
  });
  if (module.data.length > 0) {
    section(11, (b) => {
      b.unsigned(module.data.length);
      for (const { address, bytes } of module.data) {
        // Active, in memory 0, at a constant address.
        b.byte(0);
        encodeInstr(b, ['i32.const', address]);
        b.byte(0x0b);
        b.unsigned(bytes.length);
        b.bytes(bytes);
      }
    });
  }
  return out.done();
}

function runsOf(types: readonly WasmType[]): { type: WasmType; count: number }[] {
  const runs: { type: WasmType; count: number }[] = [];
  for (const type of types) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ type, count: 1 });
  }
  return runs;
}

function encodeInstr(b: Bytes, instr: Instr): void {
  const [mnemonic, ...immediates] = instr;
  const { bytes, immediate } = INSTRUCTIONS[mnemonic];
  b.bytes(bytes);
  const first = immediates[0] ?? 0;
  switch (immediate) {
    case 'none':
      break;
    case 'block':
      b.byte(VOID);
      break;
    case 'index':
    case 'lane':
      b.unsigned(first);
      break;
    case 'memory':
      b.unsigned(alignmentOf(mnemonic));
      b.unsigned(first);
      break;
    case 'memoryLane':
      b.unsigned(alignmentOf(mnemonic));
      b.unsigned(first);
      b.byte(immediates[1] ?? 0);
      break;
    case 'i32':
      b.signed(first);
      break;
    case 'i64':
      b.signed64(first);
      break;
    case 'f32':
      b.float32(first);
      break;
    case 'f64':
      b.float64(first);
      break;
    case 'v128':
      b.bytes(immediates);
      break;
    case 'zeros1':
      b.byte(0);
      break;
    case 'zeros2':
      b.bytes([0, 0]);
      break;
  }
}

/** The module in the WebAssembly text format. */
export function printWat(module: Module): string {
  const lines = ['(module', `  (memory (export "memory") ${module.pages} ${module.pages})`];
  for (const f of module.functions) {
    const params = f.params.length > 0 ? ` (param ${f.params.join(' ')})` : '';
    const name = f.internal ? `$${f.name}` : `(export "${f.name}")`;
    lines.push(`  (func ${name}${params}`);
    if (f.locals.length > 0) lines.push(`    (local ${f.locals.join(' ')})`);
    let depth = 2;
    for (const instr of f.body) {
      const [mnemonic] = instr;
      if (mnemonic === 'end' || mnemonic === 'else') depth--;
      lines.push(`${'  '.repeat(depth)}${printInstr(instr)}`);
      if (mnemonic === 'else' || INSTRUCTIONS[mnemonic].immediate === 'block') depth++;
    }
    lines.push('  )');
  }
  for (const { address, bytes } of module.data) {
    const text = Array.from(bytes, (byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('');
    lines.push(`  (data (i32.const ${address}) "${text}")`);
  }
  return [...lines, ')', ''].join('\n');
}

function printInstr(instr: Instr): string {
  const [mnemonic, ...immediates] = instr;
  switch (INSTRUCTIONS[mnemonic].immediate) {
    case 'none':
    case 'zeros1':
    case 'zeros2':
      return mnemonic;
    case 'block':
      return immediates.length > 0 ? `${mnemonic} ;; rounds: ${immediates[0]}` : mnemonic;
    case 'memory':
      return `${mnemonic} offset=${immediates[0]}`;
    case 'memoryLane':
      return `${mnemonic} offset=${immediates[0]} ${immediates[1]}`;
    case 'f32':
    case 'f64':
      return `${mnemonic} ${printFloat(immediates[0]!)}`;
    case 'v128': {
      const kind = mnemonic === 'v128.const' ? ' i8x16' : '';
      return `${mnemonic}${kind} ${immediates.join(' ')}`;
    }
    case 'index':
    case 'lane':
    case 'i32':
      return `${mnemonic} ${immediates[0]}`;
    case 'i64':
      // All digits: a number prints no more of them than tell it from its neighbours.
      return `${mnemonic} ${BigInt(immediates[0]!)}`;
  }
}

function printFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return Object.is(value, -0) ? '-0' : String(value);
}
