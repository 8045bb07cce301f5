/**
 * Finds a Node.js that runs the TypeScript sources as they are: version 24 or newer.
 *
 * The system's own is taken when it is new enough; otherwise the one that npm installed as an
 * optional package (64-bit Linux on x86 and Arm). This file never downloads anything.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT, outsidePath, which } from './paths.mjs';

export const REQUIRED_MAJOR = 24;

/**
 * @param {string} version such as 'v24.21.0'
 * @returns {number}
 */
export function majorOf(version) {
  return Number(/^v?(\d+)\./.exec(version)?.[1] ?? 0);
}

/**
 * @param {string} file
 * @returns {number} its major version, 0 when it does not run
 */
function majorOfBinary(file) {
  try {
    return majorOf(execFileSync(file, ['--version'], { encoding: 'utf8', timeout: 10_000 }));
  } catch {
    return 0;
  }
}

/**
 * @returns {{ ok: true, node: string } | { ok: false, reason: string }}
 */
export function findNode() {
  if (majorOf(process.version) >= REQUIRED_MAJOR && existsSync(process.execPath)) {
    return { ok: true, node: process.execPath };
  }
  const packaged = join(
    ROOT,
    'node_modules',
    `node-${process.platform}-${process.arch}`,
    'bin',
    'node',
  );
  if (existsSync(packaged)) return { ok: true, node: packaged };
  const system = which('node', outsidePath());
  if (system !== null && majorOfBinary(system) >= REQUIRED_MAJOR) return { ok: true, node: system };
  return {
    ok: false,
    reason:
      `Node.js ${REQUIRED_MAJOR} or newer is needed and this is ${process.version}; ` +
      `npm brings one for 64-bit Linux on x86 and Arm, but this is ${process.platform} on ` +
      `${process.arch}, or optional packages were left out: install Node.js ${REQUIRED_MAJOR}`,
  };
}

/**
 * The folder whose `include/node` holds the headers that came with a Node, for building natively
 * without a download.
 *
 * @param {string} node path of its binary
 * @returns {string | null}
 */
export function headersOf(node) {
  const prefix = dirname(dirname(node));
  const complete = ['node_api.h', 'common.gypi', 'config.gypi'].every((file) =>
    existsSync(join(prefix, 'include', 'node', file)),
  );
  return complete ? prefix : null;
}
