/**
 * One command's talk with a running host: address and token in, answer out.
 *
 * Invariant: every failure of the SDK becomes a refusal with the host's own code and diagnostics;
 * no answer, or no admission, ends with exit code `unreachable`. It opens no socket: `watch` does.
 */

import { createClient, LivegradError } from '../sdk/client.ts';
import type { Client } from '../sdk/client.ts';
import { EXIT, finding, refuse } from './answer.ts';
import type { Answer, Refusal } from './answer.ts';
import { DEFAULT_URL } from './command.ts';
import type { HostOptions } from './command.ts';

export async function withClient(
  options: HostOptions,
  work: (client: Client, url: string) => Promise<Answer>,
): Promise<Answer> {
  const url = options.url ?? DEFAULT_URL;
  if (!/^https?:$/.test(protocolOf(url))) {
    const message = `--url: expected an address such as ${DEFAULT_URL}, got "${url}"`;
    return refuse([finding('CLI_USAGE', '--url', message)], EXIT.usage);
  }
  const client = createClient({ url, token: options.token });
  try {
    return await work(client, url);
  } catch (error) {
    if (error instanceof LivegradError) return refusalOf(error);
    throw error;
  } finally {
    client.close();
  }
}

const protocolOf = (url: string): string => (URL.canParse(url) ? new URL(url).protocol : '');

const NEEDS_TOKEN =
  'give one with --token or LIVEGRAD_TOKEN; "livegrad token add NAME" makes one on its machine';

/** What to do where the line fails, by what OpenSSL says. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /self-signed|unable to verify|local issuer/,
    'trust its certificate: NODE_EXTRA_CA_CERTS=cert.pem livegrad ...',
  ],
  [/wrong version number|packet length too long/, 'it speaks HTTP: --url http://...'],
];

function refusalOf(error: LivegradError): Refusal {
  if (error.code === 'UNREACHABLE') {
    const known = HINTS.find(([said]) => said.test(error.message));
    const hint = known?.[1] ?? 'start one with "npm start", or say where it is with --url';
    return refuse([finding('CLI_HOST_UNREACHABLE', '', error.message, hint)], EXIT.unreachable);
  }
  const diagnostics = error.diagnostics.filter((d) => d.message !== error.message);
  const hint = error.code === 'UNAUTHORIZED' ? { hint: NEEDS_TOKEN } : {};
  const findings =
    diagnostics.length > 0
      ? diagnostics
      : [{ code: error.code, path: '', message: error.message, ...hint }];
  const exit = error.code === 'UNAUTHORIZED' ? EXIT.unreachable : EXIT.refused;
  return { ...refuse(findings, exit), code: error.code, message: error.message };
}
