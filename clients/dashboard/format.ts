/**
 * Numbers as people read them, always as many digits as before, so that nothing jitters; and the
 * way back, from what a person typed.
 */

import type { Param } from './types.ts';

const MINUS = '−';
const withMinus = (text: string): string => text.replaceAll('-', MINUS);

/** Four digits that count: 0.5000, 1234, 3.100e−7. */
export function number(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) return withMinus(value.toExponential(digits - 2));
  if (size >= 10 ** (digits - 1)) return withMinus(value.toFixed(0));
  return withMinus(value.toPrecision(digits));
}

type Range = Pick<Param, 'min' | 'max' | 'scale' | 'step'>;

/** As many decimals as tell a thousandth of the range. */
export function inRange(value: number | null | undefined, range: Range): string {
  if (range.scale === 'log') return number(value);
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const span = range.max - range.min;
  const fine = range.step === undefined ? span / 2000 : Math.min(range.step, span / 100);
  const decimals = Math.min(6, Math.max(0, Math.ceil(-Math.log10(fine))));
  if (decimals === 6 && value !== 0 && Math.abs(value) < 1e-4) return number(value);
  const text = value.toFixed(decimals);
  return withMinus(Number(text) === 0 ? text.replace('-', '') : text);
}

/** `1.5`, `−3 dB`, `2k`, `1,5`: a number, or undefined. */
export function parseNumber(text: string): number | undefined {
  const found = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(k)?\s*[^\d\s]*$/iu.exec(
    text.replaceAll(MINUS, '-').replace(',', '.').trim(),
  );
  if (found === null) return undefined;
  const value = Number(found[1]) * (found[2] === undefined ? 1 : 1000);
  return Number.isFinite(value) ? value : undefined;
}

/** 12 s, 3 min 05 s, 2 h 10 min. */
export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  const pad = (n: number): string => String(n).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor(whole / 60) % 60)} min`;
}

/** Of an amplitude, dB; −∞ of silence. */
export const decibels = (amplitude: number): number => 20 * Math.log10(amplitude);

export const plural = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;
