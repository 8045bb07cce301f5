/**
 * The dashboard's built files at `/`; where they were not built, `/` leads to the API's page.
 *
 * Invariant: files only, of one folder; every one is listed at the start, so that no path of a
 * request is ever looked up.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import files from '@fastify/static';
import type { FastifyInstance } from 'fastify';

const BUILT = join(import.meta.dirname, '..', '..', '.build', 'dashboard');

export async function addDashboard(http: FastifyInstance): Promise<void> {
  if (existsSync(join(BUILT, 'index.html'))) {
    await http.register(files, { root: BUILT, wildcard: false, decorateReply: false });
  } else {
    http.get('/', { schema: { hide: true } }, (_, reply) => reply.redirect('/docs'));
  }
}
