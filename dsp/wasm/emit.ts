/**
 * One graph → the body of one function.
 *
 * Every loop loads what it needs into locals, computes, and stores what other loops, other graphs
 * or later samples need; a recursion's state stays in locals over the loop. Invariants: constants
 * and values that do not change in a loop are in locals before it starts; nothing is called; the
 * four-samples loop and the one-sample rest compute the same.
 *
 * A stream function takes (offset, position, length) in bytes of single-precision samples: where in
 * the channel arrays to start, where in the training window, and how much.
 */

import { isDelay, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { isValueOp } from '../interpret/rules.ts';
import { makeBody } from './body.ts';
import type { Body } from './body.ts';
import type { Line, Storage } from './memory.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import { COMPARISONS, WASM_RULES, intType, realType } from './rules.ts';
import type { Form, FormRules } from './rules.ts';
import type { Kind, Schedule } from './schedule.ts';
import { LOUDEST, SILENCE, addPairs, sound, splatReal } from './snippets.ts';

/** Static addresses of what a graph reads and writes. */
export interface Ports {
  /** First byte of each channel. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly tapes: readonly number[];
  /** Binary64 slots. */
  slider(index: number): number;
  param(index: number): number;
  scalar(index: number): number;
  /** Where an output goes that is one value. */
  value(name: string): number | undefined;
}

/** At most 1.5e-5 of the sum of magnitudes is lost to rounding. */
const LANE_TERMS = 256;

/** A place in memory for a signal: static address plus, maybe, a local that moves it. */
interface Site {
  readonly address: number;
  readonly base: Local | null;
}

export function emitGraph(
  func: Func,
  graph: Graph,
  schedule: Schedule,
  storage: Storage,
  ports: Ports,
  temps: (bytes: number) => number,
  frames: number,
): void {
  const isStream = graph.domain === 'stream';
  const scalarForm: Form = graph.domain === 'once' ? 'f64' : 'f32';
  const offset = isStream ? func.param(0) : null;
  const position = isStream ? func.param(1) : null;
  const length = isStream ? func.param(2) : null;
  const i = graph.domain === 'once' ? null : func.local('i32');
  const whole = isStream ? func.local('i32') : null;
  const heads = new Map<Line, Local>();
  /** Values that are not signals, in scalar form. */
  const values = new Map<NodeId, Local>();

  const scalarLoad = (type: Local['type']): Instr =>
    type === 'i32' ? ['i32.load', 0] : [`${type as 'f32' | 'f64'}.load`, 0];

  // ---- Where signals are kept ----------------------------------------------------------------

  const sites = new Map<NodeId, Site>();
  const sinks = new Map<NodeId, Site[]>();
  const addSink = (id: NodeId, site: Site): void => {
    const list = sinks.get(id);
    if (list === undefined) sinks.set(id, [site]);
    else list.push(site);
  };
  const typeOf = (id: NodeId): 'real' | 'int' => nodeOf(graph, id).type;
  const isSignal = (id: NodeId): boolean => nodeOf(graph, id).rate === 'sample';

  for (const line of storage.allLines) {
    if (!isStream) {
      addSink(line.source, { address: line.base, base: null });
      continue;
    }
    const head = func.local('i32');
    heads.set(line, head);
    addSink(line.source, { address: line.base + 4 * line.depth, base: head });
  }
  for (const { name, node } of graph.outputs) {
    const [kind, index] = name.split(':') as [string, string | undefined];
    if (kind === 'out') addSink(node, { address: ports.outputs[Number(index)]!, base: offset });
    if (kind === 'tape') addSink(node, { address: ports.tapes[Number(index)]!, base: position });
  }
  graph.nodes.forEach((node, n) => {
    const id = n as NodeId;
    if (node.op === 'input')
      sites.set(id, { address: ports.inputs[node.attrs[0]!]!, base: offset });
    if (node.op === 'tape' || node.op === 'tapeInt') {
      sites.set(id, { address: ports.tapes[node.attrs[0]!]!, base: null });
    }
    const line = storage.lines.get(id);
    if (line !== undefined) {
      const delay = node.attrs[0]!;
      sites.set(
        id,
        isStream
          ? { address: line.base + 4 * (line.depth - delay), base: heads.get(line)! }
          : { address: line.base + 4 * delay, base: null },
      );
    }
  });
  const recursiveLines = new Set(
    [...schedule.recursive].flatMap((id) => {
      const line = storage.lines.get(id);
      return line !== undefined && typeOf(line.source) === 'real' ? [line] : [];
    }),
  );
  const loopOf = (id: NodeId): string | undefined => {
    const at = schedule.place.get(id);
    return at === undefined ? undefined : `${at.stage} ${at.kind}`;
  };
  graph.nodes.forEach((node, n) => {
    const user = loopOf(n as NodeId);
    if (user === undefined) return;
    for (const arg of node.args) {
      if (!isSignal(arg) || sites.has(arg) || loopOf(arg) === user) continue;
      const site = sinks.get(arg)?.[0] ?? { address: temps(4 * frames + 16), base: null };
      if (!sinks.has(arg)) addSink(arg, site);
      sites.set(arg, site);
    }
  });
  /** What must be stored but is computed in no loop: copied by a stage's vector loop. */
  const copies = new Map<number, NodeId[]>();
  for (const id of sinks.keys()) {
    const at = schedule.place.get(id);
    if (at !== undefined && at.kind !== 'value') continue;
    const stage = at?.stage ?? 0;
    copies.set(stage, [...(copies.get(stage) ?? []), id]);
  }

  // ---- Addresses -----------------------------------------------------------------------------

  const at = (site: Site): Instr[] =>
    site.base === null ? [get(i!)] : [get(site.base), get(i!), ['i32.add']];

  const load = (site: Site, form: Form, type: 'real' | 'int'): Instr[] => {
    if (form === 'f32x4') return [...at(site), ['v128.load', site.address]];
    return [...at(site), [type === 'int' ? 'i32.load' : 'f32.load', site.address]];
  };
  const store = (site: Site, form: Form, value: Local): Instr[] => {
    if (form === 'f32x4') return [...at(site), get(value), ['v128.store', site.address]];
    return [
      ...at(site),
      get(value),
      [value.type === 'i32' ? 'i32.store' : 'f32.store', site.address],
    ];
  };

  // ---- One body: a loop in one form, or the values of a stage ------------------------------------

  const newBody = (form: Form): Body => makeBody(func, form);

  /** The local that holds a node's value in this body. */
  const valueIn = (body: Body, id: NodeId): Local => {
    const found = body.known.get(id);
    if (found !== undefined) return found;
    const node = nodeOf(graph, id);
    const type = node.type === 'int' ? intType(body.form) : realType(body.form);
    if (node.op === 'const' || node.op === 'constInt') {
      const [value = 0] = node.attrs;
      const [, index] = node.op === 'const' ? body.real(value) : body.int(value);
      const local = { index: index!, type };
      body.known.set(id, local);
      return local;
    }
    if (!isSignal(id) && body.form !== 'f32x4') {
      const scalar = values.get(id);
      if (scalar === undefined) throw new Error(`node ${id} is used before it is computed`);
      return scalar;
    }
    const local = isSignal(id) ? func.local(type) : func.fresh(type);
    if (!isSignal(id)) {
      const scalar = values.get(id);
      if (scalar === undefined) throw new Error(`node ${id} is used before it is computed`);
      body.hoisted.push(local);
      const splat = node.type === 'int' ? 'i32x4.splat' : 'f32x4.splat';
      body.prologue.push(get(scalar), [splat], set(local));
    } else {
      const site = sites.get(id);
      if (site === undefined) throw new Error(`signal ${id} is used before it is computed`);
      body.code.push(...load(site, body.form, node.type), set(local));
    }
    body.known.set(id, local);
    return local;
  };

  /** Computes a value operation into a local. */
  const compute = (body: Body, id: NodeId): Local => {
    const node = nodeOf(graph, id);
    if (!isValueOp(node.op)) throw new Error(`${node.op} is not computed from operands`);
    const operands = node.args.map((a) => valueIn(body, a));
    const rules: FormRules = WASM_RULES[node.op];
    const vector = body.form === 'f32x4';
    const rule =
      typeOf(node.args.at(-1)!) === 'int'
        ? vector
          ? rules.intVector
          : rules.intScalar
        : vector
          ? rules.vector
          : rules.scalar;
    if (rule === null) throw new Error(`${node.op} has no form for a ${body.form} loop`);
    const local = func.local(node.type === 'int' ? intType(body.form) : realType(body.form));
    body.code.push(...rule(operands, body));
    if (vector && COMPARISONS.has(node.op)) {
      // Lanes of −1: kept as a mask for select, negated for arithmetic.
      const mask = func.local('v128');
      body.masks.set(local.index, mask);
      body.code.push(set(mask), get(mask), ['i32x4.neg']);
    }
    body.code.push(set(local));
    body.known.set(id, local);
    for (const used of body.scratch.splice(0)) func.release(used);
    return local;
  };

  /** After a signal's last use in a body: its local is free for another. */
  const forget = (body: Body, id: NodeId): void => {
    const local = body.known.get(id);
    if (local === undefined || !isSignal(id)) return;
    body.known.delete(id);
    const mask = body.masks.get(local.index);
    body.masks.delete(local.index);
    func.release(local);
    if (mask !== undefined) func.release(mask);
  };

  // ---- Loops -----------------------------------------------------------------------------------

  /** Sums of more terms than this per lane are added up in double precision. */
  const isLong = frames > 4 * LANE_TERMS;
  const addLanes = (sums: Local, terms: Local): Instr[] =>
    isLong ? addPairs(sums, terms) : [get(sums), get(terms), ['f32x4.add'], set(sums)];
  const bytes = 4 * frames;
  const vectorBytes = bytes & ~15;

  /** Runs a body's code over the samples that `form` takes. */
  const wrap = (body: Body): void => {
    const step = body.form === 'f32x4' ? 16 : 4;
    func.append(body.prologue);
    for (const local of body.hoisted) func.release(local);
    if (isStream) {
      const end = body.form === 'f32x4' ? whole! : length!;
      func.emit(['block'], get(i!), get(end), ['i32.ge_u'], ['br_if', 0], ['loop']);
      func.append(body.code);
      func.emit(get(i!), ['i32.const', step], ['i32.add'], ['local.tee', i!.index]);
      func.emit(get(end), ['i32.lt_u'], ['br_if', 0], ['end'], ['end']);
    } else {
      func.emit(['loop']);
      func.append(body.code);
      func.emit(get(i!), ['i32.const', step], ['i32.sub'], ['local.tee', i!.index]);
      // Downwards: the last round leaves i below the first byte of its part.
      const low = body.form === 'f32x4' || loopLow === 0 ? 0 : loopLow;
      func.emit(['i32.const', low], ['i32.ge_s'], ['br_if', 0], ['end']);
    }
  };
  let loopLow = 0;

  /** Runs vector form and one-sample rest of a loop, or only the one-sample form. */
  const run = (kind: Kind, emitBody: (form: Form) => Body): void => {
    if (isStream) {
      func.emit(['i32.const', 0], set(i!));
      if (kind === 'vector') wrap(emitBody('f32x4'));
      wrap(emitBody('f32'));
      return;
    }
    if (kind === 'serial') {
      loopLow = 0;
      func.emit(['i32.const', bytes - 4], set(i!));
      wrap(emitBody('f32'));
      return;
    }
    if (vectorBytes < bytes) {
      loopLow = vectorBytes;
      func.emit(['i32.const', bytes - 4], set(i!));
      wrap(emitBody('f32'));
    }
    if (vectorBytes > 0) {
      loopLow = 0;
      func.emit(['i32.const', vectorBytes - 16], set(i!));
      wrap(emitBody('f32x4'));
    }
  };

  const emitLoop = (
    kind: 'vector' | 'serial',
    members: readonly NodeId[],
    copied: readonly NodeId[],
  ): void => {
    if (members.length === 0 && copied.length === 0) return;
    // Sums: an accumulator per form, joined after the loop.
    const sums = members.filter((id) => nodeOf(graph, id).op === 'sum');
    const accumulators = new Map<NodeId, { vector: Local; scalar: Local }>();
    for (const id of sums) {
      const pair = { vector: func.local('v128'), scalar: func.local('f64') };
      accumulators.set(id, pair);
      func.emit(splatReal(0), set(pair.vector), ['f64.const', 0], set(pair.scalar));
    }
    // State of one-frame recursions.
    const states = new Map<NodeId, Local>();
    for (const id of members) {
      const address = storage.carries.get(id);
      if (address === undefined) continue;
      const type = typeOf(id) === 'int' ? 'i32' : 'f32';
      const local = func.local(type);
      states.set(id, local);
      if (isStream) {
        const [mnemonic] = scalarLoad(type);
        func.emit(['i32.const', 0], [mnemonic, address], set(local));
      } else {
        func.emit([`${type}.const`, 0], set(local));
      }
    }

    // Where each signal is read for the last time: by a member's place, or at the end of the loop.
    const lastUse = new Map<NodeId, number>();
    members.forEach((id, n) => {
      lastUse.set(id, n);
      for (const arg of nodeOf(graph, id).args) lastUse.set(arg, n);
    });
    for (const id of states.keys()) lastUse.set(graph.delays.get(id)!, Infinity);

    run(kind, (form) => {
      const body = newBody(form);
      const keep = (id: NodeId, local: Local): void => {
        for (const site of sinks.get(id) ?? []) body.code.push(...store(site, form, local));
      };
      for (const id of copied) keep(id, valueIn(body, id));
      members.forEach((id, n) => {
        const node = nodeOf(graph, id);
        const state = states.get(id);
        if (state !== undefined) {
          const local = func.local(state.type);
          body.code.push(get(state), set(local));
          body.known.set(id, local);
          keep(id, local);
        } else if (node.op === 'sum') {
          const { vector, scalar } = accumulators.get(id)!;
          const operand = valueIn(body, node.args[0]!);
          if (form === 'f32x4') body.code.push(...addLanes(vector, operand));
          else
            body.code.push(
              get(scalar),
              get(operand),
              ['f64.promote_f32'],
              ['f64.add'],
              set(scalar),
            );
        } else {
          keep(id, isDelay(node.op) ? valueIn(body, id) : compute(body, id));
        }
        for (const used of new Set([id, ...node.args])) {
          if (lastUse.get(used) === n) forget(body, used);
        }
      });
      for (const [id, state] of states) {
        body.code.push(get(valueIn(body, graph.delays.get(id)!)), set(state));
      }
      for (const id of body.known.keys()) forget(body, id);
      return body;
    });

    for (const [id, { vector, scalar }] of accumulators) {
      const total = func.local('f32');
      func.emit(get(scalar));
      if (isLong) {
        for (const lane of [0, 1]) {
          func.emit(get(vector), ['f64x2.extract_lane', lane], ['f64.add']);
        }
      } else {
        for (const lane of [0, 1, 2, 3]) {
          func.emit(get(vector), ['f32x4.extract_lane', lane], ['f64.promote_f32'], ['f64.add']);
        }
      }
      func.emit(['f32.demote_f64'], set(total));
      values.set(id, total);
    }
    if (isStream) {
      for (const [id, state] of states) {
        const address = storage.carries.get(id)!;
        func.emit(['i32.const', 0]);
        if (state.type === 'i32') func.emit(get(state), ['i32.store', address]);
        else func.emit(...sound(state), ['f32.store', address]);
      }
    }
  };

  const emitValues = (members: readonly NodeId[]): void => {
    const body = newBody(scalarForm);
    for (const id of members) {
      const node = nodeOf(graph, id);
      if (node.op === 'const' || node.op === 'constInt') continue;
      if (isValueOp(node.op)) {
        values.set(id, compute(body, id));
        continue;
      }
      const address = leafAddress(ports, node.op, node.attrs[0]!, storage.carries.get(id));
      const isInt = node.type === 'int';
      const local = func.local(isInt ? 'i32' : scalarForm);
      body.code.push(['i32.const', 0], [isInt ? 'i32.load' : 'f64.load', address]);
      if (local.type === 'f32') body.code.push(['f32.demote_f64']);
      body.code.push(set(local));
      values.set(id, local);
      body.known.set(id, local);
    }
    func.append(body.prologue);
    func.append(body.code);
  };

  // ---- The function ------------------------------------------------------------------------------

  if (isStream) {
    func.emit(get(length!), ['i32.const', -16], ['i32.and'], set(whole!));
    for (const [line, head] of heads) {
      func.emit(['i32.const', 0], ['i32.load', line.head], set(head));
      func.emit(
        get(head),
        get(length!),
        ['i32.add'],
        ['i32.const', line.capacity - 4 * line.depth],
      );
      func.emit(['i32.gt_u'], ['if']);
      func.emit(['i32.const', line.base], get(head), ['i32.const', line.base], ['i32.add']);
      func.emit(['i32.const', 4 * line.depth], ['memory.copy'], ['i32.const', 0], set(head));
      func.emit(['end']);
    }
  }
  schedule.stages.forEach((stage, k) => {
    emitValues(stage.value);
    emitLoop('vector', stage.vector, copies.get(k) ?? []);
    emitLoop('serial', stage.serial, []);
  });
  if (schedule.stages.length === 0) emitLoop('vector', [], copies.get(0) ?? []);

  const last = newBody(scalarForm);
  for (const { name, node } of graph.outputs) {
    const address = ports.value(name);
    if (address === undefined) continue;
    const value = valueIn(last, node);
    last.code.push(['i32.const', 0], get(value));
    if (value.type === 'f32') last.code.push(['f64.promote_f32']);
    last.code.push(['f64.store', address]);
  }
  if (graph.domain === 'once') {
    // All new states are read before the first is written.
    const next = [...graph.delays].map(([id, source]) => ({
      address: storage.carries.get(id)!,
      value: valueIn(last, source),
    }));
    for (const { address, value } of next) {
      const store: Instr = [value.type === 'i32' ? 'i32.store' : 'f64.store', address];
      last.code.push(['i32.const', 0], get(value), store);
    }
  }
  func.append(last.prologue);
  func.append(last.code);

  // One loop for all lines that a recursion writes: what decays must not end in denormals.
  const decaying = [...heads].filter(([line]) => recursiveLines.has(line));
  if (decaying.length > 0) {
    run('vector', (form) => {
      const body = newBody(form);
      for (const [line, head] of decaying) {
        const site: Site = { address: line.base + 4 * line.depth, base: head };
        const value = func.local(realType(form));
        body.code.push(...load(site, form, 'real'), set(value));
        if (form === 'f32x4') {
          body.code.push(...at(site), get(value));
          body.code.push(get(value), ['f32x4.abs'], body.real(SILENCE), ['f32x4.gt']);
          body.code.push(get(value), ['f32x4.abs'], body.real(LOUDEST), ['f32x4.lt']);
          body.code.push(['v128.and'], ['v128.and'], ['v128.store', site.address]);
        } else {
          body.code.push(...at(site), ...sound(value), ['f32.store', site.address]);
        }
        func.release(value);
      }
      return body;
    });
  }
  for (const [line, head] of heads) {
    func.emit(['i32.const', 0], get(head), get(length!), ['i32.add'], ['i32.store', line.head]);
  }
}

function leafAddress(ports: Ports, op: string, index: number, carry: number | undefined): number {
  if (carry !== undefined) return carry;
  if (op === 'slider') return ports.slider(index);
  if (op === 'param') return ports.param(index);
  if (op === 'scalar') return ports.scalar(index);
  throw new Error(`${op} is not a value`);
}
