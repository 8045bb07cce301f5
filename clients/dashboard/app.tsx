/**
 * The page around the views: what plays, on what, whether it is live; and the views themselves.
 *
 * Invariant: where nothing comes from the host, or no sound from its engine, the views are dimmed,
 * cannot be operated, and a line says so: nothing stale is shown as live.
 */

import { useState } from 'preact/hooks';
import { useModel } from './hooks.ts';
import { Learn } from './learn.tsx';
import { Mixer } from './mixer.tsx';
import type { Model } from './model.ts';
import { takeToken } from './token.ts';

const VIEWS = { Learn, Mixer } as const;
type View = keyof typeof VIEWS;

export function App({ model }: { readonly model: Model }) {
  useModel(model);
  const [view, setView] = useState<View>('Learn');
  const { host, live, connection } = model;
  if (connection === 'refused') return <TokenForm />;
  const Shown = VIEWS[view];
  const engine = host?.status.engine;
  return (
    <div class={live ? 'page' : 'page stale'}>
      <header class="top">
        <strong>{host?.patch.title ?? host?.patch.name ?? 'livegrad'}</strong>
        <nav aria-label="Views">
          {(Object.keys(VIEWS) as View[]).map((name) => (
            <button
              type="button"
              key={name}
              aria-current={name === view ? 'page' : undefined}
              onClick={() => setView(name)}
            >
              {name}
            </button>
          ))}
        </nav>
        {engine !== undefined && (
          <button
            type="button"
            aria-pressed={engine.muted}
            onClick={() => model.run(() => model.client.output.set({ muted: !engine.muted }))}
          >
            {engine.muted ? 'Unmute' : 'Mute'}
          </button>
        )}
      </header>
      <p class="state" role="status">
        {stateOf(model)}
      </p>
      {model.notice !== '' && (
        <p class="bad" role="alert">
          {model.notice}
        </p>
      )}
      <main inert={connection !== 'open'}>
        <Shown model={model} />
      </main>
    </div>
  );
}

function stateOf({ connection, live, lostAt, host }: Model): string {
  if (connection === 'opening' || host === undefined) return 'Connecting …';
  const { engine } = host.status;
  if (connection === 'lost') {
    const since = new Date(lostAt).toLocaleTimeString('en-GB');
    return `Connection lost at ${since}; trying again. What is shown is from then.`;
  }
  if (!live) return `Engine ${engine.state}${engine.reason === null ? '' : `: ${engine.reason}`}`;
  return `Live · ${engine.device?.input ?? engine.backend} · ${engine.sampleRate} Hz`;
}

function TokenForm() {
  return (
    <form
      class="panel"
      onSubmit={(event) => {
        event.preventDefault();
        const token = new FormData(event.currentTarget).get('token');
        if (typeof token === 'string') takeToken(token);
      }}
    >
      <label>
        This host asks for a token <input name="token" type="password" autocomplete="off" />
      </label>
      <button type="submit">Open</button>
    </form>
  );
}
