/**
 * The declarations of the SDK as a stranger gets them: those that the compiler makes of it and of what
 * it imports, with what the schemas let through written out in the place of the schemas.
 *
 * Invariant: no declaration names a package; what names a schema is gone, and nothing else. It reads
 * the compiler's output line by line: a statement begins at the first column.
 */

import { posix } from 'node:path';
import { z } from 'zod';
import { typeOf, type Named } from './types.ts';

export interface Sources {
  /** What the compiler has made of a source file, by its path in the repository. */
  read(path: string): string;
  /** What a source file exports. */
  load(path: string): Promise<Readonly<Record<string, unknown>>>;
}

/** Declaration files by their paths, from those of an entry file on. */
export async function declarationsOf(
  entry: string,
  sources: Sources,
): Promise<Map<string, string>> {
  const made = new Map<string, string>();
  const queue = [entry];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (made.has(path)) continue;
    const text = await withoutSchemas(path, sources);
    made.set(path, text);
    for (const [, to = ''] of text.matchAll(/ from '(\.[^']*)\.js';/gu)) {
      queue.push(posix.join(posix.dirname(path), `${to}.ts`));
    }
  }
  return new Map([...made].map(([path, text]) => [path.replace(/\.ts$/u, '.d.ts'), text]));
}

async function withoutSchemas(path: string, sources: Sources): Promise<string> {
  const statements = statementsOf(sources.read(path));
  const hasSchemas = statements.some((one) => / from 'zod';/u.test(one));
  const exported = hasSchemas ? await sources.load(path) : {};
  const named: Named = new Map();
  const kept = statements.flatMap((statement) => {
    const code = statement.replace(/^\/\*\*.*?\*\/\n/su, '');
    if (/ from 'zod';/u.test(code)) return [];
    const inferred = /^export type (\w+) = z\.\w+<(.+)>;/u.exec(code);
    if (inferred !== null) {
      const [, name = '', what = ''] = inferred;
      const schema = schemaOf(what, exported);
      return schema === undefined
        ? []
        : [`export type ${name} = ${typeOf(schema, 'output', named)};`];
    }
    const general = /^export type (\w+<.+>) = z\.(input|output)<Operations\[K\]\['(\w+)'\]>;/u.exec(
      code,
    );
    if (general !== null) {
      const [, head = '', io = '', field = ''] = general;
      if (io !== field) return [];
      return [`export type ${head} = Operations[K]['${field}'];`];
    }
    if (code.startsWith('type Operations =')) return [operationsType(exported, named)];
    return /\bz\./u.test(code) ? [] : [statement];
  });
  const helpers = [...named].map(([name, type]) => `type ${name} = ${type};`);
  const text = [...kept, ...helpers].join('\n').replaceAll(/( from '\.[^']*)\.ts';/gu, "$1.js';");
  return `${withoutIdle(text)}\nexport {};\n`;
}

/** Its statements, each with the comment before it. */
function statementsOf(text: string): string[] {
  const statements: string[] = [];
  let isComment = false;
  for (const line of text.split('\n')) {
    const begins = /^(export|import|declare|type|interface|\/\*\*)/u.test(line);
    if (begins && !isComment) statements.push(line);
    else if (statements.length > 0) statements.push(`${statements.pop()}\n${line}`);
    if (line.startsWith('/**')) isComment = true;
    else if (begins) isComment = false;
  }
  return statements;
}

/** What an expression of types means: `typeof runSchema`, `(typeof X)['signals.list']['output']`. */
function schemaOf(
  what: string,
  exported: Readonly<Record<string, unknown>>,
): z.ZodType | undefined {
  const [, name = '', path = ''] = /^\(?typeof (\w+)\)?(.*)$/u.exec(what) ?? [];
  const keys = [...path.matchAll(/\['([^']+)'\]/gu)].map(([, key]) => key ?? '');
  const found = keys.reduce<unknown>(
    (value, key) => (value as Readonly<Record<string, unknown>>)[key],
    exported[name],
  );
  return found instanceof z.ZodType ? found : undefined;
}

interface Operation {
  readonly summary: string;
  readonly doc: string;
  readonly input: z.ZodType;
  readonly output: z.ZodType;
}

function operationsType({ OPERATIONS }: Readonly<Record<string, unknown>>, named: Named): string {
  const rows = Object.entries(OPERATIONS as Readonly<Record<string, Operation>>).map(
    ([id, { summary, doc, input, output }]) =>
      `    /** ${summary}. ${doc.replaceAll('*/', '*\\/')} */\n` +
      `    '${id}': { input: ${typeOf(input, 'input', named)}; output: ${typeOf(output, 'output', named)} };`,
  );
  return `interface Operations {\n${rows.join('\n')}\n}`;
}

/** Without imports that nothing needs any more. */
function withoutIdle(text: string): string {
  return text.replaceAll(
    /^import (?:type )?\{([^}]*)\} from '[^']*';\n/gmu,
    (line, list: string) => {
      const rest = text.replace(line, '');
      const isUsed = list
        .split(',')
        .map((name) => name.replace('type ', '').trim())
        .some((name) => name !== '' && new RegExp(`\\b${name}\\b`, 'u').test(rest));
      return isUsed ? line : '';
    },
  );
}
