/**
 * Patches that can be played: those that are kept on the host, and the shipped ones.
 *
 * Invariant: nothing is played over edits that were not: they are played or discarded first.
 */

import { useEffect, useState } from 'preact/hooks';
import type { Input } from '../sdk/client.ts';
import { plural } from './format.ts';
import type { Model } from './model.ts';
import { Delete } from './sure.tsx';
import type { Example, Kept } from './types.ts';

interface Props {
  readonly model: Model;
  readonly isEdited: boolean;
}

/** @param document  what stands in the editor, where it was edited and can be read */
export function Library(props: Props & { readonly document: object | undefined }) {
  const { model, isEdited, document } = props;
  const [patches, setPatches] = useState<readonly Kept[]>([]);
  const [name, setName] = useState('');
  const { client } = model;
  useEffect(() => {
    let isOld = false;
    const ask = (): void => {
      client.library.list().then(
        (answer) => !isOld && setPatches(answer.patches),
        () => undefined,
      );
    };
    ask();
    // What plays is marked.
    const end = client.on('change', ({ kind }) => {
      if (kind === 'library.changed' || kind === 'patch.changed') ask();
    });
    return () => {
      isOld = true;
      end();
    };
  }, [model]);
  const wanted = name.trim();
  const isKept = patches.some((patch) => patch.name === wanted);
  const keep = async (): Promise<void> => {
    const { diagnostics } = await client.library.put({
      name: wanted,
      ...(document === undefined ? {} : { patch: document as Input<'patch.set'> }),
      ...(isKept ? { replace: true } : {}),
    });
    setName('');
    if (diagnostics.length > 0) {
      model.say(`Kept with ${plural(diagnostics.length, 'mistake')}; it does not play yet`, 'said');
    }
  };
  return (
    <section class="panel" aria-labelledby="library">
      <h2 id="library">Library</h2>
      {patches.length > 0 && (
        <ul class="library">
          {patches.map((patch) => (
            <li key={patch.name} class="kept">
              <button
                type="button"
                class="quiet"
                disabled={isEdited || !patch.ok}
                aria-current={patch.plays ? 'true' : undefined}
                title={`Kept ${new Date(patch.saved).toLocaleString('en-GB')}`}
                onClick={() =>
                  model.run(async () => {
                    await client.library.activate({ name: patch.name });
                    await model.refresh();
                  })
                }
              >
                <strong>{patch.name}</strong>
                <span class={patch.ok ? '' : 'bad'}>
                  {patch.ok ? (patch.plays ? 'plays' : patch.patch) : 'has mistakes'}
                </span>
              </button>
              <Delete
                name={patch.name}
                onSure={() => model.run(() => client.library.delete({ name: patch.name }))}
              />
            </li>
          ))}
        </ul>
      )}
      <form
        class="keep"
        onSubmit={(event) => {
          event.preventDefault();
          model.run(keep);
        }}
      >
        <input
          type="text"
          placeholder={isEdited ? 'Name of what stands here' : 'Name of what plays'}
          aria-label="Name in the library"
          autocomplete="off"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <button type="submit" disabled={wanted === '' || (isEdited && document === undefined)}>
          {isKept ? 'Replace' : 'Keep'}
        </button>
      </form>
    </section>
  );
}

export function Examples({ model, isEdited }: Props) {
  const [examples, setExamples] = useState<readonly Example[]>([]);
  const [sought, setSought] = useState('');
  useEffect(() => {
    model.run(async () => setExamples((await model.client.examples.list()).examples));
  }, [model]);
  const words = sought.toLowerCase();
  const found = examples.filter(({ name, title = '', doc = '' }) =>
    `${name} ${title} ${doc}`.toLowerCase().includes(words),
  );
  const playing = model.host?.status.patch;
  return (
    <section class="panel" aria-labelledby="examples">
      <header>
        <h2 id="examples">Examples</h2>
        <input
          type="search"
          placeholder="Find"
          aria-label="Find an example"
          onInput={(event) => setSought(event.currentTarget.value)}
        />
      </header>
      {isEdited && <p class="said">Play or discard your edits to choose one.</p>}
      <ul class="library">
        {found.map(({ name, title, doc }) => (
          <li key={name}>
            <button
              type="button"
              class="quiet"
              disabled={isEdited}
              aria-current={name === playing ? 'true' : undefined}
              title={doc}
              onClick={() =>
                model.run(async () => {
                  await model.client.patch.set({ example: name });
                  await model.refresh();
                })
              }
            >
              <strong>{title ?? name}</strong>
              <span>{name}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
