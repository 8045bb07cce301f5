/**
 * The patch that plays as a text that somebody can keep: a document, or the source of a Faust program.
 *
 * Invariant: what is written begins with the values of the state; what it cannot say is in the notes.
 * It writes no file and changes nothing.
 */

import { withoutProgram } from '../../dsp/patch/faust.ts';
import type { Exported } from '../api/schemas.ts';
import { withoutFolders } from './discreet.ts';
import { answer, refuse, summary, type Outcome } from './outcome.ts';
import type { PatchCompiler } from './session.ts';
import { exportedPatch, type State } from './state.ts';

/**
 * The patch with the values of a state as its initial ones, as text.
 *
 * Errors: NOT_EXPORTABLE, COMPILE_FAILED.
 */
export async function exportOf(
  { patch, values }: State,
  compiler: Pick<PatchCompiler, 'exportFaust'>,
  format?: Exported['format'],
): Promise<Outcome<Exported>> {
  const { name, faust } = patch;
  if (faust === undefined) {
    if (format === 'faust') {
      const detail = `patch ${name} is no Faust program: expected the format "patch"`;
      return refuse('NOT_EXPORTABLE', detail);
    }
    return answer(exportedPatch(patch, values));
  }
  const written = await compiler.exportFaust(withoutProgram(patch), values);
  if (written.kind === 'failed') {
    return refuse('COMPILE_FAILED', `the compiler gave up: ${withoutFolders(written.reason)}`);
  }
  if (written.kind === 'refused') {
    return refuse('NOT_EXPORTABLE', summary(written.diagnostics), written.diagnostics);
  }
  const { code, expandedFor, lost } = written;
  const notes = [
    ...(expandedFor.length === 0
      ? []
      : [`imports and definitions are put in, for the sake of ${expandedFor.join(', ')}`]),
    ...lost.map((id) => `${id} is on: no program can say so`),
  ];
  if (format !== 'patch') {
    const asked = Object.keys(faust.learn ?? {});
    const unsaid =
      asked.length === 0
        ? []
        : [
            `the program does not say of ${asked.join(', ')} what was asked for while it played: whether it is learnable`,
          ];
    return answer({
      format: 'faust',
      file: `${name}.dsp`,
      text: code,
      notes: [...notes, ...unsaid],
    });
  }
  const exported = exportedPatch({ ...patch, faust: { ...faust, code } }, values);
  return answer({ ...exported, notes });
}
