/**
 * The HTTP side of the control plane: the REST routes of the operations table, health, the OpenAPI
 * document and its page, and the door to the WebSocket.
 *
 * Invariant: every answer that is not a success is application/problem+json with a code of the
 * table, also those that Fastify makes itself; routes are made from the table, none by hand. It
 * holds no state: `session.ts` does.
 */

import { createReadStream, fstatSync, openSync } from 'node:fs';
import { Server as HttpsServer } from 'node:https';
import cors, { type FastifyCorsOptions } from '@fastify/cors';
import helmet, { type FastifyHelmetOptions } from '@fastify/helmet';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import Fastify, {
  LogController,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { documentOf } from '../../dsp/faust/document.ts';
import { sourceOf } from '../../dsp/patch/faust.ts';
import { ERRORS, problem, problemSchema, type ErrorCode, type Problem } from '../api/errors.ts';
import { COMMON_ERRORS, OPERATIONS, type Output } from '../api/operations.ts';
import { ROLES, ROLE_DOCS, type Role } from '../api/roles.ts';
import {
  API_PREFIX,
  FAUST_TYPE,
  OPERATION_IDS,
  ROUTES,
  pathFields,
  type OperationId,
  type FileOperationId,
} from '../api/routes.ts';
import { MAX_MESSAGE } from '../api/socket.ts';
import { bearerOf, type Access } from './access.ts';
import { addDashboard, BUNDLE } from './dashboard.ts';
import { addHealth, type Guard } from './health.ts';
import { Limits } from './limits.ts';
import { Metrics } from './metrics.ts';
import { dispatch, type Host } from './operations.ts';
import { Sockets, SOCKET_DEFAULTS, type SocketOptions } from './socket.ts';
import { explainHttps, type Certificate } from './tls.ts';

/** Lines that may be open at once, sockets among them. */
const MAX_CONNECTIONS = 512;
const HANDSHAKE_TIMEOUT = 10_000;

export interface AppOptions extends Partial<Omit<SocketOptions, 'access' | 'limits'>> {
  readonly access: Access;
  readonly version: string;
  /** Where compilations are counted, too. */
  readonly metrics?: Metrics;
  /** Folder of the dashboard's bundle. */
  readonly dashboard?: string;
  /** Requests of a client per minute; 0 for no limit. */
  readonly rateLimit?: number;
  /** Of HTTPS; HTTP without. */
  readonly certificate?: Certificate | undefined;
}

export interface App {
  readonly http: FastifyInstance;
  readonly sockets: Sockets;
  /** Presents another certificate to whoever connects from now on. */
  certify(certificate: Certificate): void;
  /** Requests of a client per minute from now on; 0 for no limit. */
  limit(perMinute: number): void;
}

export async function createApp(host: Host, options: AppOptions): Promise<App> {
  const { access, certificate, rateLimit = 0 } = options;
  const http: FastifyInstance = Fastify({
    ...(certificate === undefined
      ? {}
      : { https: { ...certificate, handshakeTimeout: HANDSHAKE_TIMEOUT } }),
    loggerInstance: host.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_MESSAGE,
    forceCloseConnections: true,
    requestTimeout: 30_000,
    routerOptions: { maxParamLength: 500 },
    // The router's own complaints about a path come before any hook.
    frameworkErrors: (error, request, reply) => void sendError(error, request, reply),
  });
  // `dispatch` checks input for both transports; here schemas only describe.
  http.setValidatorCompiler(() => (value) => ({ value }));
  http.setSerializerCompiler(() => (value) => JSON.stringify(value));
  http.removeContentTypeParser('text/plain');
  acceptEmptyJson(http);
  http.addContentTypeParser(FAUST_TYPE, { parseAs: 'string' }, (_, body, done) => done(null, body));

  http.setErrorHandler(sendError);
  http.setNotFoundHandler((request, reply) => sendProblem(reply, notFound(request, reply)));
  await http.register(helmet, HEADERS);
  const limits = new Limits({ perMinute: rateLimit });
  // What a hostile page sends is not counted: it would use up what its reader may ask.
  http.addHook('onRequest', async ({ headers }, reply) => {
    const refusal = access.foreign(headers);
    return refusal && sendProblem(reply, refusal);
  });
  await http.register(cors, {
    ...CORS,
    origin: (origin, decide) => decide(null, origin !== undefined && access.allows(origin)),
  });
  http.addHook('onRequest', async ({ ip }, reply) => {
    const refusal = limits.request(ip);
    return refusal && sendProblem(reply, refusal);
  });
  http.decorateRequest('role');
  const guard: Guard = async (request, reply) => {
    // A state is of now, and of whoever asks: a browser also waits with a request while another of the
    // same address may fill its cache.
    reply.header('cache-control', 'no-store');
    const granted = access.admit(limits, request.ip, bearerOf(request.headers));
    if (!granted.ok) return sendProblem(reply, granted.problem);
    request.role = granted.value.role;
    return undefined;
  };
  const sockets = new Sockets(host, { ...SOCKET_DEFAULTS, ...options, limits });

  await http.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'livegrad',
        version: options.version,
        description:
          'Watch and steer a running host. Every operation is also a JSON-RPC 2.0 method of its ' +
          'operationId on the WebSocket at /api/v1/ws.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      components: { securitySchemes: { token: TOKEN_SCHEME } },
    },
    transform: withSource,
    transformObject: jsonSchemaTransformObject,
  });
  await http.register(swaggerUi, { routePrefix: '/docs', staticCSP: true, transformStaticCSP });

  for (const id of OPERATION_IDS) addRoute(http, host, guard, id);
  http.get('/openapi.json', { schema: { hide: true } }, () => http.swagger());
  await addDashboard(http, options.dashboard ?? BUNDLE);
  addHealth(http, {
    session: host.session,
    sockets,
    metrics: options.metrics ?? new Metrics(options.version),
    guard,
  });
  http.server.maxConnections = MAX_CONNECTIONS;
  if (http.server instanceof HttpsServer) explainHttps(http.server);
  http.server.on('upgrade', (request, stream, head) => sockets.upgrade(request, stream, head));
  http.addHook('preClose', async () => sockets.close());
  await http.ready();
  const certify = (next: Certificate): void => {
    if (http.server instanceof HttpsServer) http.server.setSecureContext(next);
  };
  return { http, sockets, certify, limit: (perMinute) => limits.allow(perMinute) };
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What the token of a request may do; undefined where none was asked for. */
    role: Role | undefined;
  }
}

