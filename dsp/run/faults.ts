/**
 * Why learning stopped by itself: codes that fit into a measurement, and what they say to a person.
 *
 * Invariant: plain data; one sentence per code, with the numbers that tripped it.
 */

import type { Artifact } from '../artifact.ts';

export const FAULT = {
  none: 0,
  loss: 1,
  gradient: 2,
  parameter: 3,
  input: 4,
  output: 5,
  maxLoss: 6,
  maxGradient: 7,
  leap: 8,
  rising: 9,
} as const;

export type FaultName = keyof typeof FAULT;
export const FAULT_NAMES = Object.keys(FAULT) as FaultName[];

/** Places of the numbers of a fault. */
export const DETAIL = { value: 0, bound: 1, step: 2, index: 3 } as const;

export interface Cause {
  readonly guard: FaultName;
  /** What was met, null where it is no finite number. */
  readonly value: number | null;
  /** What it was compared with, null where it only had to be finite. */
  readonly bound: number | null;
  /** Optimiser steps done. */
  readonly step: number;
  /** Id of the parameter, where it was one. */
  readonly param: string | null;
  readonly message: string;
}

const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);
const show = (x: number): string =>
  !Number.isFinite(x)
    ? String(x)
    : Math.abs(x) >= 1e5 || Math.abs(x) < 1e-3
      ? x.toExponential(2)
      : String(Number(x.toPrecision(4)));
const percent = (x: number): string => `${Number((100 * x).toPrecision(3))} %`;

/** The sentence: which guard, value, bound. */
function sentence(
  guard: FaultName,
  value: number,
  bound: number,
  index: number,
  param: string,
): string {
  const [got, limit] = [show(value), show(bound)];
  switch (guard) {
    case 'none':
      return 'nothing is wrong';
    case 'loss':
      return `the loss was not finite: ${got}`;
    case 'gradient':
      return `the gradient of "${param}" was not finite: ${got}`;
    case 'parameter':
      return `a step made "${param}" not finite: ${got}`;
    case 'input':
      return `a sample of input ${index < 0 ? '' : `${index + 1} `}was not finite`;
    case 'output':
      return `a sample of output ${index < 0 ? '' : `${index + 1} `}was not finite`;
    case 'maxLoss':
      return `the loss was ${got}: expected at most ${limit}`;
    case 'maxGradient':
      return `the norm of the gradients was ${got}: expected at most ${limit}`;
    case 'leap':
      return `one step carried "${param}" over ${percent(value)} of its range and to its end: expected less than ${percent(bound)}, with a lower learning rate`;
    case 'rising':
      return `the loss rose step by step to ${got}: expected at most ${limit}, with a lower learning rate`;
  }
}

/**
 * @param fault   a code of FAULT
 * @param detail  its numbers, at DETAIL
 */
export function causeOf(
  fault: number,
  detail: ArrayLike<number>,
  params: Artifact['params'],
): Cause {
  const guard = FAULT_NAMES[fault] ?? 'none';
  const [value = 0, bound = 0, step = 0, index = -1] = Array.from(detail);
  const isParam = guard === 'gradient' || guard === 'parameter' || guard === 'leap';
  const param = isParam ? (params[index]?.id ?? null) : null;
  const what = sentence(guard, value, bound, index, param ?? String(index));
  const hasBound = ['maxLoss', 'maxGradient', 'leap', 'rising'].includes(guard);
  return {
    guard,
    value: finite(value),
    bound: hasBound ? finite(bound) : null,
    step,
    param,
    message: `${what} (after ${step} steps); the last good parameters are back`,
  };
}
