/**
 * Hands this process over to a program under another Node: same arguments, streams, signals and
 * exit code.
 *
 * Where Node can replace its own process (`process.execve`, from 23.11) no launcher stays behind;
 * otherwise the launcher waits, passes signals on, and ends as the program ended.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/**
 * @param {string} node
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<never>}
 */
export async function handOver(node, args, env = process.env) {
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    process.execve(node, [node, ...args], env);
  }
  process.exit(await runToEnd(node, args, env));
}

/**
 * Runs a program to its end.
 *
 * A terminal sends Ctrl-C to the program and to us alike, so the first SIGINT is passed on only
 * where no terminal is attached; a program must not see one key press as two.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<number>} the exit code, 128 + the signal's number if a signal ended it
 */
export function runToEnd(command, args, env = process.env) {
  const child = spawn(command, args, { stdio: 'inherit', env });
  const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  let interrupts = 0;
  /** @param {NodeJS.Signals} signal */
  const pass = (signal) => {
    if (signal === 'SIGINT' && terminal && interrupts++ === 0) return;
    child.kill(signal);
  };
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
  for (const signal of signals) process.on(signal, pass);
  return new Promise((resolve) => {
    child.once('error', (error) => {
      process.stderr.write(`livegrad: ${command} did not start: ${error.message}\n`);
      resolve(127);
    });
    child.once('exit', (code, signal) => {
      for (const name of signals) process.off(name, pass);
      resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']);
    });
  });
}