/**
 * What answers tell browsers. The page of the API has a policy of its own. HSTS would make a
 * certificate that was exchanged for a self-signed one lock its owner out.
 */
const HEADERS: FastifyHelmetOptions = {
  strictTransportSecurity: false,
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
};

const CORS: FastifyCorsOptions = {
  methods: ['GET', 'PUT', 'POST', 'PATCH', 'DELETE'],
  allowedHeaders: ['authorization', 'content-type', 'accept'],
  exposedHeaders: ['allow', 'retry-after'],
  strictPreflight: false,
  maxAge: 600,
};

const TOKEN_SCHEME = {
  type: 'http',
  scheme: 'bearer',
  description:
    `Asked for where a token is configured or kept. Roles: ` +
    ROLES.map((role) => `${role} (${ROLE_DOCS[role]})`).join('; ') +
    '.',
} as const;

/** A body that may be the source of a program, as the document of the API says it. */
const withSource: typeof jsonSchemaTransform = (document) => {
  const made = jsonSchemaTransform(document);
  const { source } = (document.schema ?? {}) as { source?: boolean };
  if (source !== true || made.schema === undefined) return made;
  const { source: _marked, body, ...schema } = made.schema as Record<string, unknown>;
  const text = { schema: { type: 'string', description: 'A Faust program.' } };
  const content = { 'application/json': { schema: body }, [FAUST_TYPE]: text };
  return { ...made, schema: { ...schema, body: { content } } };
};

/** Its page must also work on a plain address of the local network. */
const transformStaticCSP = (policy: string): string =>
  policy.replace(/upgrade-insecure-requests;?/, '');

function addRoute(http: FastifyInstance, host: Host, guard: Guard, id: OperationId): void {
  const [method, path] = ROUTES[id];
  const fields = pathFields(id);
  const faust = faustOf(id);
  const type = fileTypeOf(id);
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    if (isSource(request) && faust !== 'input') {
      return sendProblem(reply, wrongType(request, 'application/json'));
    }
    const { role } = request;
    if (role === undefined) throw new Error(`${id} has no guard`);
    const outcome = await dispatch(host, id, inputOf(request, fields), undefined, role);
    if (!outcome.ok) return sendProblem(reply, outcome.problem);
    if (type !== undefined) {
      const { name } = outcome.value as Output<FileOperationId>;
      return sendFile(reply, type, `${name}.wav`, host.recordings.pathOf(name));
    }
    if (faust === 'output') {
      reply.header('vary', 'accept');
      if (wantsSource(request.headers.accept)) return sendSource(reply, outcome.value);
    }
    return reply.type('application/json').send(JSON.stringify(outcome.value));
  };
  const url = `${API_PREFIX}${path.replaceAll(/\{(\w+)\}/g, ':$1')}`;
  http.route({ method, url, schema: describe(id, fields), onRequest: guard, handler });
  if (path.endsWith('/{id}')) {
    // An id written with its slashes.
    const wildcard = `${API_PREFIX}${path.replace('{id}', '*')}`;
    http.route({ method, url: wildcard, schema: { hide: true }, onRequest: guard, handler });
  }
}

