/** Reads a graph back from the text that `print` writes: goldens are written in it. */

import { Builder } from '../../dsp/ir/builder.ts';
import type { Domain, Graph, NodeId } from '../../dsp/ir/graph.ts';
import { ATTR_DEFAULTS, OPS, isOp } from '../../dsp/ir/ops.ts';
import type { OpSpec } from '../../dsp/ir/ops.ts';

export function parseIr(text: string): Graph {
  const [head, ...lines] = text.trim().split('\n');
  const builder = new Builder(head!.replace(' {', '') as Domain);
  const byName = new Map<string, NodeId>();
  const open: [NodeId, string][] = [];
  const outputs: { name: string; node: NodeId }[] = [];
  const idOf = (name: string): NodeId => {
    const id = byName.get(name);
    if (id === undefined) throw new Error(`${name} is not defined before its use`);
    return id;
  };
  for (const line of lines) {
    const node = /^\s*(%\d+) = (\w+)(.*?)(?:\s+@\w+)?$/u.exec(line);
    const output = /^\s*(\S+): (%\d+)$/u.exec(line);
    if (output !== null) outputs.push({ name: output[1]!, node: idOf(output[2]!) });
    if (node === null) continue;
    const [, name, op, rest] = node as unknown as [string, string, string, string];
    if (!isOp(op)) throw new Error(`unknown operation ${op}`);
    const words = rest.trim().split(/\s+/u).filter(Boolean);
    const args = words.filter((w) => w.startsWith('%'));
    const spec: OpSpec = OPS[op];
    const valueOf = (key: string): string | undefined =>
      words.find((w) => w.startsWith(`${key}=`))?.split('=')[1];
    const attrs =
      spec.lanes === 'values'
        ? lanesOf(valueOf('value')!.split(',').map(Number), valueOf('lanes'))
        : spec.attrs.map((key) => Number(valueOf(key) ?? ATTR_DEFAULTS[key]));
    if (op === 'delay' || op === 'delayInt') {
      const type = op === 'delay' ? 'real' : 'int';
      const [lanes, hop] = ['lanes', 'hop'].map((key) => Number(valueOf(key) ?? 1));
      const delay = builder.feedback(type, attrs[0]!, attrs[1], lanes, hop);
      open.push([delay, args[0]!]);
      byName.set(name, delay);
    } else {
      byName.set(name, builder.node(op, args.map(idOf), attrs));
    }
    builder.nameState(byName.get(name)!, valueOf('state')?.split(',') ?? []);
  }
  for (const [delay, source] of open) builder.close(delay, idOf(source));
  return builder.finish(outputs);
}

/** `value=1 lanes=3` is 1, 1, 1. */
const lanesOf = (values: number[], lanes: string | undefined): number[] =>
  lanes === undefined ? values : new Array<number>(Number(lanes)).fill(values[0]!);
