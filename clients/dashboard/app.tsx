/**
 * The page around the views: what plays, on what, whether it is live; and the views themselves.
 *
 * Invariant: where nothing comes from the host, or no sound from its engine, the views are dimmed,
 * cannot be operated, and a line says so: nothing stale is shown as live.
 */

import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useModel } from './hooks.ts';
import { Learn } from './learn.tsx';
import { Mixer } from './mixer.tsx';
import type { Model } from './model.ts';
import { takeToken } from './token.ts';

type ViewOf = ComponentType<{ readonly model: Model }>;

/** A view that is loaded when it is first shown. */
const later =
  (load: () => Promise<ViewOf>): ViewOf =>
  ({ model }) => {
    const [Shown, setShown] = useState<ViewOf>();
    const [failed, setFailed] = useState(false);
    useEffect(() => {
      load().then(
        (view) => setShown(() => view),
        () => setFailed(true),
      );
    }, []);
    if (failed)
      return (
        <p class="bad">This view did not load; the page may be of an older host: reload it.</p>
      );
    return Shown === undefined ? null : <Shown model={model} />;
  };

const VIEWS = {
  Learn,
  Schedule: later(async () => (await import('./views.ts')).Schedule),
  Mixer,
  Signal: later(async () => (await import('./views.ts')).Signal),
  Patch: later(async () => (await import('./patch.tsx')).Patch),
  Device: later(async () => (await import('./views.ts')).Device),
  History: later(async () => (await import('./views.ts')).History),
} as const satisfies Record<string, ViewOf>;
type View = keyof typeof VIEWS;
const NAMES = Object.keys(VIEWS) as readonly View[];

/** The view that the address names, so that a reload, a bookmark and the way back find it. */
const viewOf = (hash: string): View =>
  NAMES.find((name) => name.toLowerCase() === hash.slice(1)) ?? 'Learn';

export function App({ model }: { readonly model: Model }) {
  useModel(model);
  const [view, setView] = useState(viewOf(location.hash));
  useEffect(() => {
    const follow = (): void => setView(viewOf(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  const { host, live, connection } = model;
  if (connection === 'refused') return <TokenForm />;
  const Shown = VIEWS[view];
  const engine = host?.status.engine;
  return (
    <div class={live ? 'page' : 'page stale'}>
      <header class="top">
        <nav aria-label="Views">
          {NAMES.map((name) => (
            <a
              key={name}
              href={`#${name.toLowerCase()}`}
              aria-current={name === view ? 'page' : undefined}
            >
              {name}
            </a>
          ))}
        </nav>
        <p class="state">
          <strong>{host?.patch.title ?? host?.patch.name ?? 'livegrad'}</strong>
          <span role="status">{stateOf(model)}</span>
        </p>
        <Undo model={model} />
        {engine !== undefined && (
          <button
            type="button"
            aria-pressed={engine.muted}
            title="All outputs, at once"
            onClick={() => model.run(() => model.client.output.set({ muted: !engine.muted }))}
          >
            {engine.muted ? 'Unmute' : 'Mute'}
          </button>
        )}
      </header>
      {model.notice !== '' && (
        <p class={`notice ${model.tone}`} role={model.tone === 'bad' ? 'alert' : 'status'}>
          {model.notice}
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => model.say('')}>
            ×
          </button>
        </p>
      )}
      <main inert={connection !== 'open'}>{host !== undefined && <Shown model={model} />}</main>
    </div>
  );
}

/** Of all clients' steps, in words; Ctrl-Z and Ctrl-Shift-Z where no text is edited. */
function Undo({ model }: { readonly model: Model }) {
  const { undo, redo } = model.edits;
  const go = (way: 'undo' | 'redo'): void => {
    model.run(async () => {
      const { done } = await model.client.edits[way]();
      model.say(`${way === 'undo' ? 'Undone' : 'Done again'}: ${done}`, 'said');
    });
  };
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const [target] = event.composedPath();
      const isText =
        target instanceof HTMLElement &&
        (target.isContentEditable || target.matches('input, select'));
      if (isText || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'z') return;
      event.preventDefault();
      go(event.shiftKey ? 'redo' : 'undo');
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  });
  const button = (way: 'undo' | 'redo', word: string, sign: string, what: string | null) => (
    <button
      type="button"
      class="icon"
      disabled={what === null}
      aria-label={what === null ? word : `${word}: ${what}`}
      title={what === null ? `${word}: nothing` : `${word}: ${what}`}
      onClick={() => go(way)}
    >
      {sign}
    </button>
  );
  return (
    <>
      {button('undo', 'Undo', '↶', undo)}
      {button('redo', 'Redo', '↷', redo)}
    </>
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
  const parts = ['Live', engine.device?.input ?? engine.backend, `${engine.sampleRate} Hz`];
  if (engine.muted) parts.push('muted');
  if (host.status.role === 'view') parts.push('view only');
  return parts.join(' · ');
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
