/**
 * The dashboard's bundle at `/`; where there is none, `/` leads to the API's page.
 *
 * Invariants: files only, of one folder; every one is listed at the start, so that no path of a
 * request is ever looked up. They hold nothing of the session, so they need no token; the page
 * loads nothing from, and speaks to, no other host, and stands in no frame.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import files from '@fastify/static';
import type { FastifyInstance } from 'fastify';

export const BUNDLE = join(import.meta.dirname, '..', '..', '.build', 'dashboard');

const POLICY = [
  "default-src 'self'",
  "img-src 'self' data: blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

export async function addDashboard(http: FastifyInstance, bundle: string): Promise<void> {
  if (!existsSync(join(bundle, 'index.html'))) {
    http.get('/', { schema: { hide: true } }, (_, reply) => reply.redirect('/docs'));
    return;
  }
  await http.register(files, {
    root: bundle,
    wildcard: false,
    decorateReply: false,
    cacheControl: false,
    setHeaders(reply, path) {
      // Names of assets hold a hash of what is in them; the page names the newest.
      const isPage = path.endsWith('.html');
      const caching = isPage ? 'no-cache' : 'public, max-age=31536000, immutable';
      reply.header('cache-control', caching);
      reply.header('x-content-type-options', 'nosniff');
      if (isPage) reply.header('content-security-policy', POLICY);
    },
  });
}
