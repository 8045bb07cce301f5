/**
 * Suites that need more than npm brings: a suite whose system package is missing is reported as
 * skipped with the package's name, and fails where CI is true, so that a green CI hides nothing.
 */
import { describe, it } from 'vitest';
import { missingPackages, type PackageName } from './system-packages.mjs';

/** `describe` for a suite that needs the named packages. */
export function describeWith(
  packages: readonly PackageName[],
  title: string,
  suite: () => void,
): void {
  const missing = missingPackages().filter((name) => packages.includes(name));
  if (missing.length === 0) {
    describe(title, suite);
  } else if (process.env['CI'] === 'true') {
    it(`${title}: has the packages that it needs`, () => {
      throw new Error(`missing ${missing.join(', ')}: in CI no suite may be skipped`);
    });
  } else {
    describe.skip(`${title} (skipped: missing ${missing.join(', ')})`, suite);
  }
}
