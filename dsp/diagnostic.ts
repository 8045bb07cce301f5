/**
 * What is wrong with something a user gave us: one value per problem, all of them at once.
 *
 * Invariant: user mistakes are returned as `Result` failures; broken invariants of our own throw.
 * `CODES` is the one list of codes of the compiler; a code is never renamed or reused.
 */

export interface Diagnostic {
  /** A key of `CODES`, or a code of the room that made it. */
  readonly code: string;
  /** Where: `nodes.estimate.in[1]`; empty for the whole document. */
  readonly path: string;
  /** What, expected, got, where, in one sentence. */
  readonly message: string;
  /** What to do about it, when we know. */
  readonly hint?: string;
  /** Of a program's source, counted from 1. */
  readonly line?: number;
}

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Every code the compiler can give, with its meaning. */
export const CODES = {
  PATCH_INVALID: 'a field is missing, unknown, or of the wrong type or range',
  PATCH_FORMAT: 'the document does not say it is a livegrad.patch/1',
  PATCH_NAME_TAKEN: 'an id is used by more than one of sliders, params and nodes',
  PATCH_UNKNOWN_REFERENCE:
    'an operand, output or training signal names something that does not exist',
  PATCH_OPERAND_COUNT: 'a node has too few or too many operands',
  PATCH_OPERAND_TYPE: 'an operand is of a type that the operation cannot take',
  PATCH_SHAPE: 'an operand or a signal has a number of lanes that does not fit',
  PATCH_RATE: 'signals of different rates meet: samples, or frames of different hops',
  PATCH_INSTANT_LOOP: 'nodes depend on each other within one sample, without a delay',
  PATCH_CONTROL_RANGE: 'a control has min >= max, or an initial value outside of its range',
  PATCH_SIGNAL_RANGE:
    'a constant argument is outside of what the operation can do at this sample rate',
  PATCH_NOTHING_TO_LEARN: 'the patch asks for training but no learnable parameter reaches the loss',
  PATCH_NOT_DIFFERENTIABLE: 'a learnable parameter reaches an operation that has no gradient',
  PATCH_OPTIMISER: 'the optimiser cannot work with the loss, window, mode or number of parameters',
  FAUST_SYNTAX: 'the Faust compiler does not take the program',
  FAUST_LIBRARY: 'a Faust program imports a library that is in none of the folders for them',
  FAUST_METADATA: 'a label or declaration of a Faust program says something that cannot be read',
  FAUST_UNSUPPORTED: 'a Faust program uses something that cannot be compiled',
  PATCH_TOO_LARGE: 'the patch needs more nodes or memory than the compiler allows',
} as const satisfies Record<string, string>;

export type DspCode = keyof typeof CODES;

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });

export const fail = <T>(...diagnostics: readonly Diagnostic[]): Result<T> => ({
  ok: false,
  diagnostics,
});

export function diagnostic(
  code: DspCode,
  path: string,
  message: string,
  hint?: string,
): Diagnostic {
  return hint === undefined ? { code, path, message } : { code, path, message, hint };
}

/** One line per diagnostic, as a terminal shows it. */
export function printDiagnostics(diagnostics: readonly Diagnostic[]): string {
  return diagnostics
    .map((d) => {
      const line = d.line === undefined ? '' : ` line ${d.line}`;
      const where = d.path === '' && line === '' ? '' : `${`${d.path}${line}`.trim()}: `;
      const hint = d.hint === undefined ? '' : `\n    ${d.hint}`;
      return `${d.code}  ${where}${d.message}${hint}`;
    })
    .join('\n');
}

/** Nobody misspells a longer one. */
const LONGEST_NAME = 120;

/** The nearest of `names` to a misspelt `name`, or undefined when none is near. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  if (name.length > LONGEST_NAME) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** A path as a person writes it: nodes.estimate.in[1], nodes["hidden/x"].op. */
export function pathOf(keys: readonly PropertyKey[]): string {
  return keys
    .map((key, i) => {
      if (typeof key === 'number') return `[${key}]`;
      const text = String(key);
      if (!/^[\w-]+$/u.test(text)) return `[${JSON.stringify(text)}]`;
      return i === 0 ? text : `.${text}`;
    })
    .join('');
}

/** A value as a message quotes it: short, and no deeper than needed, however deep it is. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? '[]' : 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
