/**
 * Documents -> checked patches, those that hold a Faust program among them.
 *
 * Invariant: an evaluated program is used again only for the same text in the same precision, while
 * every file that was looked for on its behalf is as it was. One evaluation at a time: libfaust
 * keeps a thread busy, so this belongs into one with limits.
 */

import { ok, pathOf, type Result } from '../../dsp/diagnostic.ts';
import { isBare, isSameLesson, nameIn, settingsSince } from '../../dsp/faust/document.ts';
import { patchOf, precisionOf } from '../../dsp/faust/patch.ts';
import type { FaustProgram } from '../../dsp/faust/program.ts';
import { declaresOf } from '../../dsp/faust/source.ts';
import { sourceOf } from '../../dsp/patch/faust.ts';
import { parsePatch, type Patch, type Training } from '../../dsp/patch/schema.ts';
import { evaluate } from './evaluate.ts';
import { exportFaust, type ExportedFaust } from './export.ts';
import { Libfaust } from './libfaust.ts';
import { isAsSeen, Libraries } from './libraries.ts';

export interface FaustFolders {
  /** Where imports are looked for, in this order. */
  readonly libraries: readonly string[];
  /** Where sound files are looked for. */
  readonly sounds: readonly string[];
}

/** Programs that are kept: the ones that a session goes to and fro between. */
const KEPT = 8;

interface Kept {
  readonly program: FaustProgram;
  readonly seen: ReadonlyMap<string, string>;
}

export class Evaluator {
  readonly #folders: FaustFolders;
  readonly #libfaust = new Libfaust();
  /** By text and precision, the one that was used last at the end. */
  readonly #kept = new Map<string, Kept>();

  constructor(folders: FaustFolders = { libraries: [], sounds: [] }) {
    this.#folders = folders;
  }

  /**
   * A checked patch of any JSON value.
   *
   * @param before  a patch that this one may be an edit of: a new text for the program of the same
   *   name. What was said from outside of learning and training then goes on, but for controls that
   *   are gone, and for the training where the text says something else of it than before.
   * Errors: those of `parsePatch`, `evaluate` and `patchOf`.
   */
  async patchOf(json: unknown, before?: Patch): Promise<Result<Patch>> {
    const code = sourceOf(json);
    if (code === undefined) return parsePatch(json);
    const precision = precisionOf(json, { declares: declaresOf(code) });
    const program = await this.evaluate(code, precision === 'double');
    if (!program.ok) return program;
    const isEdit = before?.faust !== undefined && isBare(json) && nameIn(json) === before.name;
    return isEdit ? this.#edited(program.value, json, before) : patchOf(program.value, json);
  }

  async #edited(program: FaustProgram, json: unknown, before: Patch): Promise<Result<Patch>> {
    const document = json as { readonly faust: object };
    const training = await this.#said(before, program.code);
    const learn = fitting(before.faust?.learn ?? {}, (wanted) =>
      patchOf(program, { ...document, training, faust: { ...document.faust, learn: wanted } }),
    );
    const faust = Object.keys(learn).length === 0 ? document.faust : { ...document.faust, learn };
    const edited = patchOf(program, { ...document, training, faust });
    // Signals that are not there any more: the program's own convention says which to compare.
    return edited.ok ? edited : patchOf(program, { ...document, faust });
  }

  /** What clients have said of a patch's training, where a new text leaves it to them. */
  async #said(before: Patch, code: string): Promise<Partial<Training> | undefined> {
    const { name, training, precision, faust } = before;
    if (faust === undefined || training === undefined || !isSameLesson(faust.code, code)) return;
    const program = await this.evaluate(faust.code, precision === 'double');
    if (!program.ok) return undefined;
    const made = patchOf(program.value, { format: before.format, name, faust, precision });
    const said = settingsSince(training, made.ok ? made.value.training : undefined);
    return Object.keys(said).length === 0 ? undefined : said;
  }

  /** The program of a document with other defaults. Errors: those of `evaluate` and `exportFaust`. */
  async export(json: unknown, values: ReadonlyMap<string, number>): Promise<Result<ExportedFaust>> {
    const code = sourceOf(json) ?? '';
    const double = precisionOf(json, { declares: declaresOf(code) }) === 'double';
    const program = await this.evaluate(code, double);
    if (!program.ok) return program;
    return exportFaust(program.value, values, {
      evaluate: (text) => evaluate(this.#libfaust, text, { double, ...this.#folders }),
      expand: (text) => this.#libfaust.expand(text, double, new Libraries(this.#folders.libraries)),
    });
  }

  /** A program, evaluated at most once while nothing changes. */
  async evaluate(code: string, double: boolean): Promise<Result<FaustProgram>> {
    const key = `${double ? 'double' : 'single'} ${code}`;
    const known = this.#kept.get(key);
    this.#kept.delete(key);
    if (known !== undefined && isAsSeen(known.seen)) {
      this.#kept.set(key, known);
      return ok(known.program);
    }
    const seen = new Map<string, string>();
    const result = await evaluate(this.#libfaust, code, { double, ...this.#folders, seen });
    if (!result.ok) return result;
    this.#kept.set(key, { program: result.value, seen });
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    return result;
  }
}

type Learn = NonNullable<NonNullable<Patch['faust']>['learn']>;

/** What of a wish to learn a program can do. */
function fitting(learn: Learn, attempt: (learn: Learn) => Result<Patch>): Learn {
  if (Object.keys(learn).length === 0) return learn;
  const tried = attempt(learn);
  if (tried.ok) return learn;
  const refused = new Set(tried.diagnostics.map(({ path }) => path));
  return Object.fromEntries(
    Object.entries(learn).filter(([id]) => !refused.has(pathOf(['faust', 'learn', id]))),
  );
}
