/**
 * The corpus holds what it promises: libfaust takes every program, plays it audibly, and nothing its
 * sliders can do makes it fail. (In single precision, equal.test.ts plays them as well.) A list of
 * what the corpus covers is written beside it, and the normal form of a few programs is kept as
 * text, so that a new version of libfaust shows what it changes. (UPDATE_GOLDEN=1 rewrites both.)
 */

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import { beforeAll, describe, expect, it, test } from 'vitest';
import {
  compileReference,
  normalForm,
  playReference,
  type Move,
  type Reference,
} from '../support/libfaust.ts';
import { CORPUS, CORPUS_SOUNDS, corpusCode, corpusInputs, type CorpusProgram } from './corpus.ts';

/** A second for what a program does by itself, half of one for each setting of its sliders. */
const FRAMES = 48000;
const SETTING_FRAMES = 24000;
const isUpdate = process.env['UPDATE_GOLDEN'] === '1';

/** What a control may be moved to; meters and recordings are none. */
function controlsOf(reference: Reference) {
  return reference.controls.filter(({ kind }) => !/bargraph|soundfile/.test(kind));
}

/** Settings that a clumsy hand would try, and a few random ones. */
function settingsOf(reference: Reference): Move[][] {
  const controls = controlsOf(reference);
  if (controls.length === 0) return [];
  let state = 1;
  const random = (): number =>
    ((state = (Math.imul(state, 1664525) + 1013904223) | 0) >>> 0) / 2 ** 32;
  const place: readonly ((k: number) => number)[] = [
    () => 0,
    () => 1,
    (k) => k % 2,
    (k) => 1 - (k % 2),
    random,
    random,
  ];
  return place.map((at) =>
    controls.map(({ path, min, max, step, kind }, k) => {
      const isSwitch = kind === 'button' || kind === 'checkbox';
      const value = isSwitch
        ? Math.round(at(k))
        : min + step * Math.round((at(k) * (max - min)) / step);
      // Not at the start, so that states of the defaults meet the new values.
      return {
        at: SETTING_FRAMES / 4,
        path: path.join('/'),
        value: Math.min(value, isSwitch ? 1 : max),
      };
    }),
  );
}

function play(
  program: CorpusProgram,
  reference: Reference,
  frames: number,
  moves: readonly Move[] = [],
): Float64Array[] {
  const inputs = corpusInputs(program, frames);
  return playReference(reference, { frames, inputs, moves, sounds: CORPUS_SOUNDS });
}

/** The largest magnitude; not a number where one sample is none. */
function peak(signal: Float64Array): number {
  return signal.reduce((max, x) => (Number.isNaN(x) ? x : Math.max(max, Math.abs(x))), 0);
}

test('the table names the files that are there, each once', () => {
  const files = readdirSync(new URL('corpus/', import.meta.url))
    .filter((name) => name.endsWith('.dsp'))
    .map((name) => name.slice(0, -4));
  expect(CORPUS.map(({ name }) => name).sort()).toEqual(files.sort());
});

describe.each(CORPUS.map((program) => [program.name, program] as const))('%s', (_, program) => {
  let reference: Reference;
  beforeAll(async () => {
    reference = await compileReference(program.code, { precision: 'double' });
  });

  it('says what it is in its first line and is short', () => {
    expect(program.summary).toMatch(/^(\(|\p{Lu}).*\.$/u);
    const lines = program.code.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThanOrEqual(3);
    expect(lines.length).toBeLessThanOrEqual(40);
  });

  it('has the inputs and outputs of the table', () => {
    expect([reference.inputs, reference.outputs]).toEqual([program.inputs, program.outputs]);
  });

  it('plays on every output', () => {
    for (const signal of play(program, reference, FRAMES)) {
      expect(peak(signal)).toBeGreaterThan(1e-4);
      expect(peak(signal)).toBeLessThan(100);
    }
  });

  it('stays finite wherever its sliders are', () => {
    for (const moves of settingsOf(reference)) {
      const level = Math.max(...play(program, reference, SETTING_FRAMES, moves).map(peak));
      expect(level, JSON.stringify(moves)).toBeLessThan(1000);
    }
  });
});

/** Prefixes of the standard library, of those the corpus uses. */
const PREFIX =
  /\b(aa|an|ba|co|de|ef|en|fi|ho|hy|it|la|ma|mi|no|os|pf|pm|qu|re|ro|si|so|sp|sy|ve|wd)\.([A-Za-z]\w*(?:\.[a-z]\w*)?)/g;

/** The functions of the standard library that a program names itself. */
function librariesIn({ code }: CorpusProgram): (readonly [library: string, name: string])[] {
  const text = code.replace(/\/\/.*|"[^"]*"/g, '');
  return [...text.matchAll(PREFIX)].map(([, library, name]) => [library!, name!] as const);
}

function contents(): string {
  const sections = [...new Set(CORPUS.map(({ section }) => section))];
  const used = new Map<string, Set<string>>();
  for (const [library, name] of CORPUS.flatMap(librariesIn)) {
    used.set(library, (used.get(library) ?? new Set()).add(name));
  }
  const count = [...used.values()].reduce((sum, names) => sum + names.size, 0);
  const learnt = CORPUS.filter(({ code }) => code.includes('[learn:1]')).length;
  const tables = sections.map((section) => {
    const rows = CORPUS.filter((program) => program.section === section).map(
      ({ name, inputs, outputs, summary }) =>
        `| [${name}](${name}.dsp) | ${inputs} | ${outputs} | ${summary.replaceAll('|', '\\|')} |`,
    );
    return `## ${section}\n\n| program | in | out | what |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  const libraries = [...used.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([library, names]) => `| \`${library}\` | ${[...names].sort().join(', ')} |`);
  return `<!-- Written by corpus.test.ts with UPDATE_GOLDEN=1. -->

# Corpus of Faust programs

${CORPUS.length} programs of our own, ${learnt} of them with learnable sliders, naming ${count} functions of the standard library. \`corpus.ts\` says what to feed them.

${tables.join('\n')}
## Standard library

| library | functions |
|---|---|
${libraries.join('\n')}
`;
}

test('README.md lists the programs and what they cover', async () => {
  const url = new URL('corpus/README.md', import.meta.url);
  const made = await format(contents(), { parser: 'markdown', proseWrap: 'preserve' });
  if (isUpdate) writeFileSync(url, made);
  expect(readFileSync(url, 'utf8')).toBe(made);
});

/** A small program for each kind of node. */
const GOLDEN = [
  'resonant-trio',
  'integer-operators',
  'maths-rounding',
  'prefix-and-mem',
  'table-delay',
  'soundfile-loop',
  'ui-bargraphs',
  'dual-gain',
] as const;

test.each(GOLDEN)('libfaust makes of %s what it made before', async (name) => {
  const url = new URL(`../golden/faust-${name}.norm1.txt`, import.meta.url);
  const made = await normalForm(corpusCode(name), { precision: 'double' });
  if (isUpdate) writeFileSync(url, made);
  expect(readFileSync(url, 'utf8')).toBe(made);
});