/** Where an operation takes or gives the source of a program. */
function faustOf(id: OperationId): 'input' | 'output' | undefined {
  const spec = OPERATIONS[id];
  return 'faust' in spec ? spec.faust : undefined;
}

/** Of an operation that answers with a file. */
function fileTypeOf(id: OperationId): string | undefined {
  const spec = OPERATIONS[id];
  return 'file' in spec ? spec.file : undefined;
}

/** As it is read: it may be longer than the memory. */
function sendFile(reply: FastifyReply, type: string, name: string, path: string): FastifyReply {
  const file = openSync(path, 'r');
  reply.header('content-length', fstatSync(file).size);
  const plain = name.replaceAll(/[^ -~]|["%\\]/gu, '_');
  const full = encodeURIComponent(name);
  reply.header('content-disposition', `attachment; filename="${plain}"; filename*=UTF-8''${full}`);
  return reply.type(type).send(createReadStream('', { fd: file }));
}

/** The input of an operation: its body or query, and the fields of its path. */
function inputOf(request: FastifyRequest, fields: readonly string[]): unknown {
  if (isSource(request)) {
    const query = request.query as { readonly name?: unknown; readonly replace?: unknown };
    const path = request.params as Readonly<Record<string, string>>;
    const name = path['name'] ?? (typeof query.name === 'string' ? query.name : undefined);
    const patch = documentOf(String(request.body), name);
    if (fields.length === 0) return patch;
    return {
      ...path,
      patch,
      ...(query.replace === undefined ? {} : { replace: query.replace === 'true' }),
    };
  }
  const given = request.method === 'GET' ? request.query : request.body;
  if (fields.length === 0) return given;
  // A request without a body has null for one.
  if (typeof (given ?? {}) !== 'object') return given;
  const params = request.params as Record<string, string>;
  const path = fields.map((field) => [field, params[field] ?? params['*']] as const);
  return { ...(given as object | null), ...Object.fromEntries(path) };
}

const isSource = ({ headers }: FastifyRequest): boolean =>
  headers['content-type']?.split(';', 1)[0]!.trim().toLowerCase() === FAUST_TYPE;

/** Whether the source is liked at least as well as a document. */
function wantsSource(accept = ''): boolean {
  const likes = new Map(
    accept.split(',').map((range) => {
      const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
      const q = parameters.find((parameter) => parameter.startsWith('q='));
      return [type, q === undefined ? 1 : Number(q.slice(2))] as const;
    }),
  );
  const source = likes.get(FAUST_TYPE) ?? 0;
  return source > 0 && source >= (likes.get('application/json') ?? 0);
}

/** @param found  a patch, or an entry of the library with one */
function sendSource(reply: FastifyReply, found: unknown): FastifyReply {
  const { name, document = found } = found as {
    readonly name: string;
    readonly document?: unknown;
  };
  const source = sourceOf(document);
  if (source !== undefined) return reply.type(`${FAUST_TYPE}; charset=utf-8`).send(source);
  return sendProblem(
    reply,
    problem('NOT_FAUST', `patch ${name} has nodes, and no source in Faust`),
  );
}

/** What is said beside a source, where a document would say it. */
const sourceQueryOf = (fields: readonly string[]): z.ZodObject =>
  z.strictObject(
    fields.length === 0
      ? {
          name: z
            .string()
            .optional()
            .describe('Of the patch, where the source of it declares no name.'),
        }
      : { replace: z.stringbool().optional().describe('One of the same name may be lost.') },
  );

/** The schema of a route, for the OpenAPI document. */
function describe(id: OperationId, fields: readonly string[]): Record<string, unknown> {
  const { summary, doc, input, output, errors } = OPERATIONS[id];
  const [method, , role] = ROUTES[id];
  const faust = faustOf(id);
  const file = fileTypeOf(id);
  const shape = input instanceof z.ZodObject ? Object.entries<z.ZodType>(input.shape) : [];
  const part = (inPath: boolean): z.ZodObject =>
    z.strictObject(Object.fromEntries(shape.filter(([name]) => fields.includes(name) === inPath)));
  const body = fields.length === 0 ? input : part(false);
  const takes = !(body instanceof z.ZodObject) || Object.keys(body.shape).length > 0;
  const codes: readonly ErrorCode[] = [...errors, ...COMMON_ERRORS];
  const statuses = Map.groupBy(codes, (code) => ERRORS[code].status);
  const problems = [...statuses].map(([status, of]) => [
    status,
    {
      description: of.map((code) => `${code}: ${ERRORS[code].doc}`).join('\n\n'),
      content: { 'application/problem+json': { schema: problemSchema } },
    },
  ]);
  return {
    operationId: id,
    tags: [id.split('.')[0]],
    summary,
    description: `${doc} Role: ${role}.`,
    // A role, as OpenAPI 3.1 has it; nothing, where no token is asked for.
    security: [{ token: [role] }, {}],
    ...(fields.length > 0 ? { params: part(true) } : {}),
    ...(takes ? { [method === 'GET' ? 'querystring' : 'body']: body } : {}),
    ...(faust === 'input' ? { source: true, querystring: sourceQueryOf(fields) } : {}),
    response: {
      200: {
        description: summary,
        content: {
          ...(file === undefined
            ? { 'application/json': { schema: output } }
            : { [file]: { schema: z.string().meta({ format: 'binary' }) } }),
          ...(faust === 'output' ? { [FAUST_TYPE]: { schema: z.string() } } : {}),
        },
      },
      ...Object.fromEntries(problems),
    },
  };
}

/** Fastify refuses an empty body of type JSON; for operations that take nothing it is right. */
function acceptEmptyJson(http: FastifyInstance): void {
  const parse = http.getDefaultJsonParser('error', 'error');
  http.removeContentTypeParser('application/json');
  http.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, body as string, done);
  });
}

