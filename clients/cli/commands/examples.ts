/** `examples`: the patches that come with livegrad, and what each must learn. */

import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { answer } from '../answer.ts';
import type { Register } from '../command.ts';
import type { Expectation } from '../../../dsp/patch/schema.ts';
import { number, paint, table } from '../style.ts';

const nameOf = ({ param, signal }: Expectation): string => param ?? signal ?? '';
const valueOf = ({ value }: Expectation): string =>
  typeof value === 'number' ? number(value) : value;

export const examples: Register = (program, deliver) => {
  program
    .command('examples')
    .description('list the shipped patches and what they are expected to learn')
    .action(() =>
      deliver(({ style }) => {
        const list = Object.values(EXAMPLES).map(
          ({ name, title, doc, sliders, params, expect }) => ({
            name,
            title,
            doc,
            sliders: Object.keys(sliders),
            params: Object.keys(params),
            expect,
          }),
        );
        const rows = list.map((e) => [
          paint(style, 'bold', e.name),
          e.title ?? '',
          paint(
            style,
            'dim',
            e.expect.map((x) => `${nameOf(x)} = ${valueOf(x)} in ${x.seconds} s`).join(', '),
          ),
        ]);
        return answer({ examples: list }, table(rows));
      }),
    );
};
