/**
 * A against B by ear: what plays, and a snapshot or a patch of the library beside it.
 *
 * Invariant: the host says which side is heard, here as in every other page; keeping B or returning
 * to A ends it, and nothing else does.
 */

import { useEffect, useState } from 'preact/hooks';
import { number } from './format.ts';
import { useModel } from './hooks.ts';
import type { Model } from './model.ts';
import type { Audition as State, Kept } from './types.ts';

export function Audition({ model }: { readonly model: Model }) {
  useModel(model);
  const { client } = model;
  const [state, setState] = useState<State>();
  const [patches, setPatches] = useState<readonly Kept[]>([]);
  const [chosen, setChosen] = useState('');
  const [match, setMatch] = useState(true);
  useEffect(() => {
    let isOld = false;
    const ask = async (): Promise<void> => {
      try {
        const [now, library] = await Promise.all([client.audition.get(), client.library.list()]);
        if (isOld) return;
        setState(now);
        setPatches(library.patches);
      } catch {
        // The page says by itself when the host is gone.
      }
    };
    void ask();
    // Levels are measured while one listens.
    const timer = setInterval(() => void ask(), 2000);
    const end = client.on('change', ({ kind }) => {
      if (kind === 'audition.changed' || kind === 'library.changed') void ask();
    });
    return () => {
      isOld = true;
      clearInterval(timer);
      end();
    };
  }, [model]);
  if (state === undefined) return null;
  const options = [
    ...model.snapshots.filter(({ fits }) => fits).map(({ name }) => ['snapshot', name] as const),
    ...patches.filter(({ ok }) => ok).map(({ name }) => ['library', name] as const),
  ];
  const [kind, name] = options.find((option) => option.join() === chosen) ?? options[0] ?? [];
  const compare = (heard: 'a' | 'b') => () => model.run(() => client.audition.compare({ heard }));
  if (state.state === 'running') {
    const side = (which: 'a' | 'b', word: string) => (
      <button
        type="button"
        class="side"
        aria-pressed={state.heard === which}
        onClick={compare(which)}
      >
        <strong>{word}</strong> {which === 'a' ? state.a?.patch : (state.candidate?.name ?? 'B')}
        <small>{number(state[which]?.levelDb, 3)} dB</small>
      </button>
    );
    return (
      <section class="panel" aria-labelledby="audition">
        <h2 id="audition">A or B</h2>
        <div class="actions">
          {side('a', 'A')}
          {side('b', 'B')}
          <label class="switch">
            <input
              type="checkbox"
              checked={state.match}
              onChange={({ currentTarget }) =>
                model.run(() =>
                  client.audition.compare({
                    match: currentTarget.checked,
                    ...(state.heard === null ? {} : { heard: state.heard }),
                  }),
                )
              }
            />
            as loud as A
          </label>
          <span class="said">
            {state.matchDb === 0 ? '' : `${number(state.matchDb, 3)} dB added`}
          </span>
        </div>
        <div class="actions">
          <button type="button" onClick={() => model.run(() => client.audition.rollback())}>
            Return to A
          </button>
          <button type="button" onClick={() => model.run(() => client.audition.commit())}>
            Keep B
          </button>
        </div>
      </section>
    );
  }
  if (kind === undefined || name === undefined) return null;
  return (
    <section class="panel" aria-labelledby="audition">
      <h2 id="audition">A or B</h2>
      <div class="actions">
        <label class="choice">
          Against what plays{' '}
          <select
            value={`${kind},${name}`}
            onChange={({ currentTarget }) => setChosen(currentTarget.value)}
          >
            {options.map((option) => (
              <option key={option.join()} value={option.join()}>
                {option[1]} ({option[0]})
              </option>
            ))}
          </select>
        </label>
        <label class="switch">
          <input
            type="checkbox"
            checked={match}
            onChange={({ currentTarget }) => setMatch(currentTarget.checked)}
          />
          as loud as A
        </label>
        <button
          type="button"
          onClick={() =>
            model.run(async () =>
              setState(
                await client.audition.start({
                  match,
                  ...(kind === 'snapshot' ? { snapshot: name } : { library: name }),
                }),
              ),
            )
          }
        >
          Compare
        </button>
      </div>
      <p class="said">Neither learns while they are compared.</p>
    </section>
  );
}