function notFound(request: FastifyRequest, reply: FastifyReply): Problem {
  const [path = ''] = request.url.split('?');
  const allowed = OPERATION_IDS.flatMap((id) => {
    const [method, route] = ROUTES[id];
    const part = route.endsWith('/{id}') ? '.+' : '[^/]+';
    const pattern = new RegExp(`^${API_PREFIX}${route.replace(/\{\w+\}/, part)}$`);
    return pattern.test(path) ? [method] : [];
  });
  if (allowed.length === 0) {
    return problem('UNKNOWN_ROUTE', `nothing is at ${path}; /docs lists what there is`);
  }
  const list = [...new Set(allowed)].join(', ');
  reply.header('allow', list);
  return problem('METHOD_NOT_ALLOWED', `${path}: expected ${list}, got ${request.method}`);
}

function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const {
    code = '',
    message = '',
    statusCode = 500,
  } = error as Partial<Record<'code' | 'message', string>> & { statusCode?: number };
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return sendProblem(
        reply,
        problem('TOO_LARGE', `expected a body of at most ${MAX_MESSAGE} bytes, got more`),
      );
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return sendProblem(reply, wrongType(request, `application/json or ${FAUST_TYPE}`));
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return sendProblem(reply, problem('MALFORMED_JSON', `expected JSON, got: ${message}`));
  }
  if (error instanceof SyntaxError) {
    return sendProblem(reply, problem('MALFORMED_JSON', `expected JSON, got: ${message}`));
  }
  if (statusCode < 500) return sendProblem(reply, problem('INVALID_REQUEST', message));
  request.log.error({ err: error, url: request.routeOptions.url }, 'a request failed');
  return sendProblem(
    reply,
    problem('INTERNAL', 'the request failed; the log of the daemon has the details'),
  );
}

const wrongType = ({ headers }: FastifyRequest, expected: string): Problem =>
  problem(
    'UNSUPPORTED_MEDIA_TYPE',
    `expected ${expected}, got ${headers['content-type'] ?? 'none'}`,
  );

function sendProblem(reply: FastifyReply, body: Problem): FastifyReply {
  if (body.retryAfter !== undefined) reply.header('retry-after', body.retryAfter);
  if (body.status === 401) reply.header('www-authenticate', 'Bearer realm="livegrad"');
  return reply.status(body.status).type('application/problem+json').send(JSON.stringify(body));
}
