/**
 * What tests need that npm does not bring, by the name of the Debian package: one table, read by
 * the runner (before anything is installed, hence plain JavaScript) and by the suites through
 * packages.ts.
 */
import { existsSync } from 'node:fs';
import { BINDING, systemPortAudio } from '../../server/launch/native.mjs';
import { which } from '../../server/launch/paths.mjs';

/**
 * @typedef {object} SystemPackage
 * @property {() => boolean} present
 * @property {boolean} apt whether apt-get installs it under this name
 * @property {string} what
 */

/** @satisfies {Record<string, SystemPackage>} */
export const SYSTEM_PACKAGES = {
  jackd2: {
    present: () => ['jackd', 'jack_lsp', 'jack_connect'].every((name) => which(name) !== null),
    apt: true,
    what: "JACK, whose dummy driver is the tests' clocked sound device",
  },
  libportaudio2: {
    present: () => systemPortAudio() !== null,
    apt: true,
    what: 'a PortAudio that can open JACK devices',
  },
  ecasound: {
    present: () => which('ecasound') !== null,
    apt: true,
    what: 'the hidden box between output and input',
  },
  'util-linux': {
    present: () => which('chrt') !== null,
    apt: true,
    what: 'chrt, for real-time priority',
  },
  'espeak-ng': {
    present: () => which('espeak-ng') !== null,
    apt: true,
    what: 'speech for the echo canceller',
  },
  'liblo-tools': {
    present: () => ['oscsend', 'oscdump'].every((name) => which(name) !== null),
    apt: true,
    what: 'oscsend and oscdump, which speak OSC with another implementation',
  },
  chromium: {
    present: () => existsSync('/usr/bin/chromium'),
    apt: true,
    what: 'the browser that the dashboard is tried in',
  },
  openssl: {
    present: () => which('openssl') !== null,
    apt: true,
    what: 'certificates to try HTTPS with',
  },
  naudiodon: {
    present: () => existsSync(BINDING),
    apt: false,
    what: 'the native audio binding, which the set-up builds',
  },
};

/** @typedef {keyof typeof SYSTEM_PACKAGES} PackageName */

/**
 * The packages that are not here; LIVEGRAD_TEST_MISSING (names, comma-separated) overrides what is
 * found, so that a run without them can be tried where they are installed.
 *
 * @returns {PackageName[]}
 */
export function missingPackages() {
  const names = /** @type {PackageName[]} */ (Object.keys(SYSTEM_PACKAGES));
  const said = process.env['LIVEGRAD_TEST_MISSING'];
  if (said !== undefined) return names.filter((name) => said.split(',').includes(name));
  return names.filter((name) => !SYSTEM_PACKAGES[name].present());
}
