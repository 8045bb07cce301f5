/**
 * Every setting of the daemon, once: names, types, ranges, defaults and what they mean.
 *
 * Invariant: the file, the environment, the flags, the reference table in README.md and the types
 * that the rest of the program uses all come from `configSchema`. Strict: an unknown key is an
 * error, never ignored. It does not read anything; `load.ts` does, once.
 */

import { z } from 'zod';

const text = z.string().max(1024);
const token = z
  .string()
  .max(512)
  .regex(/^[\x21-\x7e]*$/, 'expected printable ASCII without spaces');

const origin = z
  .string()
  .max(1024)
  .regex(/^[a-z][a-z0-9+.-]*:\/\/[^\s/]+$/, 'an origin such as https://studio.example');

const tlsSchema = z.strictObject({
  cert: text
    .default('')
    .describe('Certificate in PEM, with those that lead to its root; with it HTTPS is spoken.'),
  key: text.default('').describe('Private key of the certificate, in PEM.'),
});

const httpSchema = z.strictObject({
  host: text
    .min(1)
    .default('127.0.0.1')
    .describe('Address to listen on. Any other than a loopback address needs a token.'),
  port: z.int().min(0).max(65535).default(8440).describe('TCP port; 0 takes any free one.'),
  token: token
    .default('')
    .describe(
      'Bearer token of an administrator; where it or `livegrad token` gives one, every request needs one.',
    ),
  origins: z
    .array(origin)
    .max(16)
    .default([])
    .describe('Origins of pages of other sites that may call: https://studio.example.'),
  rateLimit: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(12_000)
    .describe('Requests per minute of an address or socket; 0 for no limit.'),
  tls: tlsSchema.prefault({}),
});

const channelMap = z.array(z.int().min(1).max(64)).max(64).default([]);

export const audioSchema = z.strictObject({
  backend: z
    .enum(['auto', 'portaudio', 'virtual', 'file'])
    .default('auto')
    .describe('Where sound comes from: auto takes PortAudio, or the virtual rig without a device.'),
  input: text.default('').describe('Input device, by name or id; empty takes the default.'),
  output: text.default('').describe('Output device, by name or id; empty takes the default.'),
  sampleRate: z
    .union([z.int().min(8000).max(384000), z.literal('device')])
    .default(48000)
    .describe('Sample rate in Hz; `device` follows that of the device or file.'),
  blockSize: z.int().min(16).max(8192).default(256).describe('Frames per block.'),
  inputChannels: z.int().min(1).max(64).default(2).describe('Input channels to open.'),
  outputChannels: z.int().min(1).max(64).default(2).describe('Output channels to open.'),
  inputMap: channelMap.describe(
    'Channels of the device that are the inputs of the program, from 1; empty: as they are.',
  ),
  outputMap: channelMap.describe(
    'Channels of the device that the outputs of the program go to, from 1; empty: as they are.',
  ),
  clock: z
    .enum(['realtime', 'free'])
    .default('realtime')
    .describe('Pace of the virtual and file backends: real time, or as fast as possible.'),
  inputFile: text.min(1).optional().describe('WAV file that the file backend plays.'),
  outputFile: text.min(1).optional().describe('WAV file that the file backend records to.'),
  loop: z
    .boolean()
    .default(false)
    .describe('Whether the file backend starts over at the end of its input.'),
  realtimePriority: z
    .boolean()
    .default(true)
    .describe('Ask for real-time priority for the audio thread where the system grants it.'),
});

const engineSchema = z.strictObject({
  revectorize: z
    .enum(['off', 'auto'])
    .default('off')
    .describe(
      'Eight numbers at a time instead of four (AVX2), an experiment of V8: auto takes it for a program that computes the same with it.',
    ),
});

const folders = z.array(text.min(1)).max(16).default([]);

const faustSchema = z.strictObject({
  libraries: folders.describe(
    'Folders whose libraries Faust programs may import; that of the program `patch`, too.',
  ),
  sounds: folders.describe('Folders whose WAV files Faust programs may play (soundfile).'),
});

const oscSchema = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .describe('Whether OSC (UDP) and OSCQuery (HTTP, WebSocket) are spoken. They have no token.'),
  host: text
    .min(1)
    .default('127.0.0.1')
    .describe('Address for OSC. Any other than a loopback address needs a list of peers.'),
  port: z
    .int()
    .min(0)
    .max(65535)
    .default(8441)
    .describe('UDP port of OSC and TCP port of OSCQuery; 0 takes any free one.'),
  allow: z
    .array(text.min(1))
    .max(64)
    .default([])
    .describe(
      'Peers that may steer over OSC: addresses or networks (192.168.1.0/24); empty: this machine.',
    ),
  replyPort: z
    .int()
    .min(0)
    .max(65535)
    .default(0)
    .describe('Port at which every peer hears what changes, as TouchOSC does; 0: those who ask.'),
  announce: z
    .boolean()
    .default(true)
    .describe('Announce OSC and OSCQuery by multicast DNS, where they are spoken.'),
});

/** Names of ports have colons in them. */
const ports = z
  .array(text.min(1).regex(/^[^,]+$/u, 'expected a name, or a part of one, without commas'))
  .max(32)
  .default([]);

