/**
 * What a program says of its training: `declare livegrad "[loss:mae][rate:0.01][optimiser.beta1:0.8]";`
 *
 * A key is a field of the `training` of a patch, its parts divided by dots; `rate` and `precision`
 * are for short. Invariant: names and values are judged by the schema of patches, so that both mean
 * the same; what a program does not say, `patch/training.ts` says.
 */

import type { z } from 'zod';
import { diagnostic, fail, nearest, ok, show } from '../diagnostic.ts';
import type { Diagnostic, Result } from '../diagnostic.ts';
import { fromIssue, onePerPath } from '../patch/explain.ts';
import { trainingFields, trainingSchema } from '../patch/schema.ts';
import { withDefaults } from '../patch/training.ts';
import type { Fields } from '../patch/training.ts';
import { readLabel } from './labels.ts';
import type { FaustProgram } from './program.ts';

export type TrainingInput = z.input<typeof trainingSchema>;

export interface Declared {
  /** Fields of the training, without what is taken where one is missing. */
  readonly training: Fields;
  readonly precision?: 'single' | 'double';
}

const TRAINING_KEYS = Object.keys(trainingFields);
const KEYS = [...TRAINING_KEYS, 'rate', 'precision'];

/** Fields that are lists, of which one value is a list as well. */
const LISTS: ReadonlySet<string> = new Set(
  'forward params milestones sizes hops lengths'.split(' '),
);
/** Fields that have a kind, and the one that is meant where only others are given. */
const KINDS: Readonly<Record<string, string>> = {
  loss: 'mse',
  optimiser: 'adam',
  schedule: 'constant',
};
const SIGNAL = /^(in|out)\s*(\d+)$/iu;

const wrong = (message: string, hint?: string): Diagnostic =>
  diagnostic('FAUST_METADATA', 'faust.code', `declare livegrad: ${message}`, hint);

const KEY_SYNTAX = 'write declare livegrad "[loss:mae][rate:0.01]";';

/** All declarations of a program about livegrad, checked. */
export function readDeclares({ declares }: Pick<FaustProgram, 'declares'>): Result<Declared> {
  const found: Diagnostic[] = [];
  const said = new Map<string, string>();
  for (const [name, text] of declares) {
    if (name !== 'livegrad') continue;
    const { text: rest, meta, open } = readLabel(text);
    if (rest !== '') {
      found.push(wrong(`expected [key:value] only, got ${show(rest)}`, KEY_SYNTAX));
    }
    if (open !== '') found.push(wrong(`expected "]" at the end of ${show(open)}`, KEY_SYNTAX));
    for (const [key, value] of meta) {
      const path = aliasOf(key);
      const before = said.get(path);
      if (before !== undefined && before !== value) {
        found.push(wrong(`"${key}" is said twice: as "${before}" and as "${value}"`));
      }
      said.set(path, value);
      const top = path.split('.', 1)[0]!;
      if (KEYS.includes(top)) continue;
      const near = nearest(top, KEYS);
      const hint = near === undefined ? undefined : `did you mean "${near}"?`;
      found.push(wrong(`unknown key "${key}": expected one of ${KEYS.join(', ')}`, hint));
    }
  }
  const precision = said.get('precision');
  said.delete('precision');
  if (precision !== undefined && precision !== 'single' && precision !== 'double') {
    found.push(wrong(`precision: expected single or double, got ${show(precision)}`));
  }
  if (found.length > 0) return { ok: false, diagnostics: found };

  const rate = said.get('schedule.rate');
  if (rate !== undefined && said.get('schedule.kind') === 'oneCycle') {
    said.delete('schedule.rate');
    said.set('schedule.peak', rate);
  }
  const training = treeOf(said);
  const parsed = trainingSchema.safeParse(withDefaults(training), { reportInput: true });
  if (!parsed.success) {
    const diagnostics = onePerPath(parsed.error.issues.flatMap(fromIssue));
    return fail(
      ...diagnostics.map(({ path, message, hint }) =>
        // A list counts from 0 in JSON, and from 1 where a person counts terms.
        wrong(`${path.replace(/\[(\d+)\]/gu, (_, k) => `.${Number(k) + 1}`)}: ${message}`, hint),
      ),
    );
  }
  return ok({
    training,
    ...(precision === undefined ? {} : { precision: precision as 'single' | 'double' }),
  });
}

/** The field that a key stands for. */
function aliasOf(key: string): string {
  if (key === 'rate') return 'schedule.rate';
  return Object.hasOwn(KINDS, key.split('.').at(-1)!) ? `${key}.kind` : key;
}

/** A name in the tree: an object while it is made. */
interface Tree extends Record<string, unknown> {}

function treeOf(said: ReadonlyMap<string, string>): Fields {
  const root: Tree = Object.create(null) as Tree;
  for (const [path, value] of said) {
    const keys = path.split('.');
    const last = keys.pop()!;
    let at = root;
    for (const key of keys) {
      const next = at[key];
      at = (isTree(next) ? next : (at[key] = Object.create(null))) as Tree;
    }
    at[last] = valueOf(last, value);
  }
  return finished(root, '') as Fields;
}

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Kinds filled in, and what is counted from 1 made a list. */
function finished(tree: Tree, name: string): unknown {
  const entries = Object.entries(tree).map(([key, value]): [string, unknown] => [
    key,
    isTree(value) ? finished(value, key) : value,
  ]);
  if (name === 'terms') {
    const count = entries.length;
    const at = new Map(entries);
    const list = Array.from({ length: count }, (_, k) => at.get(String(k + 1)));
    return list.includes(undefined) ? Object.fromEntries(entries) : list;
  }
  const made = Object.fromEntries(entries);
  if (!Object.hasOwn(KINDS, name)) return made;
  const { kind = KINDS[name] } = made;
  return name === 'loss' && entries.length === 1 && 'kind' in made ? kind : { ...made, kind };
}

function valueOf(key: string, text: string): unknown {
  if (LISTS.has(key)) {
    const words = text.split(/[\s,]+/u).filter((word) => word !== '');
    return words.map((word) => valueOf('', word));
  }
  const signal = SIGNAL.exec(text);
  if (signal !== null) return `${signal[1]!.toLowerCase()}${Number(signal[2])}`;
  if (text === 'true' || text === 'false') return text === 'true';
  const number = Number(text);
  return text === '' || Number.isNaN(number) ? text : number;
}
