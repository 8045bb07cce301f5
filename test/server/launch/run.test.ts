/**
 * What a user of the launcher sees from outside: exit codes, signals, arguments, a clean stdout.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { majorOf } from '../../../server/launch/node.mjs';
import { ROOT } from '../../support/sources.ts';

const run = JSON.stringify(pathToFileURL(join(ROOT, 'server/launch/run.mjs')).href);

/** A launcher that cannot replace itself and runs a program given as text. */
const launcher = (program: string): string[] => [
  '--input-type=module',
  '-e',
  `const { runToEnd } = await import(${run});
   process.exit(await runToEnd(process.execPath, ['-e', ${JSON.stringify(program)}, 'x', 'y']));`,
];

describe('runToEnd', () => {
  it('ends with the exit code of the program', () => {
    const result = spawnSync(process.execPath, launcher('process.exit(7)'));
    expect(result.status).toBe(7);
  });

  it('ends with 128 and the number of the signal that ended the program', () => {
    const result = spawnSync(process.execPath, launcher("process.kill(process.pid, 'SIGKILL')"));
    expect(result.status).toBe(128 + 9);
  });

  it('hands over arguments and streams unchanged', () => {
    const program = 'process.stdin.pipe(process.stdout); console.log(process.argv.slice(1).join())';
    const result = spawnSync(process.execPath, launcher(program), {
      input: 'in',
      encoding: 'utf8',
    });
    expect(result.stdout).toBe('x,y\nin');
    expect(result.stderr).toBe('');
  });

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    it(`passes ${signal} on, once, and waits for the program to end`, async () => {
      const program = `let n = 0;
        process.on('${signal}', () => { n++; setTimeout(() => process.exit(40 + n), 50); });
        setInterval(() => {}, 1000); console.log('ready');`;
      const child = spawn(process.execPath, launcher(program), {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      await once(child.stdout, 'data');
      const ended = once(child, 'exit');
      child.kill(signal);
      expect(await ended).toEqual([41, null]);
    });
  }
});

describe('the tool command', () => {
  const tool = join(ROOT, 'server/launch/tool.mjs');

  it('runs a development tool and says nothing of its own', () => {
    const result = spawnSync(process.execPath, [tool, 'tsc', '--version'], { encoding: 'utf8' });
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(result.stdout).toMatch(/^Version \d+\.\d+\.\d+\s*$/);
  });

  it('names the tools that it knows when it is asked for another', () => {
    const result = spawnSync(process.execPath, [tool, 'webpack'], { encoding: 'utf8' });
    expect(result.status).toBe(2);
    expect(result.stderr).toContain(
      "unknown tool 'webpack': expected ./FILE or one of tsc, oxlint",
    );
  });
});

describe('majorOf', () => {
  it('reads the major version, 0 from anything else', () => {
    expect(['v24.21.0', '20.1.0', '', 'none'].map(majorOf)).toEqual([24, 20, 0, 0]);
  });
});
