/**
 * A program with other defaults of its sliders, as text: what was learned, written back.
 *
 * Invariant: the text that it gives evaluates to the same program as before, but for these defaults:
 * that is checked every time. The source itself is edited where each slider that changes
 * has a call of its own in it; else (a slider of a library, several out of one call) the program with
 * all imports and definitions put in. Comments and formatting stay in the first case alone.
 */

import { diagnostic, fail, ok, type Result } from '../../dsp/diagnostic.ts';
import {
  isSameBut,
  isSameNumber,
  isSlider,
  numberText,
  sliderCalls,
  untagged,
  withDefaults,
  withTags,
  writtenOut,
} from '../../dsp/faust/export.ts';
import { idsOfWidgets } from '../../dsp/faust/controls.ts';
import { keyOfWidget, readForm, widgetsOf, type Form } from '../../dsp/faust/form.ts';
import type { FaustProgram } from '../../dsp/faust/program.ts';

/** libfaust, in the precision and with the folders of the program. */
export interface ExportTools {
  readonly evaluate: (code: string) => Promise<Result<FaustProgram>>;
  /** The program with all imports and definitions put in; undefined where that fails. */
  readonly expand: (code: string) => Promise<string | undefined>;
}

export interface ExportedFaust {
  readonly code: string;
  /** Ids of sliders that the source could not hold; none where it is the source that was edited. */
  readonly expandedFor: readonly string[];
  /** Ids of switches that are on, which no program can say. */
  readonly lost: readonly string[];
}

/** What libfaust declares of its own run, and a program that has no name is called by it. */
const OF_LIBFAUST =
  /^declare (?:(?:version|compile_options|filename|library_path\d+) "[^"]*"|name "lg:program");\n/gmu;

/** What came of editing a text: the text, or the places of calls that stand for several sliders. */
type Attempt =
  | { readonly kind: 'written'; readonly code: string }
  | {
      readonly kind: 'shared';
      readonly calls: ReadonlySet<number>;
      readonly keys: readonly string[];
    }
  | { readonly kind: 'failed' };

/**
 * @param values  of its controls, by their ids; those that are not named stay
 * @returns       FAUST_UNSUPPORTED where no text could be found. Cost: two evaluations, and about
 *   twice as much again where the program has to be expanded.
 */
export async function exportFaust(
  program: FaustProgram,
  values: ReadonlyMap<string, number>,
  tools: ExportTools,
): Promise<Result<ExportedFaust>> {
  const read = readForm(program.form);
  if (!read.ok) return read;
  const form = read.value;
  const widgets = widgetsOf(form);
  const ids = idsOfWidgets(widgets);
  const idOf = (key: string): string => ids.get(key) ?? '';
  const changed = new Map(
    widgets.flatMap((widget) => {
      const key = keyOfWidget(widget);
      const value = values.get(idOf(key));
      const isOther = value !== undefined && !isSameNumber(value, widget.initial, program.double);
      return isOther ? [[key, value] as const] : [];
    }),
  );
  const switches = widgets.filter((widget) => !isSlider(widget)).map(keyOfWidget);
  const lost = switches.filter((key) => changed.delete(key)).map(idOf);
  if (changed.size === 0) return ok({ code: program.code, expandedFor: [], lost });
  const attempt = (code: string): Promise<Attempt> => write(code, form, changed, program, tools);

  const source = await attempt(program.code);
  if (source.kind === 'written') return ok({ code: source.code, expandedFor: [], lost });
  const own = (source.kind === 'shared' ? source.keys : [...changed.keys()]).map(idOf);
  const why = own.map((id) => `"${id}"`).join(', ');

  const expanded = (await tools.expand(program.code))?.replaceAll(OF_LIBFAUST, '');
  let made = expanded === undefined ? source : await attempt(expanded);
  if (expanded !== undefined && made.kind === 'shared') {
    const apart = writtenOut(expanded, sliderCalls(expanded), made.calls);
    if (apart !== undefined) made = await attempt(apart);
  }
  if (made.kind !== 'written') {
    const message = `the program cannot be written with other defaults of ${why}`;
    const hint = 'give each slider a call of its own in the source, with a label of its own';
    return fail(diagnostic('FAUST_UNSUPPORTED', 'faust.code', message, hint));
  }
  const note =
    '// Exported by livegrad: all imports and definitions are put in, because the source has no\n' +
    `// place of its own for the value of ${why}.\n`;
  return ok({ code: note + made.code, expandedFor: own, lost });
}

async function write(
  code: string,
  before: Form,
  changed: ReadonlyMap<string, number>,
  { double }: FaustProgram,
  { evaluate }: ExportTools,
): Promise<Attempt> {
  const calls = sliderCalls(code);
  const tagged = await formOf(evaluate, withTags(code, calls));
  if (tagged === undefined) return { kind: 'failed' };
  /** The values that are wanted of the sliders that a call makes. */
  const wanted = new Map<number, Set<number>>();
  const makers = new Map<string, Set<number | null>>();
  for (const widget of widgetsOf(tagged)) {
    if (!isSlider(widget)) continue;
    const { key, call } = untagged(widget);
    makers.set(key, (makers.get(key) ?? new Set()).add(call));
    if (call === null) continue;
    wanted.set(call, (wanted.get(call) ?? new Set()).add(changed.get(key) ?? widget.initial));
  }
  const defaults = new Map<number, string>();
  const shared = new Set<number>();
  const keys: string[] = [];
  for (const [key, value] of changed) {
    const own = makers.get(key) ?? new Set([null]);
    const isFree = [...own].every((call) => call !== null && wanted.get(call)?.size === 1);
    if (!isFree) keys.push(key);
    for (const call of own) {
      if (call === null) continue;
      if (isFree) defaults.set(call, numberText(value, double));
      else shared.add(call);
    }
  }
  if (keys.length > 0) return { kind: 'shared', calls: shared, keys };
  const text = withDefaults(code, calls, defaults);
  const after = await formOf(evaluate, text);
  const isSame = after !== undefined && isSameBut(before, after, (key) => changed.get(key), double);
  return isSame ? { kind: 'written', code: text } : { kind: 'failed' };
}

async function formOf(evaluate: ExportTools['evaluate'], code: string): Promise<Form | undefined> {
  const program = await evaluate(code);
  if (!program.ok) return undefined;
  const form = readForm(program.value.form);
  return form.ok ? form.value : undefined;
}
