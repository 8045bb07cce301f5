/**
 * A patch that is a Faust program → stream graph, for one sample rate and one device round trip.
 *
 * Signals have names here that no source can give them: `in1`, `in2`, … are inputs of the device,
 * `out1`, `out2`, … what `process` computes, `mark1`, `mark2`, … what it marks for its training. Invariant: as for patches of nodes, what depends on the
 * sample rate is decided here, and every problem is a diagnostic.
 */

import { diagnostic, fail, ok, pathOf } from '../diagnostic.ts';
import type { Diagnostic, Result } from '../diagnostic.ts';
import { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { meterName, outName } from '../ir/program.ts';
import { PROGRAM_SIGNAL } from '../patch/faust.ts';
import type { LowerOptions, Lowered } from '../patch/lower.ts';
import { termsOf } from '../patch/objective.ts';
import type { Operand } from '../patch/operand.ts';
import { placesOfParams } from '../patch/params.ts';
import type { Patch } from '../patch/schema.ts';
import { idsOfWidgets } from './controls.ts';
import { formOf, inputsOf, widgetsOf } from './form.ts';
import { makeGraph } from './graph.ts';
import { misfitOf } from './marks.ts';
import type { FaustProgram } from './program.ts';
import { lineOfWord } from './source.ts';

const MAX_DELAY_FRAMES = 2 ** 24;

/** @param program  what was evaluated of `patch.faust` */
export function lowerProgram(
  patch: Patch,
  program: FaustProgram,
  options: LowerOptions,
): Result<Lowered> {
  const read = formOf(program);
  if (!read.ok) return read;
  const form = read.value;
  const diagnostics: Diagnostic[] = [];
  const b = new Builder('stream');
  const ids = idsOfWidgets(widgetsOf(form));
  const sliders = new Map(Object.keys(patch.sliders).map((id, k) => [id, k]));
  const places = placesOfParams(patch.params);
  const control = (builder: Builder, id: string): NodeId | undefined => {
    const slider = sliders.get(id);
    if (slider !== undefined) return builder.node('slider', [], [slider]);
    const place = places.get(id);
    return place === undefined ? undefined : builder.node('param', [], [place]);
  };
  const made = makeGraph(
    b,
    form,
    {
      sampleRate: options.sampleRate,
      double: program.double,
      latency: options.latency,
      waveforms: program.waveforms,
      control: (builder, key) => control(builder, ids.get(key) ?? '') ?? lost(key),
      sounds: (label) => program.sounds?.[label] ?? [],
      lineOf: (word) => lineOfWord(program.code, word),
    },
    diagnostics,
  );
  const delayed = [...b.nodes].reduce(
    (sum, { op, attrs, shape }) =>
      sum + (op === 'delay' || op === 'delayInt' || op === 'line' ? attrs[0]! * shape : 0),
    0,
  );
  if (delayed > MAX_DELAY_FRAMES) {
    const message = `all delays together: expected at most ${MAX_DELAY_FRAMES} frames, got ${delayed}`;
    diagnostics.push(diagnostic('PATCH_TOO_LARGE', 'faust.code', message));
  }

  let inputs = inputsOf(form);
  const signal = (operand: Operand, path: readonly PropertyKey[]): NodeId => {
    if (typeof operand === 'number') return b.real(operand);
    const [, kind, number] = PROGRAM_SIGNAL.exec(operand) ?? [];
    if (kind === 'in') {
      inputs = Math.max(inputs, Number(number));
      return b.node('input', [], [Number(number) - 1]);
    }
    const signals = kind === 'out' ? made.outputs : made.marks;
    const found = kind === undefined ? control(b, operand) : signals[Number(number) - 1];
    if (found !== undefined) return b.asReal(found);
    const message = `nothing is called "${operand}" in the program`;
    diagnostics.push(diagnostic('PATCH_UNKNOWN_REFERENCE', pathOf(path), message));
    return b.real(0);
  };
  const shown = new Map([...made.meters].map(([key, node]) => [ids.get(key), node]));
  const outputs = patch.outputs.map((operand, k) => ({
    name: outName(k),
    node: signal(operand, ['outputs', k]),
  }));
  const meters = Object.keys(patch.meters).map((id, k) => ({
    name: meterName(k),
    node: shown.get(id) ?? lost(id),
  }));
  const terms = (patch.training === undefined ? [] : termsOf(patch.training)).map((term) => ({
    ...term,
    estimate: signal(term.estimate, [...term.path, 'estimate']),
    target: term.target === null ? null : signal(term.target, [...term.path, 'target']),
  }));
  for (const term of terms) {
    const misfit = diagnostics.length > 0 ? null : misfitOf(b, term);
    if (misfit !== null) diagnostics.push(misfit);
  }
  if (diagnostics.length > 0) return fail(...diagnostics.map(inSource));
  return ok({
    graph: b.finish([...outputs, ...meters]),
    terms,
    sampleRate: options.sampleRate,
    throughDevice: made.throughDevice,
    inputs,
    origin: new Map(b.nodes.map((_node, id) => [id as NodeId, 'faust.code'])),
  });
}

/** What is wrong with the program itself is somewhere in its source. */
const inSource = (problem: Diagnostic): Diagnostic =>
  problem.path === '' ? { ...problem, path: 'faust.code' } : problem;

function lost(what: string): never {
  throw new Error(`the patch was not made of this program: it has no "${what}"`);
}
