/**
 * `npm test`: sets the checkout up, then checks format, lint and types and runs every test.
 *
 * `npm test -- PATH...` runs only the tests under these paths (anything after `--` goes to vitest).
 * The last line is `N passed, N failed, N skipped`, where each of the three checks counts as one;
 * the exit status is 0 only when nothing failed. System packages are installed through apt-get
 * where the user is root on Debian, and named otherwise.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BUILD, ROOT, say } from '../server/launch/paths.mjs';
import { prepare } from '../server/launch/prepare.mjs';
import { runToEnd } from '../server/launch/run.mjs';
import { canInstallSystemPackages, installSystemPackages } from '../server/launch/system.mjs';
import { toolScript } from '../server/launch/tool.mjs';
import { SYSTEM_PACKAGES, missingPackages } from './support/system-packages.mjs';

const REPORT = join(BUILD, 'test', 'vitest.json');

const started = performance.now();
const args = process.argv.slice(2);
process.chdir(ROOT);

// Before the set-up: the audio binding is built against the PortAudio that is then there.
const simulated = process.env['LIVEGRAD_TEST_MISSING'] !== undefined;
const wanted = simulated ? [] : missingPackages().filter((name) => SYSTEM_PACKAGES[name].apt);
if (wanted.length > 0 && canInstallSystemPackages()) installSystemPackages(wanted);

const ready = prepare({ need: 'all', host: 'yes' });
if (ready === null) {
  process.stdout.write('0 passed, 1 failed\n');
  process.exit(1);
}
for (const name of missingPackages()) {
  const effect = process.env['CI'] === 'true' ? 'fail' : 'are skipped';
  say(`missing ${name} (${SYSTEM_PACKAGES[name].what}): the suites that need it ${effect}`);
}

const env = testEnvironment();
const counts = { passed: 0, failed: 0, skipped: 0 };

if (args.length === 0) {
  await check('format', 'prettier', ['--check', '--log-level=warn', '.']);
  await check('lint', 'oxlint', ['--deny-warnings']);
  await check('types', 'tsc', ['-b']);
}
await runTests();

const seconds = ((performance.now() - started) / 1000).toFixed(0);
process.stdout.write(`\nfinished after ${seconds} s\n`);
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
process.exit(counts.failed === 0 ? 0 : 1);

/**
 * The environment of the tests: none of the user's own settings of the daemon.
 *
 * @returns {NodeJS.ProcessEnv}
 */
function testEnvironment() {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('LIVEGRAD_') || name.startsWith('LIVEGRAD_TEST_'),
  );
  return Object.fromEntries(kept);
}

/**
 * @param {string} title
 * @param {Parameters<typeof toolScript>[0]} tool
 * @param {string[]} toolArgs
 * @returns {Promise<void>}
 */
async function check(title, tool, toolArgs) {
  process.stdout.write(`\n== ${title}\n`);
  const status = await runToEnd(node(), [toolScript(tool), ...toolArgs], env);
  if (status === 0) counts.passed += 1;
  else counts.failed += 1;
  process.stdout.write(status === 0 ? `${title}: ok\n` : `${title}: FAILED\n`);
}

/** @returns {string} */
function node() {
  if (ready === null) throw new Error('the set-up has ended the process before');
  return ready.node;
}

/** @returns {Promise<void>} */
async function runTests() {
  process.stdout.write('\n== tests\n');
  mkdirSync(join(BUILD, 'test'), { recursive: true });
  rmSync(REPORT, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${REPORT}`];
  const status = await runToEnd(node(), [toolScript('vitest'), 'run', ...reporters, ...args], env);
  const report = readReport();
  counts.passed += report.passed;
  counts.failed += report.failed;
  counts.skipped += report.skipped;
  // A run that failed outside any test (no file found, an unhandled error) is a failure too.
  if (status !== 0 && report.failed === 0) counts.failed += 1;
}

/**
 * @returns {{ passed: number, failed: number, skipped: number }} tests, and files that did not load
 */
function readReport() {
  try {
    const report = JSON.parse(readFileSync(REPORT, 'utf8'));
    /** @type {{ status: string, assertionResults: unknown[] }[]} */
    const files = report.testResults;
    const unloaded = files.filter((f) => f.status === 'failed' && f.assertionResults.length === 0);
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + unloaded.length,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}