const midiSchema = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .describe('Whether MIDI controllers are heard. It needs the optional package @julusian/midi.'),
  inputs: ports.describe('Ports that are heard, by name or a part of it; empty: all.'),
  outputs: ports.describe(
    'Ports that are told where controls are, likewise; empty: those that are heard.',
  ),
});

const recordingsSchema = z.strictObject({
  lookback: z
    .int()
    .min(0)
    .max(600)
    .default(30)
    .describe(
      'Seconds of what was heard and played that can be kept afterwards: 50 MB of memory for 30 s of two channels in and out at 48 kHz, 128 MB at most.',
    ),
  maxMegabytes: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(2048)
    .describe('Of all recordings in `stateDir` together, 10⁶ bytes each: there are no more then.'),
});

const logSchema = z.strictObject({
  level: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least severe message that is logged to standard error.'),
  pretty: z.boolean().default(true).describe('One line for people; false logs JSON lines.'),
});

export const configSchema = z.strictObject({
  http: httpSchema.prefault({}),
  audio: audioSchema.prefault({}),
  engine: engineSchema.prefault({}),
  faust: faustSchema.prefault({}),
  patch: text
    .min(1)
    .default('gain')
    .describe(
      'What to run first: the name of a shipped example, or a file: a patch in JSON, or a Faust program (.dsp).',
    ),
  stateDir: text
    .min(1)
    .default('.livegrad')
    .describe('Directory where learned values and the session are kept.'),
  recordings: recordingsSchema.prefault({}),
  osc: oscSchema.prefault({}),
  midi: midiSchema.prefault({}),
  log: logSchema.prefault({}),
});

export type Config = z.output<typeof configSchema>;
export type AudioSettings = z.output<typeof audioSchema>;

/** Of the virtual rig, and of a device before it is known. */
export const NOMINAL_RATE = 48000;

/** The rate that settings ask for; a nominal one where the device decides. */
export const rateIn = ({ sampleRate }: Pick<AudioSettings, 'sampleRate'>): number =>
  sampleRate === 'device' ? NOMINAL_RATE : sampleRate;

/** One setting as the loader, the help text and the reference table see it. */
export interface ConfigKey {
  /** `['audio', 'sampleRate']` */
  readonly path: readonly string[];
  /** `audio.sampleRate` */
  readonly key: string;
  /** `LIVEGRAD_AUDIO_SAMPLE_RATE` */
  readonly variable: string;
  /** `--audio-sample-rate` */
  readonly flag: string;
  readonly kind: 'string' | 'number' | 'boolean' | 'list';
  /** What a value may be, in words: `whole number, 8000 to 384000`. */
  readonly expected: string;
  /** Undefined where the setting has no default; of a list, as it is written in a variable. */
  readonly fallback: string | number | boolean | undefined;
  readonly doc: string;
  /** Divides the items of a list in a variable or a flag: `:` as in `PATH`, or `,` where items hold that. */
  readonly divider: ':' | ',';
  /** What an item of a list may be, where that is a number. */
  readonly item: string | undefined;
}

interface JsonProperty {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly maxItems?: number;
  readonly items?: JsonProperty;
  readonly anyOf?: readonly JsonProperty[];
  readonly const?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonProperty>>;
}

const KINDS: Readonly<Record<string, ConfigKey['kind']>> = {
  boolean: 'boolean',
  integer: 'number',
  array: 'list',
};

/** Every setting, in the order of the schema. */
export const CONFIG_KEYS: readonly ConfigKey[] = collect(
  z.toJSONSchema(configSchema, { io: 'input' }) as JsonProperty,
  [],
);

function collect(node: JsonProperty, path: readonly string[]): ConfigKey[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, property]) => {
    const at = [...path, name];
    return property.properties === undefined ? [describeKey(property, at)] : collect(property, at);
  });
}

function describeKey(property: JsonProperty, path: readonly string[]): ConfigKey {
  const words = path.map((part) => part.replace(/[A-Z]/g, (c) => `_${c}`));
  const { default: fallback } = property;
  const { items } = property;
  const item = items?.type === 'integer' ? expectation(items) : undefined;
  const divider = items?.pattern === undefined && item === undefined ? ':' : ',';
  return {
    path,
    key: path.join('.'),
    variable: `LIVEGRAD_${words.join('_').toUpperCase()}`,
    flag: `--${words.join('-').replaceAll('_', '-').toLowerCase()}`,
    kind: KINDS[property.type ?? property.anyOf?.[0]?.type ?? ''] ?? 'string',
    expected: expectation(property),
    fallback: Array.isArray(fallback)
      ? fallback.join(divider)
      : (fallback as ConfigKey['fallback']),
    doc: property.description ?? '',
    divider,
    item,
  };
}

function expectation(property: JsonProperty): string {
  if (property.const !== undefined) return property.const;
  if (property.anyOf !== undefined) return property.anyOf.map(expectation).join(', or ');
  if (property.enum !== undefined) return property.enum.join(' | ');
  if (property.type === 'boolean') return 'true | false';
  if (property.type === 'array') return `list, ${property.maxItems} at most`;
  if (property.type === 'integer')
    return `whole number, ${property.minimum} to ${property.maximum}`;
  if (property.pattern !== undefined) return 'printable ASCII without spaces';
  return property.minLength === 1 ? 'text, not empty' : 'text';
}
