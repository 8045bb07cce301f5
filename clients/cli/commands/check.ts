/** `check PATCH`: every problem of a patch, with its place in the file. Runs nothing. */

import { compile } from '../../../dsp/compile.ts';
import { answer, refuse } from '../answer.ts';
import { sampleRate, withCompiler } from '../command.ts';
import type { Register } from '../command.ts';
import { withFolders } from '../faust.ts';
import type { FolderOptions } from '../faust.ts';
import { compared } from '../objective.ts';
import { locateIn, readPatch } from '../patch-source.ts';
import { mark } from '../style.ts';

interface Options extends FolderOptions {
  readonly sampleRate: number;
  readonly blockSize: number;
  readonly latency: number;
}

export const check: Register = (program, deliver) => {
  withFolders(
    withCompiler(
      program
        .command('check')
        .description('find everything that is wrong with a patch')
        .argument('<patch>', 'file (JSON, or .dsp in Faust), or name of an example')
        .option('--sample-rate <hz>', 'sample rate to check for', sampleRate, 48_000),
    ),
  ).action((name: string, options: Options) =>
    deliver(async ({ style }) => {
      const source = await readPatch(name, options);
      if (!source.ok) return refuse(source.findings);
      const { patch } = source.value;
      const artifact = compile(patch, { ...options, maxBlock: options.blockSize });
      if (!artifact.ok) return refuse(locateIn(source.value, artifact.diagnostics));
      const { inputs, outputs, sliders, params, mode, window } = artifact.value;
      const learnable = `${params.length} learnable`;
      const learns =
        window > 0
          ? `${learnable}, ${mode} mode, window ${window}: ${compared(patch.training ?? {}).join(', ')}`
          : params.length > 0
            ? `${learnable}, no training: nothing says what they are to learn`
            : 'no training';
      return answer(
        {
          patch: patch.name,
          ok: true,
          diagnostics: [],
          inputs,
          outputs,
          sliders: sliders.map((c) => c.id),
          params: params.map((c) => c.id),
          mode,
          window,
        },
        `${mark(style, true)} ${patch.name}: ${inputs} in, ${outputs} out, ${sliders.length} sliders, ${learns}`,
      );
    }),
  );
};
