/**
 * What the normal form does not tell of its labels: the kinds of groups, and where a path divides.
 *
 * In the form a widget has its own label and those of its groups, divided by "/", and a group is a
 * label alone. What a text calls its groups is literal, but for numbers (`"band %i"`), and so are
 * the groups that a widget names itself (`"h:strip/v:band/gain"`).
 *
 * Invariant: a kind is given only where all texts that were read agree on it, the program's own
 * word first; `expandDSP` knows the rest. It changes no label, since libfaust orders sums by them.
 */

import type { GroupKind } from '../../dsp/faust/program.ts';
import type { Label } from './tag.ts';

const KINDS: Readonly<Record<string, GroupKind>> = {
  vgroup: 'vertical',
  hgroup: 'horizontal',
  tgroup: 'tab',
  v: 'vertical',
  h: 'horizontal',
  t: 'tab',
};

/** From where a label counts: the root, or the groups around. */
const PLACE = /^(?:\.{0,2}\/)+/u;

interface Named {
  readonly name: string;
  readonly kind: GroupKind;
}

/** The groups that a label names: itself, or those before a widget's own name. */
function groupsOf({ word, text }: Label): Named[] {
  const own = KINDS[word];
  if (own !== undefined) return [{ name: text, kind: own }];
  const found: Named[] = [];
  let rest = text;
  for (;;) {
    rest = rest.replace(PLACE, '');
    const [whole, letter, name] = /^([vht]):([^/]*)\//u.exec(rest) ?? [];
    if (whole === undefined) return found;
    found.push({ name: name!, kind: KINDS[letter!]! });
    rest = rest.slice(whole.length);
  }
}

/** The last part of a widget's label, or a group's whole one. */
const ownName = ({ word, text }: Label): string =>
  word in KINDS ? text : text.replace(/^(?:\.{0,2}\/|[vht]:[^/]*\/)*/u, '');

/** Numbers in one label that are still told apart; more would take a pattern too long. */
const MOST_NUMBERS = 3;
const NUMBER = /%\d*[A-Za-z_]\w*/gu;
const isPattern = (name: string): boolean => {
  const numbers = name.match(NUMBER)?.length ?? 0;
  return numbers > 0 && numbers <= MOST_NUMBERS;
};

/** A label as a pattern: `%i` and `%2i` stand for a number. */
function patternOf(name: string): string {
  const escaped = name.replaceAll(/[.*+?^${}()|[\]\\/]/gu, '\\$&');
  return isPattern(name) ? escaped.replaceAll(NUMBER, ' *-?\\d+') : escaped;
}

/** What the labels of some texts say of groups. */
interface Source {
  readonly exact: ReadonlyMap<string, ReadonlySet<GroupKind>>;
  readonly patterns: readonly { readonly pattern: RegExp; readonly kind: GroupKind }[];
}

function sourceOf(labels: readonly Label[]): Source {
  const exact = new Map<string, Set<GroupKind>>();
  const patterns: { pattern: RegExp; kind: GroupKind }[] = [];
  for (const { name, kind } of labels.flatMap(groupsOf)) {
    const flat = withoutStrokes(name);
    const kinds = exact.get(flat) ?? new Set();
    exact.set(flat, kinds.add(kind));
    if (flat.includes('%'))
      patterns.push({ pattern: new RegExp(`^${patternOf(flat)}$`, 'u'), kind });
  }
  return { exact, patterns };
}

/** The first source that knows the name decides, when it is of one mind. */
function kindOf(name: string, sources: readonly Source[]): GroupKind | undefined {
  for (const { exact, patterns } of sources) {
    const kinds = new Set(exact.get(name));
    for (const { pattern, kind } of patterns) if (pattern.test(name)) kinds.add(kind);
    if (kinds.size > 0) return kinds.size === 1 ? [...kinds][0] : undefined;
  }
  return undefined;
}

/** The paths of a form, and the groups in them. */
export interface Paths {
  readonly form: string;
  readonly groups: ReadonlyMap<string, GroupKind>;
  /** Groups whose kind the labels leave open. */
  readonly unsure: readonly string[];
}

const WIDGET =
  /^(ID_\d+ = (?:[hv]slider|nentry|button|checkbox|[hv]bargraph|soundfile)\()"([^"]*)"/gmu;

/**
 * Divides the paths of a form by "/" where a group begins and nowhere else (another one becomes
 * "∕"), and finds the kinds of their groups.
 *
 * @param own  labels of the program itself
 * @param imported  of the libraries that were opened
 */
export function readPaths(form: string, own: readonly Label[], imported: readonly Label[]): Paths {
  const slashed = [...own, ...imported]
    .map(ownName)
    .filter((name) => withoutStrokes(name) !== name)
    .map((name) => new RegExp(`(^|/)(${patternOf(name)})(?=/|$)`, 'gu'));
  const names = new Set<string>();
  const divided = form.replaceAll(WIDGET, (_all, before: string, path: string) => {
    let whole = path;
    for (const pattern of slashed) {
      whole = whole.replaceAll(
        pattern,
        (_found, stroke: string, name: string) => stroke + withoutStrokes(name),
      );
    }
    for (const group of split(whole).slice(1)) names.add(group);
    return `${before}"${whole}"`;
  });
  const groups = new Map<string, GroupKind>();
  if (names.size === 0) return { form: divided, groups, unsure: [] };
  const sources = [sourceOf(own), sourceOf(imported)];
  for (const name of names) {
    const kind = kindOf(name, sources);
    if (kind !== undefined) groups.set(name, kind);
  }
  return { form: divided, groups, unsure: [...names].filter((name) => !groups.has(name)) };
}

/** The kinds of groups as the text of `expandDSP` has them. */
export function readExpanded(expanded: string): ReadonlyMap<string, GroupKind> {
  const groups = new Map<string, GroupKind>();
  for (const [, word, text] of expanded.matchAll(/\b(\w+)\("([^"]*)"/gu)) {
    for (const { name, kind } of groupsOf({ word: word!, text: text! })) {
      const flat = withoutStrokes(name);
      if (!groups.has(flat)) groups.set(flat, kind);
    }
  }
  return groups;
}

/** Parts of a path, divided at strokes outside of metadata. */
export function split(path: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let begin = 0;
  for (let k = 0; k < path.length; k++) {
    const sign = path[k];
    if (sign === '[') depth++;
    else if (sign === ']') depth--;
    else if (sign === '/' && depth <= 0) {
      parts.push(path.slice(begin, k));
      begin = k + 1;
    }
  }
  return [...parts, path.slice(begin)];
}

/** A stroke outside of metadata would begin a group. */
const withoutStrokes = (name: string): string => split(name).join('∕');
