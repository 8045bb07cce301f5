/**
 * The pages for whoever supervises the daemon: is it alive, does it play, and its metrics.
 *
 * Invariant: none of them is part of the API's document or changes anything. Alive and ready are
 * answered without a token and say nothing of the patch's contents; metrics name parameters, so they
 * are guarded like the API.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { unready, type Metrics, type Observed } from './metrics.ts';

export interface Health extends Observed {
  readonly metrics: Metrics;
  readonly guard: Guard;
}

/** Answers who may not pass, at a route that needs a token, before a body is read. */
export type Guard = (
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<FastifyReply | undefined>;

export function addHealth(http: FastifyInstance, health: Health): void {
  const { session, metrics, guard } = health;
  const schema = { hide: true };
  http.get('/healthz', { schema }, () => ({ ok: true }));
  http.get('/readyz', { schema }, (_, reply) => {
    const { state } = session.engine();
    const reasons = unready(session);
    const ok = reasons.length === 0;
    return reply.status(ok ? 200 : 503).send({ ok, state, reasons });
  });
  http.get('/metrics', { schema, onRequest: guard }, async (_, reply) => {
    const text = await metrics.text(health);
    return reply.type(metrics.contentType).send(text);
  });
}
