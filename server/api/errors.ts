/**
 * Every error that a client of the daemon can meet, once: its code, HTTP status, JSON-RPC number,
 * title and meaning.
 *
 * Invariant: nothing leaves the control plane as an error without a row here, and a test provokes
 * every row. REST sends it as `application/problem+json` (RFC 9457), JSON-RPC as `error` with the
 * same problem in `data`. A code is never renamed or reused.
 */

import { z } from 'zod';
import type { Diagnostic } from '../../dsp/diagnostic.ts';

interface ErrorSpec {
  readonly status: number;
  /** Numbers of the JSON-RPC specification where it has one, else -32000 and below. */
  readonly rpc: number;
  readonly title: string;
  readonly doc: string;
}

export const ERRORS = {
  MALFORMED_JSON: {
    status: 400,
    rpc: -32700,
    title: 'Not JSON',
    doc: 'The body or message is not JSON.',
  },
  INVALID_REQUEST: {
    status: 400,
    rpc: -32600,
    title: 'Not a request',
    doc: 'The message is not a JSON-RPC 2.0 request, or the HTTP request cannot be read.',
  },
  UNKNOWN_METHOD: {
    status: 404,
    rpc: -32601,
    title: 'Unknown method',
    doc: 'No JSON-RPC method has this name.',
  },
  INVALID_INPUT: {
    status: 400,
    rpc: -32602,
    title: 'Invalid input',
    doc: 'A field is missing, unknown, or of the wrong type; `diagnostics` lists every one.',
  },
  INTERNAL: {
    status: 500,
    rpc: -32603,
    title: 'Internal error',
    doc: 'A fault of the daemon. Its log has the details.',
  },
  UNKNOWN_ROUTE: {
    status: 404,
    rpc: -32001,
    title: 'Unknown address',
    doc: 'Nothing is at this path.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    rpc: -32002,
    title: 'Method not allowed',
    doc: 'The path exists, but not with this HTTP method; `Allow` names those it has.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    rpc: -32003,
    title: 'Other content type',
    doc: 'The body is neither application/json nor, where a patch is expected, text/x-faust.',
  },
  TOO_LARGE: {
    status: 413,
    rpc: -32004,
    title: 'Too large',
    doc: 'A body or message is over 1 MiB, or a batch is too long or its answers over 1 MiB.',
  },
  UNAUTHORIZED: {
    status: 401,
    rpc: -32005,
    title: 'Token missing or wrong',
    doc: 'The daemon asks for a token, and the request carries none that it knows.',
  },
  FORBIDDEN_ORIGIN: {
    status: 403,
    rpc: -32006,
    title: 'Foreign origin',
    doc: 'A page of another site sent the request, or it names the daemon by a foreign host.',
  },
  FORBIDDEN_ROLE: {
    status: 403,
    rpc: -32007,
    title: 'Role too low',
    doc: 'The token is known, and its role may not do this.',
  },
  RATE_LIMITED: {
    status: 429,
    rpc: -32008,
    title: 'Too many requests',
    doc: 'The client asks more often than the daemon allows, or guesses tokens; `Retry-After` and `retryAfter` say how long to wait.',
  },
  TOO_MANY_CLIENTS: {
    status: 503,
    rpc: -32009,
    title: 'Too many clients',
    doc: 'As many sockets are open as the daemon allows.',
  },
  UNKNOWN_PARAM: {
    status: 404,
    rpc: -32010,
    title: 'Unknown parameter',
    doc: 'The patch that plays has no slider or learnable parameter with this id.',
  },
  VALUE_OUT_OF_RANGE: {
    status: 422,
    rpc: -32011,
    title: 'Value out of range',
    doc: 'The value is outside of the range of its parameter. Nothing was changed.',
  },
  NOT_LEARNABLE: {
    status: 422,
    rpc: -32012,
    title: 'Not learnable',
    doc: 'A slider was to be frozen, or a control to be learned that cannot be.',
  },
  NOT_TRAINABLE: {
    status: 409,
    rpc: -32013,
    title: 'Nothing to train',
    doc: 'The patch that plays has no training section, and nothing says what is to be compared.',
  },
  UNKNOWN_EXAMPLE: {
    status: 404,
    rpc: -32014,
    title: 'Unknown example',
    doc: 'No shipped example has this name.',
  },
  PATCH_INVALID: {
    status: 422,
    rpc: -32015,
    title: 'Patch does not compile',
    doc: 'The patch was refused; `diagnostics` says why. The old one keeps playing.',
  },
  COMPILE_FAILED: {
    status: 422,
    rpc: -32016,
    title: 'Compiler gave up',
    doc: 'Compiling took too long or too much memory. The old patch keeps playing.',
  },
  ENGINE_REFUSED: {
    status: 409,
    rpc: -32017,
    title: 'Engine refused',
    doc: 'The engine could not take the compiled patch. The old one stays.',
  },
  NOT_EXPORTABLE: {
    status: 409,
    rpc: -32022,
    title: 'Not exportable',
    doc: 'The patch that plays cannot be written in this format with its present values.',
  },
  NOT_FAUST: {
    status: 406,
    rpc: -32023,
    title: 'No source in Faust',
    doc: 'The source was asked for, and the patch that plays is not written in Faust.',
  },
  UNKNOWN_DEVICE: {
    status: 404,
    rpc: -32021,
    title: 'Unknown device',
    doc: 'No device, or more than one, has this id or name. The open one plays on.',
  },
  DEVICE_REFUSED: {
    status: 409,
    rpc: -32018,
    title: 'Device did not open',
    doc: 'The device could not be opened with these settings. The old one was opened again.',
  },
  DEVICES_UNKNOWN: {
    status: 503,
    rpc: -32019,
    title: 'Devices cannot be listed',
    doc: 'The list of audio devices could not be read.',
  },
  NOT_CALIBRATED: {
    status: 409,
    rpc: -32020,
    title: 'Calibration failed',
    doc: 'The probe did not come back clearly; the old latency stays.',
  },
  UNKNOWN_SNAPSHOT: {
    status: 404,
    rpc: -32030,
    title: 'Unknown snapshot',
    doc: 'No snapshot of this name is kept.',
  },
  SNAPSHOT_EXISTS: {
    status: 409,
    rpc: -32031,
    title: 'Snapshot exists',
    doc: 'A snapshot of this name is kept already, and `replace` was not asked for.',
  },
  SNAPSHOT_MISFIT: {
    status: 409,
    rpc: -32032,
    title: 'Snapshot does not fit',
    doc: 'The patch that plays lacks what the snapshot sets, or has other ranges; `diagnostics` names each. Nothing was changed.',
  },
  NOT_KEPT: {
    status: 507,
    rpc: -32033,
    title: 'Not kept',
    doc: 'The state folder could not be written, or has no room for more.',
  },
  UNKNOWN_PATCH: {
    status: 404,
    rpc: -32040,
    title: 'Unknown patch',
    doc: 'The library has no patch of this name.',
  },
  PATCH_EXISTS: {
    status: 409,
    rpc: -32041,
    title: 'Patch exists',
    doc: 'The library has a patch of this name already, and `replace` was not asked for.',
  },
  AUDITION_UNDER_WAY: {
    status: 409,
    rpc: -32042,
    title: 'Audition under way',
    doc: 'Two sides are being compared: what would exchange one of them has to wait until somebody commits or rolls back.',
  },
  NO_AUDITION: {
    status: 409,
    rpc: -32043,
    title: 'No audition',
    doc: 'Nothing is being compared.',
  },
  NOT_TESTED: {
    status: 409,
    rpc: -32044,
    title: 'Test refused',
    doc: 'The tone could not be played: the output is muted, there is no such output, or nothing runs.',
  },
  CHANNELS_REFUSED: {
    status: 409,
    rpc: -32045,
    title: 'Channels refused',
    doc: 'The open device does not have one of the channels, the program has more than are named, or two of its outputs would go to one.',
  },
  NOTHING_TO_UNDO: {
    status: 409,
    rpc: -32034,
    title: 'Nothing to undo',
    doc: 'There is no step that could be undone, or done again.',
  },
  UNKNOWN_RECORDING: {
    status: 404,
    rpc: -32050,
    title: 'Unknown recording',
    doc: 'No recording of this name is kept.',
  },
  RECORDING_EXISTS: {
    status: 409,
    rpc: -32051,
    title: 'Recording exists',
    doc: 'A recording of this name is kept already, or is being made.',
  },
  RECORDING_RUNS: {
    status: 409,
    rpc: -32052,
    title: 'Recording',
    doc: 'A recording is being made: stop it first.',
  },
  NOT_RECORDING: {
    status: 409,
    rpc: -32053,
    title: 'Not recording',
    doc: 'No recording is being made.',
  },
  NOTHING_TO_RECORD: {
    status: 503,
    rpc: -32054,
    title: 'Nothing to record',
    doc: 'No sound flows, or none has yet.',
  },
  ONLY_REST: {
    status: 400,
    rpc: -32055,
    title: 'Only over REST',
    doc: 'The answer is a file, which the socket does not carry: ask for it at its address.',
  },
  UNKNOWN_RUN: {
    status: 404,
    rpc: -32035,
    title: 'Unknown run',
    doc: 'The history has no run of this number.',
  },
  MIDI_UNAVAILABLE: {
    status: 503,
    rpc: -32060,
    title: 'No MIDI',
    doc: 'MIDI is off, its optional package is not installed, or the machine has no MIDI system. All else works.',
  },
  UNKNOWN_MAPPING: {
    status: 404,
    rpc: -32061,
    title: 'Unknown mapping',
    doc: 'No controller moves a control of this id.',
  },
  HISTORY_UNAVAILABLE: {
    status: 503,
    rpc: -32036,
    title: 'No history',
    doc: 'The file of the history cannot be read or written. All else works.',
  },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof ERRORS;
export const ERROR_CODES = Object.keys(ERRORS) as readonly ErrorCode[];

export const diagnosticSchema = z
  .object({
    code: z.string(),
    path: z.string().describe('Where in the input: nodes.estimate.in[1]; empty for all of it.'),
    message: z.string(),
    hint: z.exactOptional(z.string()),
    line: z.exactOptional(z.int()).describe('Of the source of a Faust program, counted from 1.'),
  })
  .meta({ id: 'Diagnostic' });

export const problemSchema = z
  .object({
    type: z.string().describe('urn:livegrad:error: and the code.'),
    title: z.string(),
    status: z.int(),
    code: z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]),
    detail: z.string().describe('What was expected, what was found, and where.'),
    diagnostics: z.array(diagnosticSchema).optional(),
    retryAfter: z.int().optional().describe('Of RATE_LIMITED: seconds to wait.'),
  })
  .meta({ id: 'Problem', description: 'An error, as application/problem+json.' });

export type Problem = z.infer<typeof problemSchema>;

/** The problem document of an error. */
export function problem(
  code: ErrorCode,
  detail: string,
  diagnostics: readonly Diagnostic[] = [],
): Problem {
  const { status, title } = ERRORS[code];
  const base: Problem = { type: `urn:livegrad:error:${code}`, title, status, code, detail };
  if (diagnostics.length === 0) return base;
  return { ...base, diagnostics: diagnostics.map((d) => ({ ...d })) };
}
