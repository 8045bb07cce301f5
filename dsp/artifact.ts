/**
 * What the compiler gives to whoever runs a patch: WASM bytes and where everything is in their
 * memory. Plain data that crosses processes by structured clone.
 *
 * Invariant: the same patch, options and compiler version give the same bytes. An Artifact knows
 * nothing of devices and cannot be edited: a change is a new compilation.
 */

import type { Control, Meter } from './control.ts';
import type { GraphName, GuardSettings, Precision } from './ir/program.ts';

/**
 * A state that has a name: what another version of the program finds it by. In memory it is
 * `frames` values, the oldest first, from byte `address` on, or where it moves up through its space
 * from `places` times the number at byte `head` further on.
 */
export interface StateSlot {
  readonly graph: 'stream' | 'once';
  /** Unique among the states of the graph; a past that several delays share has several. */
  readonly names: readonly string[];
  readonly type: 'f32' | 'i32' | 'f64';
  /**
   * `overlap`: not the past of a signal but what is still to come of it. `table`: the entries of a
   * table, from the first on. `phase`: bytes of one place since the last frame of this hop.
   */
  readonly kind: 'carry' | 'line' | 'overlap' | 'table' | 'phase';
  readonly address: number;
  readonly frames: number;
  /** Of a value. */
  readonly lanes: number;
  /** Numbers that a value takes: its lanes, those of a vector in `stream` in whole 16 bytes. */
  readonly places: number;
  /** That a number takes; an int is in the first four of them. */
  readonly bytes: 4 | 8;
  /** 0: it does not move. */
  readonly head: number;
  /** Samples from value to value. */
  readonly hop: number;
}

/** Byte addresses of binary64 values. */
export interface JudgedLayout {
  /** What is known of the losses, at KEPT of `ir/judging.ts`. */
  readonly kept: number;
  /** The last good parameters, and those before the last step. */
  readonly good: number;
  readonly before: number;
  /** Of windows since the last step: gradients, then the loss. */
  readonly sums: number;
}

/**
 * Byte addresses of what the first term of the loss compares: channels, some of which may be those of
 * an input or output. Null where it is no plain signal, or there is no target.
 */
export interface ComparedLayout {
  readonly estimate: number | null;
  readonly target: number | null;
}

/** Byte addresses in the module's memory. */
export interface Layout {
  /** First byte of each input and output channel: `maxBlock` binary32 values each. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly compared: ComparedLayout;
  /** Banks of binary64 values. */
  readonly sliders: number;
  readonly params: number;
  readonly gradients: number;
  /** 1.0 where a parameter is kept as it is. */
  readonly frozen: number;
  /** Factors of the learning rate. */
  readonly rates: number;
  readonly loss: number;
  /** The last value of each meter; 0 after a reset. */
  readonly meters: number;
  /** Four words, of which the largest is the answer of `peak`. */
  readonly peak: number;
  readonly learningRate: number;
  /** Parameters as a step leaves them, before they are taken over. */
  readonly next: number;
  /** What the guards keep, where they are in the module as well. */
  readonly judged: JudgedLayout | null;
  /** Words at COURSE of `ir/judging.ts`, and room for the rates of so many steps. */
  readonly course: {
    readonly words: number;
    readonly rates: number;
    readonly steps: number;
  } | null;
  readonly states: readonly StateSlot[];
  /** Frames before a training window that its gradient looks at. */
  readonly lead: number;
  readonly bytes: number;
}

/**
 * What code is for. `value`: what is computed once a run; `vector`: loops of several samples at a time;
 * `serial`: loops of one; `product`: sums of products over the window; `frame`: loops of one frame;
 * `upkeep`: lines that move on, results that are put where they are asked for.
 */
export type Part = 'value' | 'vector' | 'serial' | 'product' | 'frame' | 'upkeep';

/** Instructions per sample, an estimate: see `dsp/wasm/work.ts`. */
export interface Work {
  readonly instructions: number;
  /** Of them, those that compute and those that read or write memory. */
  readonly arithmetic: number;
  readonly memory: number;
}

/** A graph and the function made of it. */
export interface GraphReport {
  readonly nodes: Readonly<Record<'const' | 'block' | 'frame' | 'sample', number>>;
  /** Per sample of a full block for the stream, per sample of the window for all others. */
  readonly work: Readonly<Record<Part, Work>>;
}

/** Bytes by what lies in them; together all of the memory. */
export interface MemoryReport {
  readonly controls: number;
  /** Inputs and outputs. */
  readonly channels: number;
  /** What the stream records for the gradient. */
  readonly tapes: number;
  /** The past of delayed signals. */
  readonly lines: number;
  /** Recursions, overlapping frames, the optimiser's state, what meters show. */
  readonly state: number;
  /** What one loop leaves for another, and scratch. */
  readonly temps: number;
  /** Constants that come with the module. */
  readonly tables: number;
  /** Kept free. */
  readonly reserved: number;
}

/** What the compiler decided, for a person to read. */
export interface CompileReport {
  /** Without constants. */
  readonly nodes: Readonly<Record<GraphName, number>>;
  /** Those that the program has. */
  readonly graphs: Readonly<Partial<Record<GraphName, GraphReport>>>;
  readonly memoryBytes: number;
  readonly memory: MemoryReport;
  /** Of the module, without its tables. */
  readonly codeBytes: number;
  /** Loops of the stream and backward functions: how many run several samples at a time. */
  readonly loops: { readonly vector: number; readonly serial: number };
  /** Why this differentiation mode, in sentences. */
  readonly mode: readonly string[];
  /** Parameters that the loss does not feel: their gradient is 0, whatever happens. */
  readonly idle: readonly string[];
}

export interface Artifact {
  readonly format: 'livegrad.artifact/1';
  readonly name: string;
  readonly wasm: Uint8Array;
  readonly layout: Layout;
  /** Hz. */
  readonly sampleRate: number;
  /** Most frames one call may process. */
  readonly maxBlock: number;
  /** Frames of a training window; 0 without training. */
  readonly window: number;
  /** Windows from one optimiser step to the next: their gradients are averaged. */
  readonly every: number;
  /** Device round trip that `align` was compiled for, frames. */
  readonly latency: number;
  readonly mode: 'forward' | 'reverse' | 'mixed' | 'none';
  readonly precision: Precision;
  /** Training compares what is played with what is heard: meaningless while the output is muted. */
  readonly throughDevice: boolean;
  /** Channels. */
  readonly inputs: number;
  readonly outputs: number;
  readonly sliders: readonly Control[];
  readonly params: readonly Control[];
  /** What is shown; their values are a bank. */
  readonly meters: readonly Meter[];
  /** Inputs that the program listens to, from 0. */
  readonly listens: readonly number[];
  readonly guards: GuardSettings;
  readonly report: CompileReport;
}
