/** `watch` in a real terminal, against the real daemon: what a person sees, and what is left behind. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startDaemon } from '../../support/daemon.ts';
import type { Daemon } from '../../support/daemon.ts';
import { environment, livegrad, MAIN } from './run.ts';
import { openTerminal } from './terminal.ts';

const ENTER = '\x1b[?1049h';
const LEAVE = '\x1b[?1049l';

async function running(env: Readonly<Record<string, string>> = {}): Promise<Daemon> {
  const daemon = await startDaemon(env);
  onTestFinished(async () => void (await daemon.stop()));
  return daemon;
}

const shows = (text: string | RegExp) => (lines: readonly string[]) =>
  lines.some((line) => (typeof text === 'string' ? line.includes(text) : text.test(line)));

describe('watch', () => {
  it('shows a host in 80 by 24, follows its changes and the size, and restores the terminal', async () => {
    const { address } = await running();
    const terminal = openTerminal(['watch', '--url', address]);
    await terminal.until(shows(/^gain +0\.3 /));
    await terminal.until(shows(/^in +1 ▇/));
    expect(terminal.screen()).toHaveLength(24);
    expect(terminal.screen()[0]).toMatch(/^livegrad {2}gain +● running {2}virtual rig {2}48 kHz/);
    expect(terminal.output()).toContain(ENTER);
    expect(terminal.output()).not.toContain(LEAVE);

    await livegrad(['set', 'hidden/gain', '0.8', '--url', address]);
    await terminal.until(shows(/^hidden\/gain +0\.8 /));
    await terminal.until(shows(/^gain +0\.8 /));
    await livegrad(['load', 'one-pole', '--url', address]);
    await terminal.until(shows(/^feedback +0\.5 /));
    expect(shows(/^gain /)(terminal.screen())).toBe(false);

    terminal.resize(100, 30);
    await terminal.until((lines) => lines.length === 30 && lines[0]!.length === 100);
    terminal.resize(40, 10);
    await terminal.until((lines) => lines.length === 10);

    terminal.keys('q');
    expect(await terminal.ended).toBe(0);
    expect(terminal.output().endsWith(LEAVE)).toBe(true);
    expect(terminal.output()).toContain('\x1b[?25h');
  });

  it('says when the connection is lost, and when it is back', async () => {
    const first = await startDaemon();
    const port = new URL(first.address).port;
    const terminal = openTerminal(['watch', '--url', first.address]);
    await terminal.until(shows('running'));
    await first.stop();
    await terminal.until(shows('connection lost'));
    await running({ LIVEGRAD_HTTP_PORT: port });
    await terminal.until(shows('connection is back'));
    terminal.keys('\x03');
    expect(await terminal.ended).toBe(0);
    expect(terminal.output().endsWith(LEAVE)).toBe(true);
  });

  it('restores the terminal when a signal ends it', async () => {
    const { address } = await running();
    const terminal = openTerminal(['watch', '--url', address]);
    await terminal.until(shows('running'));
    terminal.signal(15);
    expect(await terminal.ended).toBe(143);
    expect(terminal.output().endsWith(LEAVE)).toBe(true);
  });

  it('restores the terminal after a crash, and shows the error there', async () => {
    const script = fileURLToPath(new URL('./crash.ts', import.meta.url));
    const terminal = openTerminal([], script);
    expect(await terminal.ended).toBe(70);
    const [drawn, after] = terminal.output().split(LEAVE);
    expect(drawn).toContain('about to fail');
    expect(after).toContain('Error: a mistake while drawing');
  });

  it('does not touch the screen when no host answers', async () => {
    const terminal = openTerminal(['watch', '--url', 'http://127.0.0.1:9']);
    expect(await terminal.ended).toBe(4);
    expect(terminal.output()).toContain('CLI_HOST_UNREACHABLE');
    expect(terminal.output()).not.toContain(ENTER);
  });

  it('prints lines where there is no terminal', async () => {
    const { address } = await running();
    const child = spawn(process.execPath, [MAIN, 'watch', '--url', address], {
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
    const line = await new Promise<string>((resolve) => {
      child.stdout.setEncoding('utf8').once('data', resolve);
    });
    expect(line).toMatch(/^running {2}step \d+ {2}loss .* gain=0\.\d+ .*load .* %\n$/);
    child.kill('SIGTERM');
    expect(await closed).toBe(0);
  });
});
