/**
 * A slider becomes a learnable parameter, and a parameter a slider again: an edit of the document.
 *
 * Invariant: range, unit, step and words of the control stay, its value is the document's initial
 * one, and the order of all others does not change: what is moved goes to the end. A patch that a
 * Faust program makes keeps its wish beside the program, whose evaluation follows it. Whether
 * anything can be learned, the compiler finds out.
 */

import type { ControlSpec, LearnScale } from '../control.ts';
import { diagnostic, fail, nearest, ok, pathOf } from '../diagnostic.ts';
import type { DspCode, Result } from '../diagnostic.ts';
import { controlNames } from './params.ts';
import type { ParamSpec } from './params.ts';
import type { Patch, Training } from './schema.ts';
import { NORMALISED, kindOf } from './training.ts';

/** `true`: on the scale that suits it. */
export type Learn = boolean | LearnScale;

/** Largest factor of a rate. */
export const MAX_FACTOR = 1e6;
/** From here on a range of positive numbers is one of ratios. */
const RATIO = 20;
const OCTAVES = 3;

/**
 * Where nothing is said: a logarithm for what is shown as one, and for what spans a ratio, as a
 * frequency or a Q does. Q in 0.5..20 went from 1 to 0.7 in 0.6 s, in linear steps in 26 s. What ends
 * at 1 or below may be a feedback, which needs small steps at its upper end.
 */
export function scaleOf({ min, max, scale }: ControlSpec): LearnScale {
  return scale === 'log' || (min > 0 && max > 1 && max >= RATIO * min) ? 'log' : 'linear';
}

/**
 * What is a step of length 1 on a scale, so that a rate of 0.003 is 0.003 of a gain in 0..1.
 *
 * On a logarithm it is three octaves, at most the whole range; halfway up a logit it is the range.
 * Three, because Adam at 0.003 found cutoff, gain and Q of a resonant low-pass in 2.7 s and a peak
 * filter in 1.3 s (white noise, 48 kHz, window 256), with one octave in 8 and 3 s, and with all 5 to 8
 * octaves of the range in more than 10 s, for it jumps off again where it has arrived (2026-11-23).
 */
export function lengthOf(
  scale: LearnScale,
  { min, max }: Pick<ControlSpec, 'min' | 'max'>,
): number {
  if (scale === 'log') return Math.min(OCTAVES, Math.log2(max / min));
  return scale === 'logit' ? 4 : max - min;
}

/**
 * The patch in which a control is learned, or is not.
 *
 * @returns  the patch itself where it is so already; PATCH_UNKNOWN_REFERENCE, PATCH_INVALID,
 *   PATCH_CONTROL_RANGE or PATCH_NOTHING_TO_LEARN at `learn.ID` where it cannot be
 * Cost: linear in the controls. Tested: test/dsp/patch/learnable.test.ts
 */
export function withLearnable(patch: Patch, id: string, learn: Learn): Result<Patch> {
  const wrong = (code: DspCode, message: string, hint?: string): Result<never> =>
    fail(diagnostic(code, pathOf(['learn', id]), message, hint));
  const slider = Object.hasOwn(patch.sliders, id) ? patch.sliders[id] : undefined;
  const param = Object.hasOwn(patch.params, id) ? patch.params[id] : undefined;
  if (slider === undefined && param === undefined) {
    const vector = Object.entries(patch.params).find(
      ([name, spec]) => spec.size !== undefined && controlNames(name, spec).includes(id),
    );
    if (vector !== undefined) {
      const message = `"${id}" is a number of the vector "${vector[0]}", which is learned as one`;
      return learn === true
        ? ok(patch)
        : wrong('PATCH_INVALID', message, 'freeze it to keep its value');
    }
    const ids = [...Object.keys(patch.sliders), ...Object.keys(patch.params)];
    const near = nearest(id, ids);
    return wrong(
      'PATCH_UNKNOWN_REFERENCE',
      `no slider or param is called "${id}"`,
      near === undefined ? undefined : `did you mean "${near}"?`,
    );
  }
  if (learn === false) {
    if (param === undefined) return ok(patch);
    const { initial } = param;
    if (param.size !== undefined || typeof initial !== 'number') {
      const message = `"${id}" is a vector of ${param.size} numbers: a slider is one`;
      return wrong('PATCH_INVALID', message, 'freeze its numbers to keep their values');
    }
    const isLast = patch.training !== undefined && Object.keys(patch.params).length === 1;
    // A Faust program without anything to learn has no training.
    if (isLast && patch.faust === undefined) {
      const message = `"${id}" is all that the patch learns: expected another parameter beside it`;
      return wrong('PATCH_NOTHING_TO_LEARN', message, 'freeze it, or stop learning');
    }
    return ok(asSlider(patch, id, { ...param, initial }));
  }
  const spec = slider ?? param!;
  // Of a parameter that learns already, its own where none is asked for.
  const usual = slider === undefined ? (param!.learn ?? 'linear') : scaleOf(slider);
  const scale = learn === true ? usual : learn;
  if (scale === 'log' && spec.min <= 0) {
    const message = `"${id}" cannot learn as a logarithm: expected min > 0, got ${spec.min}`;
    return wrong('PATCH_CONTROL_RANGE', message, 'learn it on another scale, as "linear"');
  }
  return ok(
    slider === undefined ? withScale(patch, id, param!, scale) : asParam(patch, id, slider, scale),
  );
}

