/**
 * How clients lay out the controls and meters of a patch: a tree of groups.
 *
 * Invariant: it adds nothing to what a patch does; every control and meter stands in it at most
 * once, and what does not stand in it is for the client to place. It says what a person sees, not
 * how large or in which colour.
 */

import { z } from 'zod';
import { diagnostic, nearest, pathOf } from '../diagnostic.ts';
import type { Diagnostic } from '../diagnostic.ts';
import { idSchema, number } from './operand.ts';

export const GROUP_KINDS = ['vertical', 'horizontal', 'tab'] as const;

/** How a control is drawn; a slider that lies or stands where nothing is said. */
export const CONTROL_STYLES = [
  'horizontal',
  'vertical',
  'knob',
  'number',
  'button',
  'checkbox',
  'menu',
  'radio',
] as const;

/** How a meter is drawn. */
export const METER_STYLES = ['horizontal', 'vertical', 'led', 'number'] as const;

/** Deepest nesting of groups. */
export const MAX_DEPTH = 64;
const MAX_NODES = 20_000;
/** Longest label, and longest word for a client. */
export const MAX_LABEL = 200;

const common = {
  label: z.string().max(MAX_LABEL),
  doc: z.string().max(2000).optional(),
  /** Not shown unless asked for. */
  hidden: z.boolean().optional(),
  /** For clients that know these words: `midi`, `acc`, … */
  meta: z.record(z.string().max(MAX_LABEL), z.string().max(2000)).optional(),
};

const controlNode = z.strictObject({
  /** The id of a slider or param. */
  control: idSchema,
  style: z.enum(CONTROL_STYLES).optional(),
  /** Of a menu or of radio buttons: words, and the values that they stand for. */
  choices: z
    .array(z.tuple([z.string().max(MAX_LABEL), number]))
    .max(1000)
    .optional(),
  ...common,
});

const meterNode = z.strictObject({
  /** The id of a meter. */
  meter: idSchema,
  style: z.enum(METER_STYLES).optional(),
  ...common,
});

export type UiControl = z.infer<typeof controlNode>;
export type UiMeter = z.infer<typeof meterNode>;
type Common = z.infer<z.ZodObject<typeof common>>;

/** Nodes next to each other, or below each other, or one at a time. */
export interface UiGroup extends Common {
  readonly group: (typeof GROUP_KINDS)[number];
  readonly items: readonly UiNode[];
}

/** One of a group, a control and a meter. */
export type UiNode = UiControl | UiMeter | UiGroup;

const groupNode: z.ZodType<UiGroup> = z.strictObject({
  group: z.enum(GROUP_KINDS),
  get items(): z.ZodType<readonly UiNode[]> {
    return uiSchema;
  },
  ...common,
});

export const uiSchema: z.ZodType<readonly UiNode[]> = z
  .array(z.union([controlNode, meterNode, groupNode]))
  // Documents of JSON schemas need a name for what refers to itself.
  .meta({ id: 'Ui' });

/** Whether a tree of any JSON is nested more deeply, or is larger, than may be looked through. */
export function isTooLargeUi(json: unknown): boolean {
  let level: readonly unknown[] = Array.isArray(json) ? json : [];
  let count = 0;
  for (let depth = 0; level.length > 0; depth++) {
    count += level.length;
    if (depth > MAX_DEPTH || count > MAX_NODES) return true;
    level = level.flatMap((node) => {
      const items: unknown = (node as { items?: unknown } | null)?.items;
      return Array.isArray(items) ? (items as unknown[]) : [];
    });
  }
  return false;
}

/** All that is shown is there, and once. */
export function checkUi(
  ui: readonly UiNode[],
  controls: ReadonlySet<string>,
  meters: ReadonlySet<string>,
): Diagnostic[] {
  const found: Diagnostic[] = [];
  const shown = new Set<string>();
  const visit = (nodes: readonly UiNode[], at: readonly PropertyKey[]): void => {
    nodes.forEach((node, k) => {
      if ('group' in node) return visit(node.items, [...at, k, 'items']);
      const [kind, id, known] =
        'control' in node
          ? (['control', node.control, controls] as const)
          : (['meter', node.meter, meters] as const);
      const path = pathOf([...at, k, kind]);
      if (!known.has(id)) {
        // A search through all names each: only for as many as a person reads.
        const near = found.length < 20 ? nearest(id, known) : undefined;
        const what = kind === 'control' ? 'slider or param' : 'meter';
        found.push(
          diagnostic(
            'PATCH_UNKNOWN_REFERENCE',
            path,
            `no ${what} is called "${id}": expected the id of one`,
            near === undefined ? undefined : `did you mean "${near}"?`,
          ),
        );
      } else if (shown.has(`${kind} ${id}`)) {
        found.push(diagnostic('PATCH_NAME_TAKEN', path, `"${id}" is already shown elsewhere`));
      }
      shown.add(`${kind} ${id}`);
    });
  };
  visit(ui, ['ui']);
  return found;
}
