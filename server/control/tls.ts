/**
 * The certificate and the key of HTTPS, from two PEM files.
 *
 * Invariant: what is given out fits together (OpenSSL has taken it); all else is a diagnostic that
 * names the file. Nothing of a key is ever shown.
 */

import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Config } from '../../config/schema.ts';
import { fail, ok, type Result } from '../../dsp/diagnostic.ts';

export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Of a configuration that names both files. */
export function readCertificate(files: Config['http']['tls']): Result<Certificate> {
  const cert = read(files.cert);
  if (!cert.ok) return cert;
  const key = read(files.key);
  if (!key.ok) return key;
  const pair = { cert: cert.value, key: key.value };
  try {
    createSecureContext(pair);
    return ok(pair);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return unusable(
      `expected a certificate and its key in PEM, got ${files.cert} and ${files.key}: ${said}`,
    );
  }
}

function read(file: string): Result<Buffer> {
  try {
    return ok(readFileSync(file));
  } catch (error) {
    return unusable((error as Error).message);
  }
}

const unusable = (message: string): Result<never> =>
  fail({ code: 'CERTIFICATE_UNUSABLE', path: '', message });
