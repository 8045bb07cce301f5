/**
 * The text of `livegrad.lib`, made of the table of its functions: documentation in the form that
 * Faust's own libraries have, and what each function is to libfaust.
 */

import { COMPOSED, EXTENSIONS, GROUPS, foreignName } from '../../dsp/faust/extensions.ts';
import type { Composed, Extension, Group } from '../../dsp/faust/extensions.ts';

const WIDTH = 98;

const HEAD = `//#################################### livegrad.lib ######################################
// What plain Faust lacks for learning: marks that say which signal is to become which, losses,
// gradients of your own, and frames with their spectra, which are vectors here instead of
// thousands of numbers. Its official prefix is \`lg\`.
//
// To a Faust compiler these are foreign functions that it knows nothing of: a program that uses
// them runs in livegrad only. Frames pass through Faust's own operators (\`+\`, \`*\`, \`min\`,
// \`sqrt\`, \`select2\`, delays, recursions) lane by lane, and a number meets a frame in every lane.
// A delay of frames counts in frames. Samples and frames do not mix, nor do frames of different
// hops: \`frames\` leads from samples to frames, \`overlapAdd\` and \`hold\` lead back.
//
// This file is made of the table in extensions.ts.
//###########################################################################################

/* Copyright the livegrad authors

   Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file
   except in compliance with the License. You may obtain a copy of the License at

       http://www.apache.org/licenses/LICENSE-2.0

   Unless required by applicable law or agreed to in writing, software distributed under the
   License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND,
   either express or implied. See the License for the specific language governing permissions
   and limitations under the License. */

declare name "livegrad Library";
declare version "1.0.0";
declare license "Apache-2.0";
`;

/** The whole text. */
export function libraryText(): string {
  const parts = Object.keys(GROUPS).map((key) => {
    const group = key as Group;
    const own = [...EXTENSIONS, ...COMPOSED].filter((one) => one.group === group);
    return [sectionOf(GROUPS[group]), ...own.map(functionText)].join('\n');
  });
  return [HEAD, ...parts].join('\n');
}

/** A program that tries a function, with the inputs x and y. */
export const exampleOf = ({ name, example }: Extension | Composed): string =>
  `lg.${name}${example.length === 0 ? '' : `(${example.join(', ')})`}`;

const sectionOf = (title: string): string =>
  `//${'='.repeat(Math.floor((WIDTH - title.length - 2) / 2))}${title}${'='.repeat(Math.ceil((WIDTH - title.length - 2) / 2))}\n// \n`.replace(
    '\n// \n',
    '\n',
  );

function functionText(one: Extension | Composed): string {
  const { name, doc, parameters } = one;
  const title = `\`(lg.)${name}\``;
  const usage =
    parameters.length === 0 ? name : `${name}(${parameters.map((p) => p.name).join(', ')})`;
  return [
    `//${'-'.repeat(16)}${title}${'-'.repeat(Math.max(0, WIDTH - 18 - title.length))}`,
    ...comment(`${doc}.`),
    '//',
    ...comment('#### Usage'),
    '//',
    '// ```',
    `// ${usage} : _`,
    '// ```',
    ...(parameters.length === 0
      ? []
      : [
          '//',
          '// Where:',
          '//',
          ...parameters.flatMap((p) => comment(`* \`${p.name}\`: ${p.doc}`)),
        ]),
    '//',
    '// #### Test',
    '//',
    '// ```',
    '// lg = library("livegrad.lib");',
    `// ${name}_test(x, y) = ${exampleOf(one)};`,
    '// ```',
    `//${'-'.repeat(WIDTH - 2)}`,
    definitionOf(one),
    '',
  ].join('\n');
}

function definitionOf(one: Extension | Composed): string {
  const { name, parameters } = one;
  if ('body' in one) return `${name}(${parameters.map((p) => p.name).join(', ')}) = ${one.body};`;
  const types = parameters.map(({ type }) => type).join(', ');
  return `${name} = ffunction(float ${foreignName(name)}(${types}), "", "");`;
}

/** Lines of a comment. */
function comment(text: string): string[] {
  const lines: string[] = [];
  let line = '//';
  for (const word of text.split(' ')) {
    if (line.length > 2 && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = '//';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
