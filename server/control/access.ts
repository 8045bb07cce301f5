/**
 * Who may talk to the daemon.
 *
 * With a token configured, every request must carry it: as a bearer token, or as `?token=` on the
 * WebSocket, because a browser cannot set a header there. Without one the daemon only listens on
 * loopback; then a web page of another site must not reach it through the user's browser: its
 * Origin must be the daemon's own, and the Host a loopback name (which stops DNS rebinding).
 *
 * Invariant: comparing takes the same time whatever was sent. It answers, and logs nothing.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../../config/load.ts';
import { problem, type Problem } from '../api/errors.ts';

/** The problem with a request, or undefined when it may pass. */
export function accessProblem(
  token: string,
  headers: IncomingHttpHeaders,
  queryToken?: string | null,
): Problem | undefined {
  if (token !== '') {
    const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
    const given = bearer ?? queryToken ?? '';
    if (given === '')
      return problem('UNAUTHORIZED', 'expected Authorization: Bearer TOKEN, got none');
    if (!same(given, token)) return problem('UNAUTHORIZED', 'the token is wrong');
    return undefined;
  }
  const host = hostOf(`http://${headers.host ?? ''}`);
  if (host === undefined || !isLoopback(host.hostname)) {
    return problem(
      'FORBIDDEN_ORIGIN',
      `expected a loopback name in Host, got ${JSON.stringify(headers.host ?? '')}`,
    );
  }
  const { origin } = headers;
  if (origin !== undefined && hostOf(origin)?.host !== host.host) {
    return problem(
      'FORBIDDEN_ORIGIN',
      `expected a page of ${host.host}, got one of ${JSON.stringify(origin)}`,
    );
  }
  return undefined;
}

function hostOf(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}

function same(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
