/**
 * Snapshots: all values under a name, taken back at once or gone over to in a time.
 *
 * Invariant: what would be lost is asked for twice: a snapshot that is replaced says so on its
 * button, one that is deleted wants a second press.
 */

import { useRef, useState } from 'preact/hooks';
import { rangeOf } from './fader.tsx';
import { number, parseNumber, plural } from './format.ts';
import { useFrame, useModel } from './hooks.ts';
import type { Model } from './model.ts';
import { between } from './scale.ts';
import { Delete } from './sure.tsx';
import type { Heading, Morph } from './types.ts';

export function Snapshots({ model }: { readonly model: Model }) {
  useModel(model);
  const [name, setName] = useState('');
  const [seconds, setSeconds] = useState(4);
  const { snapshots, morph, client } = model;
  const wanted = name.trim();
  const isKept = snapshots.some((snapshot) => snapshot.name === wanted);
  return (
    <section class="panel" aria-labelledby="snapshots">
      <header>
        <h2 id="snapshots">Snapshots</h2>
        {snapshots.length > 0 && (
          <label class="seconds">
            Morph in{' '}
            <input
              type="text"
              inputMode="decimal"
              value={String(seconds)}
              onChange={(event) => {
                const typed = parseNumber(event.currentTarget.value);
                if (typed !== undefined && typed >= 0) setSeconds(Math.min(3600, typed));
                else event.currentTarget.value = String(seconds);
              }}
            />{' '}
            s
          </label>
        )}
      </header>
      {morph?.state === 'running' && <Running model={model} morph={morph} />}
      {snapshots.length > 0 && (
        <ul class="snapshots">
          {snapshots.map((snapshot) => (
            <Row key={snapshot.name} model={model} snapshot={snapshot} seconds={seconds} />
          ))}
        </ul>
      )}
      <Between model={model} names={snapshots.filter(({ fits }) => fits).map(({ name }) => name)} />
      <form
        class="keep"
        onSubmit={(event) => {
          event.preventDefault();
          model.run(async () => {
            await client.snapshots.save({ name: wanted, ...(isKept ? { replace: true } : {}) });
            setName('');
          });
        }}
      >
        <input
          type="text"
          placeholder="Name of the values of now"
          aria-label="Name of a snapshot"
          autocomplete="off"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <button type="submit" disabled={wanted === ''}>
          {isKept ? 'Replace' : 'Keep'}
        </button>
      </form>
    </section>
  );
}

interface RowProps {
  readonly model: Model;
  readonly snapshot: Heading;
  readonly seconds: number;
}

function Row({ model, snapshot, seconds }: RowProps) {
  const { name, saved, fits, patch, sliders, params } = snapshot;
  const { client } = model;
  const what = `${plural(sliders + params, 'value')}, kept ${new Date(saved).toLocaleString('en-GB')}`;
  return (
    <li title={what}>
      <span class="name">
        {name}
        {!fits && <span class="tag"> of {patch.name}</span>}
      </span>
      <button
        type="button"
        aria-label={`Load ${name}`}
        onClick={() => model.run(() => client.snapshots.load({ name }))}
      >
        Load
      </button>
      <button
        type="button"
        aria-label={`Morph to ${name}`}
        onClick={() => model.run(() => client.morph.start({ to: name, seconds }))}
      >
        Morph
      </button>
      <Delete name={name} onSure={() => model.run(() => client.snapshots.delete({ name }))} />
    </li>
  );
}

/** Between two snapshots by hand: each control evenly on its own scale. */
function Between({ model, names }: { readonly model: Model; readonly names: readonly string[] }) {
  const [ends, setEnds] = useState<readonly [string, string]>(['', '']);
  const known = useRef(new Map<string, Promise<Values>>());
  const [first = '', second = ''] = names;
  if (names.length < 2) return null;
  const from = names.includes(ends[0]) ? ends[0] : first;
  const to = names.includes(ends[1]) ? ends[1] : second;
  const valuesOf = (name: string): Promise<Values> => {
    const kept = model.snapshots.find((snapshot) => snapshot.name === name);
    const key = `${name} ${kept?.saved}`;
    const asked =
      known.current.get(key) ??
      model.client.snapshots
        .get({ name })
        .then(({ sliders, params }) => ({ ...sliders, ...params }));
    known.current.set(key, asked);
    return asked;
  };
  const go = async (place: number): Promise<void> => {
    const [a, b] = await Promise.all([valuesOf(from), valuesOf(to)]);
    for (const param of model.host?.params ?? []) {
      const [low, high] = [a[param.id], b[param.id]];
      if (low === undefined || high === undefined || low === high) continue;
      model.set(param.id, between(low, high, place, rangeOf(param)));
    }
  };
  const choice = (k: 0 | 1, value: string, label: string) => (
    <select
      aria-label={label}
      value={value}
      onChange={({ currentTarget }) =>
        setEnds(k === 0 ? [currentTarget.value, to] : [from, currentTarget.value])
      }
    >
      {names.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
  return (
    <div class="between">
      {choice(0, from, 'From snapshot')}
      <input
        type="range"
        min="0"
        max="1"
        step="0.001"
        value="0"
        aria-label={`Between ${from} and ${to}`}
        onInput={({ currentTarget }) => {
          const place = Number(currentTarget.value);
          go(place).catch((error: unknown) => model.say(String(error)));
        }}
      />
      {choice(1, to, 'To snapshot')}
    </div>
  );
}

type Values = Readonly<Record<string, number>>;

function Running({ model, morph }: { readonly model: Model; readonly morph: Morph }) {
  const bar = useRef<HTMLDivElement>(null);
  useFrame(model, () => {
    const gone = (performance.now() - model.morphAt) / 1000 / Math.max(morph.seconds, 1e-3);
    const at = Math.min(1, morph.position + gone);
    bar.current?.style.setProperty('--at', String(at));
  });
  return (
    <div class="keep">
      <span class="name">
        To {morph.to} in {number(morph.seconds, 2)} s
      </span>
      <div ref={bar} class="bar" aria-hidden="true"></div>
      <button type="button" onClick={() => model.run(() => model.client.morph.stop())}>
        Stop there
      </button>
    </div>
  );
}
