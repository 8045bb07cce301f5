/** HTTPS: files that fit, files that do not, and what one is told who speaks HTTP. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json, text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { readCertificate, type Certificate } from '../../../server/control/tls.ts';
import { describeWith } from '../../support/packages.ts';
import { bench, record, type Bench } from './fake.ts';

let folder: string;
const path = (name: string): string => join(folder, name);

/** A certificate of its own, as a user would make one. */
function selfSigned(name: string): Certificate {
  const made = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', path(`${name}.key`), '-out', path(`${name}.pem`), '-days', '2'];
  const names = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  execFileSync('openssl', ['req', ...made, ...files, ...names], { stdio: 'ignore' });
  return { cert: readFileSync(path(`${name}.pem`)), key: readFileSync(path(`${name}.key`)) };
}

describeWith(['openssl'], 'HTTPS', () => {
  let first: Certificate;
  let second: Certificate;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'livegrad-'));
    first = selfSigned('first');
    second = selfSigned('second');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  let host: Bench | undefined;
  afterEach(async () => {
    await host?.close();
    host = undefined;
  });

  async function serve(): Promise<number> {
    host = await bench({ certificate: first, tokens: [record('boss', 'admin', 'lg_boss')] });
    await host.listen();
    return (host.http.server.address() as AddressInfo).port;
  }

  function get(port: number, ca: Buffer): Promise<{ status: number | undefined; body: unknown }> {
    const options = { port, ca, path: '/api/v1/status', host: 'localhost', agent: false };
    const headers = { authorization: 'Bearer lg_boss' };
    return new Promise((resolve, reject) => {
      const asked = request({ ...options, headers }, (reply) => {
        json(reply).then((body) => resolve({ status: reply.statusCode, body }), reject);
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  /** What comes back for these bytes on a line without TLS. */
  function plain(port: number, said: string): Promise<string> {
    const line = connect(port, '127.0.0.1');
    line.on('error', () => {});
    line.write(said);
    return text(line);
  }

  test('REST and the socket are served over TLS, to those who trust the certificate', async () => {
    const port = await serve();
    expect(await get(port, first.cert)).toMatchObject({ status: 200, body: { role: 'admin' } });
    await expect(get(port, second.cert)).rejects.toThrow(/self-signed|unable to verify/u);
    const url = `wss://localhost:${port}/api/v1/ws?token=lg_boss`;
    const socket = new WebSocket(url, { ca: first.cert });
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    socket.terminate();
  });

  test.each(['TLSv1', 'TLSv1.1'] as const)('%s is too old to be spoken', async (version) => {
    const port = await serve();
    const options = { minVersion: version, maxVersion: version, ca: first.cert, port };
    const line = connectTls({ ...options, host: 'localhost', ciphers: 'DEFAULT@SECLEVEL=0' });
    const end = new Promise((resolve) => line.on('secureConnect', resolve).on('error', resolve));
    expect(await end).toBeInstanceOf(Error);
    line.destroy();
  });

  test('a new certificate is for those who connect from then on', async () => {
    const port = await serve();
    host?.certify(second);
    expect(await get(port, second.cert)).toMatchObject({ status: 200 });
    await expect(get(port, first.cert)).rejects.toThrow();
  });

  test('who speaks HTTP is told to speak HTTPS, and nothing else', async () => {
    const port = await serve();
    const said = 'GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const heard = await plain(port, said);
    expect(heard).toMatch(/^HTTP\/1\.1 400 /u);
    expect(heard).toContain('expected HTTPS, got HTTP: ask at https://');
    expect(await plain(port, 'no TLS and no HTTP either\r\n\r\n')).toBe('');
    expect(await get(port, first.cert)).toMatchObject({ status: 200 });
  });

  test('who speaks HTTP and goes does no harm', async () => {
    const port = await serve();
    for (let i = 0; i < 20; i++) {
      const line = connect(port, '127.0.0.1');
      line.on('error', () => {});
      line.on('connect', () => {
        line.write('GET / HTTP/1.1\r\n\r\n');
        line.resetAndDestroy();
      });
      await new Promise((resolve) => line.on('close', resolve));
    }
    expect(await get(port, first.cert)).toMatchObject({ status: 200 });
  });

  test('a certificate and its key are read', () => {
    const read = readCertificate({ cert: path('first.pem'), key: path('first.key') });
    expect(read).toEqual({ ok: true, value: first });
  });

  test.each([
    ['is not there', 'none.pem', 'first.key', /none\.pem/u],
    ['has a key that is not there', 'first.pem', 'none.key', /none\.key/u],
    ['is a key', 'first.key', 'first.key', /expected a certificate and its key/u],
    ['has the key of another', 'first.pem', 'second.key', /expected a certificate and its key/u],
    ['is no PEM', 'garbage', 'first.key', /expected a certificate and its key/u],
  ])('a certificate that %s is refused with a reason', (_, cert, key, reason) => {
    writeFileSync(path('garbage'), 'garbage');
    const read = readCertificate({ cert: path(cert), key: path(key) });
    if (read.ok) throw new Error('it was taken');
    const [found] = read.diagnostics;
    expect(found).toMatchObject({ code: 'CERTIFICATE_UNUSABLE' });
    expect(found?.message).toMatch(reason);
    expect(found?.message).not.toContain('BEGIN');
  });
});