/**
 * A factor that makes a rate mean the same for controls of any unit: steps of the normalised
 * optimisers are as long as the rate, and times the length of the scale a share of the range.
 */
function rateOf(
  spec: ControlSpec | ParamSpec,
  scale: LearnScale,
  optimiser: unknown,
): { readonly rate?: number } {
  if (!NORMALISED.has(kindOf(optimiser ?? { kind: 'adam' }))) return {};
  const rate = Math.min(MAX_FACTOR, lengthOf(scale, spec));
  return rate === 1 ? {} : { rate };
}

const learnField = (scale: LearnScale): { readonly learn?: LearnScale } =>
  scale === 'linear' ? {} : { learn: scale };

function asParam(patch: Patch, id: string, spec: ControlSpec, scale: LearnScale): Patch {
  const { [id]: _moved, ...sliders } = patch.sliders;
  const param: ParamSpec = {
    ...spec,
    ...learnField(scale),
    ...rateOf(spec, scale, patch.training?.optimiser),
  };
  return {
    ...marked(patch, id, scale),
    sliders,
    params: { ...patch.params, [id]: param },
    // What is learned is no number to be found by others.
    expect: patch.expect.filter(({ value }) => value !== id),
  };
}

function withScale(patch: Patch, id: string, param: ParamSpec, scale: LearnScale): Patch {
  const { learn = 'linear', rate: _rate, ...rest } = param;
  if (learn === scale) return patch;
  const next = {
    ...rest,
    ...learnField(scale),
    ...rateOf(param, scale, patch.training?.optimiser),
  };
  return { ...marked(patch, id, scale), params: { ...patch.params, [id]: next } };
}

function asSlider(
  patch: Patch,
  id: string,
  param: ParamSpec & { readonly initial: number },
): Patch {
  const { [id]: _moved, ...params } = patch.params;
  const { learn: _learn, rate: _rate, size: _size, ...spec } = param;
  const { training, ...rest } = patch;
  return {
    ...marked(rest, id, false),
    params,
    sliders: { ...patch.sliders, [id]: spec },
    expect: patch.expect.filter((one) => one.param !== id),
    ...(training === undefined ? {} : { training: without(training, id) }),
  };
}

/** A training that does not name a parameter. */
function without(training: Training, id: string): Training {
  const { mode, groups, ...rest } = training;
  const forward = typeof mode === 'string' ? [] : mode.forward.filter((one) => one !== id);
  const left = Object.entries(groups ?? {}).flatMap(([name, group]) => {
    const params = group.params.filter((one) => one !== id);
    return params.length === 0 ? [] : [[name, { ...group, params }] as const];
  });
  return {
    ...rest,
    mode: typeof mode === 'string' ? mode : forward.length === 0 ? 'reverse' : { forward },
    ...(left.length === 0 ? {} : { groups: Object.fromEntries(left) }),
  };
}

/** A Faust program is told of its controls beside its code. */
function marked<P extends Pick<Patch, 'faust'>>(patch: P, id: string, learn: Learn): P {
  const { faust } = patch;
  if (faust === undefined) return patch;
  return { ...patch, faust: { ...faust, learn: { ...faust.learn, [id]: learn } } };
}
