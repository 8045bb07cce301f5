/**
 * The certificate and the key of HTTPS, from two PEM files; and what a client is told who speaks HTTP
 * where HTTPS is spoken.
 *
 * Invariant: what is given out fits together (OpenSSL has taken it); all else is a diagnostic that
 * names the file. Nothing of a key is ever shown, and nothing of a request without TLS is looked at.
 */

import { readFileSync } from 'node:fs';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { createSecureContext, type TLSSocket } from 'node:tls';
import type { Config } from '../../config/schema.ts';
import { fail, ok, type Result } from '../../dsp/diagnostic.ts';
import { problem } from '../api/errors.ts';
import { rawAnswer } from './outcome.ts';

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

/** Answers in plain HTTP to whoever speaks that to a server of HTTPS: else the line is just cut. */
export function explainHttps(server: Server): void {
  const plain = new Map<string, Socket>();
  const nameOf = ({ remoteAddress, remotePort }: Socket): string =>
    `${remoteAddress} ${remotePort}`;
  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket);
    plain.set(name, socket);
    socket.once('close', () => plain.delete(name));
  });
  server.on('tlsClientError', ({ code }: NodeJS.ErrnoException, socket: TLSSocket) => {
    if (code !== 'ERR_SSL_HTTP_REQUEST') return;
    const line = plain.get(nameOf(socket));
    line?.on('error', () => line.destroy());
    line?.end(rawAnswer(SPEAK_HTTPS));
  });
}

const SPEAK_HTTPS = problem('INVALID_REQUEST', 'expected HTTPS, got HTTP: ask at https://');

function read(file: string): Result<Buffer> {
  try {
    return ok(readFileSync(file));
  } catch (error) {
    return unusable((error as Error).message);
  }
}

const unusable = (message: string): Result<never> =>
  fail({ code: 'CERTIFICATE_UNUSABLE', path: '', message });
