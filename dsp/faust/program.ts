/**
 * A Faust program as libfaust evaluated it: plain data that crosses threads.
 *
 * Invariant: nothing of libfaust is needed beyond this value; the text of the form is parsed by
 * `form.ts`, widgets become controls in `controls.ts`. It knows neither sample rate nor device.
 */

export interface FaustProgram {
  /** As written. */
  readonly code: string;
  /** Whether constants were evaluated in double precision. */
  readonly double: boolean;
  /** Lines `ID_n = …;` and `SIG = (…)` of the shared normal form, waveforms as calls `lgwaveN(int)`. */
  readonly form: string;
  /** Contents of waveform N. */
  readonly waveforms: readonly Waveform[];
  /** Parts of each soundfile by its label as in the form; without, none has any. */
  readonly sounds?: Readonly<Record<string, readonly Sound[]>>;
  /** Of the program itself, in order; a key may stand more than once. */
  readonly declares: readonly (readonly [key: string, value: string])[];
  /** Kind of each group by its label as written, metadata included. */
  readonly groups: Readonly<Record<string, GroupKind>>;
}

export interface Waveform {
  readonly values: readonly number[];
  /** Whether all of them were written as whole numbers. */
  readonly isInt: boolean;
}

/** A recording that a `soundfile` plays. */
export interface Sound {
  /** Hz. */
  readonly sampleRate: number;
  /** Of equal length. */
  readonly channels: readonly (readonly number[])[];
}

export type GroupKind = 'vertical' | 'horizontal' | 'tab';

export const WIDGET_KINDS = [
  'hslider',
  'vslider',
  'nentry',
  'button',
  'checkbox',
  'hbargraph',
  'vbargraph',
  'soundfile',
] as const;
export type WidgetKind = (typeof WIDGET_KINDS)[number];

/** What a person sees of a program: a control, a meter or a recording. */
export interface Widget {
  readonly kind: WidgetKind;
  /** The label with its metadata, then its groups from the innermost out, divided by "/". */
  readonly path: string;
  /** 0 where the kind has none. */
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
}
