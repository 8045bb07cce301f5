/** The client's README names every command, and no command, option or exit code that is not there. */

import { describe, expect, it } from 'vitest';
import { CLI_CODES, EXIT } from '../../../clients/cli/answer.ts';
import { createProgram } from '../../../clients/cli/program.ts';
import { read, sourceFiles } from '../../support/sources.ts';

const readme = read('clients/cli/README.md');
const program = createProgram(async () => {});

describe('the README of the command line client', () => {
  it('lists every command and no other', () => {
    const listed = [...readme.matchAll(/^\| `livegrad (\w+)/gm)].map((m) => m[1]);
    expect(listed).toEqual(program.commands.map((c) => c.name()));
  });

  it('uses commands and options that exist', () => {
    const lines = [...readme.matchAll(/livegrad ([a-z]+)((?: [^\s`|]+)*)/g)];
    expect(lines.length).toBeGreaterThan(16);
    for (const [, name, rest = ''] of lines) {
      if (name === 'help') continue;
      const command = program.commands.find((c) => c.name() === name);
      expect(command, name).toBeDefined();
      const within = command!.commands.filter((c) => rest.trim().split(' ')[0] === c.name());
      const known = [command!, program, ...within].flatMap((c) => c.options).map((o) => o.long);
      for (const [option] of rest.matchAll(/--[a-z-]+/g)) expect(known).toContain(option);
    }
  });

  it('gives the exit codes', () => {
    const listed = [...readme.matchAll(/^\| (\d+) /gm)].map((m) => Number(m[1]));
    expect(listed).toEqual(Object.values(EXIT));
  });
});

describe('error codes of the client', () => {
  it('are all given somewhere', () => {
    const text = sourceFiles()
      .filter((path) => path.startsWith('clients/cli/') && !path.endsWith('/answer.ts'))
      .map(read)
      .join('\n');
    expect(Object.keys(CLI_CODES).filter((code) => !text.includes(`'${code}'`))).toEqual([]);
  });
});
