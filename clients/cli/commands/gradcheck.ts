/** `gradcheck PATCH`: compares the compiled gradients with finite differences, in both modes. */

import { gradcheck as check } from '../../../dsp/check/gradcheck.ts';
import { answer, EXIT, refuse } from '../answer.ts';
import { sampleRate, whole } from '../command.ts';
import type { Register } from '../command.ts';
import { withFolders } from '../faust.ts';
import type { FolderOptions } from '../faust.ts';
import { locateIn, readPatch } from '../patch-source.ts';
import { mark, number, paint, table } from '../style.ts';

/** Above this the gradient is wrong. */
const LIMIT = 1e-4;

interface Options extends FolderOptions {
  readonly sampleRate: number;
  readonly seed: number;
}

export const gradcheck: Register = (program, deliver) => {
  withFolders(
    program
      .command('gradcheck')
      .description('compare the gradients of a patch with finite differences')
      .argument('<patch>', 'file (JSON, or .dsp in Faust), or name of an example')
      .option('--sample-rate <hz>', 'sample rate to compile for', sampleRate, 48_000)
      .option('--seed <n>', 'seed of the noise on the inputs', whole(0, 2 ** 31 - 1), 1),
  ).action((name: string, options: Options) =>
    deliver(async ({ style }) => {
      const source = await readPatch(name, options);
      if (!source.ok) return refuse(source.findings);
      const report = check(source.value.patch, options);
      if (!report.ok) return refuse(locateIn(source.value, report.diagnostics));
      const { modes, params } = report.value;
      const met = modes.every((m) => m.maxRelativeError < LIMIT);
      const rows = [
        ['', 'PARAM', 'ANALYTIC', 'NUMERIC', 'RELATIVE ERROR'].map((h) => paint(style, 'dim', h)),
        ...Object.entries(params).map(([id, p]) => [
          mark(style, p.relativeError < LIMIT),
          id,
          number(p.analytic),
          number(p.numeric),
          p.relativeError.toExponential(1),
        ]),
      ];
      const lines = modes.map(
        (m) =>
          `${mark(style, m.maxRelativeError < LIMIT)} ${m.mode} mode: worst relative error ` +
          `${m.maxRelativeError.toExponential(1)} (limit ${LIMIT.toExponential(0)}), ` +
          `compiled code within ${m.compiledRelativeError.toExponential(1)}`,
      );
      const text = [table(rows, 'llrrr'), '', ...lines].join('\n');
      return answer(report.value, text, met ? EXIT.done : EXIT.unmet);
    }),
  );
};
