/**
 * What a person plays with: the sliders of the patch as faders and knobs, and what it shows as bars, grouped
 * as its `ui` says; without one, by the first part of their ids.
 */

import { useState } from 'preact/hooks';
import { Fader } from './fader.tsx';
import { useModel } from './hooks.ts';
import { Levels, MeterBar } from './levels.tsx';
import type { Host, Model } from './model.ts';
import { Snapshots } from './snapshots.tsx';
import type { Param, UiNode } from './types.ts';

type Group = Extract<UiNode, { group: unknown }>;
type Control = Extract<UiNode, { control: unknown }>;

export function Mixer({ model }: { readonly model: Model }) {
  useModel(model);
  const { host } = model;
  if (host === undefined) return null;
  const { ui = [] } = host.patch;
  const placed = new Set(idsOf(ui));
  // Learnables that no layout names stand under Learn.
  const params = host.params.filter(({ id, kind }) => kind === 'slider' && !placed.has(id));
  const meters = host.meters.filter(({ id }) => !placed.has(id));
  const isEmpty = placed.size === 0 && params.length === 0 && meters.length === 0;
  return (
    <>
      <h1 class="sr">Mixer</h1>
      <Levels model={model} />
      {isEmpty && <p class="empty">This patch has no sliders and no meters.</p>}
      <div class="groups">
        <Nodes model={model} host={host} nodes={ui} />
        {[...Map.groupBy(params, ({ id }) => prefixOf(id))].map(([prefix, members]) => (
          <section class="panel" key={prefix} aria-label={prefix || 'Sliders'}>
            <h2>{prefix || 'Sliders'}</h2>
            {members.map((param) => (
              <Strip
                key={param.id}
                model={model}
                param={param}
                label={prefix === '' ? param.id : param.id.slice(prefix.length + 1)}
              />
            ))}
          </section>
        ))}
        {meters.length > 0 && (
          <section class="panel" aria-label="Meters">
            <h2>Meters</h2>
            {meters.map((meter) => (
              <MeterBar key={meter.id} model={model} meter={meter} label={meter.id} />
            ))}
          </section>
        )}
        <Snapshots model={model} />
      </div>
    </>
  );
}

const prefixOf = (id: string): string => (id.includes('/') ? (id.split('/')[0] ?? '') : '');

function idsOf(nodes: readonly UiNode[]): string[] {
  return nodes.flatMap((node) => {
    if ('group' in node) return idsOf(node.items);
    return ['control' in node ? node.control : node.meter];
  });
}

interface NodesProps {
  readonly model: Model;
  readonly host: Host;
  readonly nodes: readonly UiNode[];
}

/** Controls that stand next to each other share a panel; groups have their own. */
function Nodes({ model, host, nodes }: NodesProps) {
  const shown = nodes.filter(({ hidden }) => hidden !== true);
  const leaves = shown.filter((node) => !('group' in node));
  return (
    <>
      {leaves.length > 0 && (
        <section class="panel" aria-label="Controls">
          <Leaves model={model} host={host} nodes={leaves} />
        </section>
      )}
      {shown.map((node, k) =>
        'group' in node ? <GroupPanel key={k} model={model} host={host} group={node} /> : null,
      )}
    </>
  );
}

function Leaves({ model, host, nodes }: NodesProps) {
  return (
    <>
      {nodes.map((node) => {
        if ('meter' in node) {
          const meter = host.meters.find(({ id }) => id === node.meter);
          return (
            meter && <MeterBar key={meter.id} model={model} meter={meter} label={node.label} />
          );
        }
        if (!('control' in node)) return null;
        const param = host.params.find(({ id }) => id === node.control);
        return (
          param && (
            <Strip key={param.id} model={model} param={param} label={node.label} node={node} />
          )
        );
      })}
    </>
  );
}

interface GroupProps {
  readonly model: Model;
  readonly host: Host;
  readonly group: Group;
}

function GroupPanel({ model, host, group }: GroupProps) {
  const [tab, setTab] = useState(0);
  const items = group.items.filter(({ hidden }) => hidden !== true);
  const isTabs = group.group === 'tab' && items.length > 1;
  const nodes = isTabs ? items.slice(tab, tab + 1) : items;
  const leaves = nodes.filter((node) => !('group' in node));
  const groups = nodes.filter((node) => 'group' in node);
  return (
    <section class={`panel group ${group.group}`} aria-label={group.label || 'Group'}>
      {group.label !== '' && <h2 title={group.doc}>{group.label}</h2>}
      {isTabs && (
        <div class="choices" role="group" aria-label={`${group.label}: page`}>
          {items.map((item, k) => (
            <button type="button" key={k} aria-pressed={k === tab} onClick={() => setTab(k)}>
              {item.label}
            </button>
          ))}
        </div>
      )}
      <Leaves model={model} host={host} nodes={leaves} />
      {groups.length > 0 && (
        <div class="groups">
          {groups.map((one, k) => (
            <GroupPanel key={k} model={model} host={host} group={one} />
          ))}
        </div>
      )}
    </section>
  );
}

interface StripProps {
  readonly model: Model;
  readonly param: Param;
  readonly label: string;
  readonly node?: Control;
}

function Strip({ model, param, label, node }: StripProps) {
  const value = model.values.get(param.id) ?? param.value;
  const title = param.doc ?? node?.doc ?? param.id;
  const choices = node?.choices;
  const isKnob = node?.style === 'knob';
  let control = <Fader model={model} param={param} label={label} isKnob={isKnob} />;
  if (node?.style === 'button') {
    const press = (on: boolean) => () => model.set(param.id, on ? param.max : param.min);
    control = (
      <button
        type="button"
        class="press"
        onPointerDown={press(true)}
        onPointerUp={press(false)}
        onPointerCancel={press(false)}
        onKeyDown={(event) => event.key === ' ' && press(true)()}
        onKeyUp={(event) => event.key === ' ' && press(false)()}
        onBlur={press(false)}
      >
        {label}
      </button>
    );
  } else if (node?.style === 'checkbox') {
    control = (
      <label class="switch">
        <input
          type="checkbox"
          aria-label={label}
          checked={value > (param.min + param.max) / 2}
          onChange={(event) =>
            model.set(param.id, event.currentTarget.checked ? param.max : param.min)
          }
        />
      </label>
    );
  } else if (choices !== undefined && (node?.style === 'menu' || node?.style === 'radio')) {
    control = (
      <select
        aria-label={label}
        value={String(value)}
        onChange={(event) => model.set(param.id, Number(event.currentTarget.value))}
      >
        {choices.map(([word, choice]) => (
          <option key={word} value={String(choice)}>
            {word}
          </option>
        ))}
      </select>
    );
  }
  return (
    <div class="strip">
      <span class="name" title={title}>
        {label}
        {param.kind === 'learnable' && <span class="tag">learns</span>}
      </span>
      {control}
    </div>
  );
}
