/**
 * What a schema of the API lets through, as TypeScript, so that the types of the SDK need no zod.
 *
 * Invariant: the type takes everything that the schema does; what no type can say (ranges, patterns)
 * is left to the daemon. Shapes that have a name are written once, in `named`, also where they
 * contain themselves.
 */

import { z } from 'zod';

type Io = 'input' | 'output';

/** The parts of JSON Schema that zod writes. */
interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly description?: string;
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
}

/** Types by the names of their schemas, of one file of declarations. */
export type Named = Map<string, string>;

/** @param io  what a caller gives, where defaults may be left out, or what comes of it */
export function typeOf(schema: z.ZodType, io: Io, named: Named): string {
  const root = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as JsonSchema;
  // Not the name of a type of the sources. `#` is a schema that contains itself without a name.
  const nameOf = (ref: string): string => {
    const own = ref === '#' ? `Self${named.size}` : (ref.split('/').at(-1) ?? '');
    return `${io === 'input' ? 'Given' : 'The'}${own.replaceAll(/\W/gu, '_')}`;
  };
  const visit = (part: JsonSchema): string => {
    if (part.$ref === undefined) return written(part, visit);
    const name = nameOf(part.$ref);
    if (!named.has(name)) {
      // Before it is written: it may contain itself.
      named.set(name, '');
      const target = root.$defs?.[part.$ref.split('/').at(-1) ?? ''] ?? root;
      named.set(name, visit(target));
    }
    return name;
  };
  return visit(root);
}

function written(part: JsonSchema, visit: (part: JsonSchema) => string): string {
  const { anyOf, oneOf, allOf, type, items, prefixItems } = part;
  const some = anyOf ?? oneOf;
  if (some !== undefined) return joined(some.map(visit), ' | ');
  if (allOf !== undefined) return joined(allOf.map(visit), ' & ');
  if ('const' in part) return JSON.stringify(part.const);
  if (part.enum !== undefined)
    return joined(
      part.enum.map((one) => JSON.stringify(one)),
      ' | ',
    );
  switch (type) {
    case 'object':
      return objectType(part, visit);
    case 'array':
      if (prefixItems !== undefined) return `[${prefixItems.map(visit).join(', ')}]`;
      return `(${items === undefined ? 'unknown' : visit(items)})[]`;
    case 'integer':
    case 'number':
      return 'number';
    case 'string':
    case 'boolean':
    case 'null':
      return type;
    default:
      return 'unknown';
  }
}

function objectType(
  { properties = {}, required = [], additionalProperties }: JsonSchema,
  visit: (part: JsonSchema) => string,
): string {
  const fields = Object.entries(properties).map(([name, part]) => {
    const isNeeded = required.includes(name);
    const type = isNeeded ? visit(part) : `${visit(part)} | undefined`;
    return `${documented(part)}${JSON.stringify(name)}${isNeeded ? '' : '?'}: ${type};`;
  });
  if (fields.length > 0) return `{ ${fields.join(' ')} }`;
  if (typeof additionalProperties === 'object')
    return `Record<string, ${visit(additionalProperties)}>`;
  return additionalProperties === false ? 'Record<string, never>' : 'Record<string, unknown>';
}

const documented = ({ description }: JsonSchema): string =>
  description === undefined ? '' : `/** ${description.replaceAll('*/', '*\\/')} */ `;

const joined = (types: readonly string[], by: string): string =>
  types.length === 1 ? types[0]! : `(${[...new Set(types)].join(by)})`;
