/**
 * Faust programs as our own compiler plays them, with what `support/libfaust.ts` offers for
 * libfaust: a program from its text, an instance whose controls are moved by path, a recording.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CompileOptions } from '../../dsp/compile.ts';
import { programOf } from '../../dsp/compile.ts';
import { idsOfWidgets } from '../../dsp/faust/controls.ts';
import { keyOfWidget, readForm, widgetsOf } from '../../dsp/faust/form.ts';
import { readLabel, splitPath } from '../../dsp/faust/labels.ts';
import { patchOf } from '../../dsp/faust/patch.ts';
import type { FaustProgram } from '../../dsp/faust/program.ts';
import type { Result } from '../../dsp/diagnostic.ts';
import type { Precision, Program } from '../../dsp/ir/program.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import type { Instance } from '../../dsp/run/instance.ts';
import { WavWriter } from '../../server/audio/wav.ts';
import { evaluate } from '../../server/faust/evaluate.ts';
import { Libfaust } from '../../server/faust/libfaust.ts';
import type { Move, PlayOptions, Sound } from './libfaust.ts';
import { exactInstance } from './program.ts';

const libfaust = new Libfaust();

/** A folder with recordings, by file name. */
export function soundFolder(sounds: Readonly<Record<string, Sound>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'faust-sounds-'));
  for (const [name, { sampleRate, channels }] of Object.entries(sounds)) {
    const format = { sampleRate, channels: channels.length, encoding: 'float32' } as const;
    const writer = new WavWriter(join(folder, name), format);
    writer.write(
      channels.map((samples) => Float32Array.from(samples)),
      channels[0]!.length,
    );
    writer.close();
  }
  return folder;
}

export function given<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.diagnostics.map(({ message }) => message).join('; '));
  return result.value;
}

export async function faustProgram(
  code: string,
  precision: Precision,
  sounds: string | null = null,
): Promise<FaustProgram> {
  const folders = sounds === null ? [] : [sounds];
  return given(await evaluate(libfaust, code, { double: precision === 'double', sounds: folders }));
}

/** @param document  settings besides the program */
export const faustPatch = (program: FaustProgram, document: object = {}): Patch =>
  given(
    patchOf(program, {
      format: 'livegrad.patch/1',
      name: 'program',
      faust: { code: program.code },
      ...document,
    }),
  );

const OPTIONS: CompileOptions = { sampleRate: 48_000, maxBlock: 128, latency: 0 };

export interface Started {
  readonly patch: Patch;
  readonly program: Program;
  readonly instance: Instance;
  /** Moves a control; @param path as `controlIn` of `libfaust.ts` takes it */
  readonly set: (path: string, value: number) => void;
}

/** A program without its training, playing in its own precision. */
export function start(faust: FaustProgram, options: Partial<CompileOptions> = {}): Started {
  const made = faustPatch(faust);
  const { training: _training, ...rest } = made;
  const still = Object.fromEntries(
    Object.entries(made.params).map(([id, { initial, size: _size, ...spec }]) => [
      id,
      { ...spec, initial: typeof initial === 'number' ? initial : 0 },
    ]),
  );
  const patch: Patch = { ...rest, sliders: { ...made.sliders, ...still }, params: {} };
  const all = { ...OPTIONS, ...options };
  const program = given(programOf(patch, all));
  const instance = exactInstance(program, all.maxBlock);
  const paths = pathsOf(faust);
  const ids = Object.keys(patch.sliders);
  return {
    patch,
    program,
    instance,
    set: (path, value) => {
      // libfaust puts the program's name around what has no group.
      const wanted = path.split('/').map((label) => label.trim());
      const found = paths.filter((one) => one.path.every((label, k) => label === wanted[k]));
      const depth = Math.max(...found.map((one) => one.path.length));
      for (const one of found) {
        if (one.path.length === depth) instance.sliders[ids.indexOf(one.id)] = value;
      }
    },
  };
}

/** Of each control its id, and its path from the label out, without metadata. */
function pathsOf({ form }: FaustProgram): { readonly id: string; readonly path: string[] }[] {
  const widgets = widgetsOf(given(readForm(form)));
  const ids = idsOfWidgets(widgets);
  return widgets.map((widget) => {
    const { label, groups } = splitPath(widget.path);
    const path = [label, ...groups.toReversed()].map((part) => readLabel(part).text);
    return { id: ids.get(keyOfWidget(widget))!, path };
  });
}

/** Plays from the start; @returns [outputs, frames]. */
export function play({ instance, set }: Started, options: PlayOptions): Float64Array[] {
  const { frames, inputs = [], moves = [] } = options;
  const block = instance.artifact.maxBlock;
  const outputs = instance.outputs.map(() => new Float64Array(frames));
  const due: Move[] = [...moves];
  for (let from = 0; from < frames;) {
    while (due.length > 0 && due[0]!.at <= from) {
      const { path, value } = due.shift()!;
      set(path, value);
    }
    const until = Math.min(frames, from + block, due[0]?.at ?? frames);
    instance.inputs.forEach((channel, k) => {
      channel.fill(0);
      channel.set(inputs[k]?.subarray(from, until) ?? []);
    });
    instance.process(until - from);
    instance.outputs.forEach((channel, k) => {
      outputs[k]!.set(channel.subarray(0, until - from), from);
    });
    from = until;
  }
  return outputs;
}
