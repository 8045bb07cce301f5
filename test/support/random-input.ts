/**
 * Input for operations, made at random: as a schema has it, the same with something wrong in it, and
 * plain garbage; as values, and as the text that goes over a wire.
 *
 * Invariant: a seed makes the same input again. What comes out may or may not be valid: who uses it
 * must not count on either.
 */

import fc from 'fast-check';
import { z } from 'zod';

/** The parts of JSON Schema that zod writes. */
interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly prefixItems?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Names that something may have, so that not everything is unknown. */
const NAMES = ['gain', 'hidden/gain', 'warm', 'cold', 'estimate', 'target', 'mse', 'virtual'];
/** Names that every object has, and others that are no good as names. */
const TRAPS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'then',
  '',
  '.',
  '..',
  '../../etc/passwd',
  '%2e%2e%2f',
  '\0',
  '\ud800',
  '\u202egain',
  'ﷺ'.repeat(40),
  'e\u0301'.repeat(60),
  '👩‍👩‍👧‍👦',
  'NaN',
  "'; drop table runs; --",
  'x'.repeat(5000),
];

const word = fc.oneof(fc.constantFrom(...NAMES), fc.constantFrom(...TRAPS), fc.string());

const NUMBERS = [0, -0, -1, 1e308, -1e308, 5e-324, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 + 2, 0.1];
const ODD = [null, true, false, [], {}, [[]], [{}], '0', '1e999', 'true'];

const nested = (depth: number): unknown => {
  let value: unknown = 1;
  for (let k = 0; k < depth; k++) value = k % 2 === 0 ? [value] : { a: value };
  return value;
};

/** Any JSON value, and those that break what does not look. */
export const garbage: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  word,
  fc.constantFrom<unknown>(...NUMBERS, ...ODD),
  fc.integer({ min: 1, max: 400 }).map(nested),
  fc.integer({ min: 1, max: 3000 }).map((length) => Array.from({ length }, (_, k) => k)),
);

const MAX_DEPTH = 6;

function arbitraryOf(schema: JsonSchema, root: JsonSchema, depth: number): fc.Arbitrary<unknown> {
  const { $ref, anyOf, oneOf, allOf, type } = schema;
  if (depth > MAX_DEPTH) return garbage;
  const of = (part: JsonSchema): fc.Arbitrary<unknown> => arbitraryOf(part, root, depth + 1);
  if ($ref !== undefined) {
    const name = $ref.split('/').at(-1) ?? '';
    return of(root.$defs?.[name] ?? root);
  }
  const some = anyOf ?? oneOf ?? allOf;
  if (some !== undefined && some.length > 0) return fc.oneof(...some.map(of));
  if ('const' in schema) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (type) {
    case 'object':
      return objectOf(schema, of);
    case 'array':
      if (schema.prefixItems !== undefined) return fc.tuple(...schema.prefixItems.map(of));
      return fc.array(of(schema.items ?? {}), { maxLength: 4 });
    case 'integer':
      return fc.maxSafeInteger().map((value) => within(value, schema));
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => within(x, schema));
    case 'string':
      return word;
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      return garbage;
  }
}

function objectOf(
  { properties = {}, required = [], additionalProperties }: JsonSchema,
  of: (part: JsonSchema) => fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(Object.entries(properties).map(([k, part]) => [k, of(part)]));
  const known = fc.record(fields, { requiredKeys: [...required] });
  if (typeof additionalProperties !== 'object') return known;
  const others = fc.dictionary(word, of(additionalProperties), { maxKeys: 3 });
  return fc.tuple(known, others).map(([a, b]) => ({ ...b, ...a }));
}

/** Small numbers are the likely ones to be of use. */
function within(value: number, { minimum, maximum }: JsonSchema): number {
  const [low, high] = [minimum ?? -1000, maximum ?? 1000];
  const span = Math.min(high, low + 1000) - low;
  return low + (Math.abs(value) % (span + 1));
}

type Mutation = readonly [at: number, how: 'replace' | 'remove' | 'add', name: string, by: unknown];

const mutation: fc.Arbitrary<Mutation> = fc.tuple(
  fc.nat(40),
  fc.constantFrom('replace', 'remove', 'add'),
  word,
  garbage,
);

/** A copy with something else, less or more at one place of it. */
function mutated(value: unknown, [at, how, name, by]: Mutation): unknown {
  let left = at;
  const visit = (part: unknown): unknown => {
    if (left-- === 0 && how === 'replace') return by;
    if (typeof part !== 'object' || part === null) return part;
    if (Array.isArray(part)) return part.map(visit);
    const entries = Object.entries(part).map(([key, one]) => [key, visit(one)] as const);
    if (left >= 0 && left < entries.length && how === 'remove') entries.splice(left, 1);
    if (left < 4 && how === 'add') entries.push([name, by]);
    return Object.fromEntries(entries);
  };
  return visit(value);
}

/** Input as a schema has it, or with something wrong in it. */
export function inputOf(schema: z.ZodType): fc.Arbitrary<unknown> {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  const valid = arbitraryOf(root, root, 0);
  return fc.oneof(
    valid,
    fc.tuple(valid, mutation).map(([value, one]) => mutated(value, one)),
  );
}

/** What a text can have that no value has. */
const TWISTS: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => text,
  (text) => text,
  (text) => text.replace('{', '{"__proto__":{"isAdmin":true},'),
  (text) => text.replace(/\d+/u, '1e400'),
  (text) => text.replace(/\d+/u, '9'.repeat(400)),
  (text) => text.slice(0, Math.floor(text.length / 2)),
  (text) => `${text}${text}`,
  (text) => text.replaceAll('"', "'"),
  (text) => `\ufeff${text}`,
  (text) => '['.repeat(2000) + text,
  (text) => '{"a":'.repeat(2000) + text + '}'.repeat(2000),
];

/** JSON of a value as it may come over a wire: now and then none. */
export const textOf = (value: fc.Arbitrary<unknown>): fc.Arbitrary<string> =>
  fc
    .tuple(value, fc.constantFrom(...TWISTS))
    .map(([one, twist]) => twist(JSON.stringify(one) ?? ''));
