/**
 * Who may talk to the daemon, and as what.
 *
 * Where a token is configured or kept (`tokens.ts`), every request must carry one: as a bearer token,
 * or as `?token=` on the WebSocket, because a browser cannot set a header there. Its role says what it
 * may do. Without any, the daemon only listens on loopback and whoever reaches it may do everything;
 * then the Host must be a loopback name, which stops DNS rebinding. With or without, a page of another
 * site must not reach it through a user's browser: its Origin must be the daemon's own or listed.
 *
 * Invariants: tokens are held as digests; comparing takes the same time whatever was sent, and looks
 * at all of them. A daemon that others reach lets nobody in without a token, also when the last one
 * was removed while it runs.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../../config/load.ts';
import { problem, type Problem } from '../api/errors.ts';
import type { Role } from '../api/roles.ts';
import type { Limits } from './limits.ts';
import { answer, type Outcome } from './outcome.ts';
import type { TokenRecord } from './tokens.ts';

/** What one token may do. */
export interface Grant {
  /** Of the token; empty where none is asked for. */
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the token. */
  readonly digest: Buffer;
}

export interface AccessOptions {
  /** `http.token`, which is one of an admin; empty for none. */
  readonly token: string;
  readonly tokens?: readonly TokenRecord[];
  /** Whether only this machine reaches the daemon; it needs a token otherwise. */
  readonly isLocal?: boolean;
  /** Origins of other pages that may call: `https://studio.example`. */
  readonly origins?: readonly string[];
}

/** What proxies add: from behind one, everybody seems to be on this machine. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'] as const;

const ANYONE: Grant = { name: '', role: 'admin', digest: Buffer.alloc(32) };

export const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

export class Access {
  #fixed: readonly Grant[] = [];
  #kept: readonly Grant[] = [];
  readonly #isLocal: boolean;
  #origins: readonly string[] = [];
  readonly #listeners = new Set<() => void>();
  #grants: readonly Grant[] = [];

  constructor({ token, tokens = [], isLocal = true, origins = [] }: AccessOptions) {
    this.#isLocal = isLocal;
    this.configure({ token, origins });
    this.keep(tokens);
  }

  /** What the configuration says from now on. */
  configure({ token, origins }: Required<Pick<AccessOptions, 'token' | 'origins'>>): void {
    this.#fixed =
      token === '' ? [] : [{ name: 'http.token', role: 'admin', digest: digestOf(token) }];
    this.#origins = origins;
    this.#grant();
  }

  /** Whether pages of another origin may call. */
  allows(origin: string): boolean {
    return this.#origins.includes(origin);
  }

  /** Whether a request needs a token. */
  get isGuarded(): boolean {
    return this.#grants.length > 0 || !this.#isLocal;
  }

  /** The tokens that are known from now on, beside the configured one. */
  keep(tokens: readonly TokenRecord[]): void {
    this.#kept = tokens.map(({ name, role, sha256 }) => ({
      name,
      role,
      digest: Buffer.from(sha256, 'hex'),
    }));
    this.#grant();
  }

  #grant(): void {
    this.#grants = [...this.#fixed, ...this.#kept];
    for (const listener of this.#listeners) listener();
  }

  /** Calls back when the tokens have changed. */
  listen(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** What a token grants. Cost: one digest, and a comparison with each token that is known. */
  grantOf(token: string): Grant | undefined {
    const digest = digestOf(token);
    let found: Grant | undefined;
    for (const grant of this.#grants) {
      if (timingSafeEqual(digest, grant.digest)) found = grant;
    }
    return found;
  }

  /** Whether what was granted is still so. */
  holds(grant: Grant): boolean {
    if (grant === ANYONE) return !this.isGuarded;
    return this.#grants.some(
      ({ digest, role }) => role === grant.role && timingSafeEqual(digest, grant.digest),
    );
  }

  /** Why a request must not be heard, whoever sends it: it comes through a page of another site. */
  foreign(headers: IncomingHttpHeaders): Problem | undefined {
    const host = hostOf(`http://${headers.host ?? ''}`);
    if (!this.isGuarded && (host === undefined || !isLoopback(host.hostname))) {
      return problem(
        'FORBIDDEN_ORIGIN',
        `expected a loopback name in Host, got ${JSON.stringify(headers.host ?? '')}`,
      );
    }
    const forwarded = FORWARDED.find((name) => headers[name] !== undefined);
    if (!this.isGuarded && forwarded !== undefined) {
      return problem(
        'FORBIDDEN_ORIGIN',
        `a proxy passes it on (${forwarded}), for anybody: make a token first`,
      );
    }
    const { origin } = headers;
    if (origin !== undefined) {
      if (this.allows(origin) || (host && hostOf(origin)?.host === host.host)) {
        return undefined;
      }
      return problem(
        'FORBIDDEN_ORIGIN',
        `expected a page of ${host?.host ?? 'the daemon'} or one of http.origins, got one of ${JSON.stringify(origin)}`,
      );
    }
    // What a page asks for without reading it, an image say, has no Origin. A link to here is followed:
    // the page that has it sees nothing of what comes, and what comes changes nothing.
    const { 'sec-fetch-site': site, 'sec-fetch-dest': use } = headers;
    if ((site === 'cross-site' || site === 'same-site') && use !== 'document') {
      return problem('FORBIDDEN_ORIGIN', 'a page of another site asks, and does not say which');
    }
    return undefined;
  }

  /**
   * What a request is granted by its token.
   * Errors: UNAUTHORIZED; RATE_LIMITED after some wrong tokens of one address, right ones too then.
   */
  admit(limits: Limits, address: string, token: string): Outcome<Grant> {
    if (!this.isGuarded) return answer(ANYONE);
    if (token === '') {
      const detail = 'expected Authorization: Bearer TOKEN, got none';
      return { ok: false, problem: problem('UNAUTHORIZED', detail) };
    }
    const locked = limits.locked(address);
    if (locked !== undefined) return { ok: false, problem: locked };
    const grant = this.grantOf(token);
    if (grant !== undefined) return answer(grant);
    limits.wrong(address, digestOf(token));
    return { ok: false, problem: problem('UNAUTHORIZED', 'the token is wrong') };
  }
}

/** The token that a request carries, empty without one. */
export const bearerOf = ({ authorization = '' }: IncomingHttpHeaders): string =>
  /^Bearer (.+)$/i.exec(authorization)?.[1] ?? '';

function hostOf(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}
