/**
 * The patch as text: edited, checked as one types, and played with Mod-S, while the sound goes on.
 *
 * Invariant: what is typed is never lost to what others do: a patch that comes from elsewhere is
 * taken into the editor only where nothing was edited. What does not compile is not played.
 */

import { useEffect, useRef, useState } from 'preact/hooks';
import { keysOf, LivegradError, locator } from '../sdk/client.ts';
import type { Input } from '../sdk/client.ts';
import { languageOf, readDocument, textOf, type Mark } from './document.ts';
import { createEditor, type Editor } from './editor.ts';
import { number, plural } from './format.ts';
import { Graph } from './drawing.tsx';
import { useModel } from './hooks.ts';
import { Examples, Library } from './library.tsx';
import type { Model } from './model.ts';
import { save } from './save.ts';
import type { PatchDocument, PatchInfo, Source } from './types.ts';

/** After the last key, before the host is asked, milliseconds. */
const PAUSE = 350;

interface Draft {
  /** The text that it was made of. */
  readonly base: string;
  readonly text: string;
}
/** While another view is shown. */
let kept: Draft | undefined;

type Verdict = { readonly marks: readonly Mark[]; readonly info: PatchInfo | null };

export function Patch({ model }: { readonly model: Model }) {
  useModel(model);
  const box = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor>(undefined);
  const playing = model.host === undefined ? '' : textOf(model.host.patch);
  const [draft, setDraft] = useState<Draft>(kept ?? { base: playing, text: playing });
  const [verdict, setVerdict] = useState<Verdict | 'checking'>();
  const [busy, setBusy] = useState(false);
  const isEdited = draft.text !== draft.base;

  useEffect(() => void (kept = isEdited ? draft : undefined), [draft]);
  const play = async (text: string): Promise<void> => {
    const read = readDocument(text, model.host?.patch);
    if (!read.ok) return setVerdict({ marks: [read.mark], info: null });
    setBusy(true);
    model.say('');
    try {
      await model.client.patch.set(read.document as Input<'patch.set'>);
      setDraft({ base: text, text });
      setVerdict(undefined);
      await model.refresh();
    } catch (error) {
      const marks = error instanceof LivegradError ? marksOf(text, error.diagnostics) : [];
      if (marks.length > 0) setVerdict({ marks, info: null });
      else model.say(error instanceof Error ? error.message : String(error));
    }
    setBusy(false);
  };
  // What the editor calls is of the newest drawing.
  const now = useRef({ play, draft });
  now.current = { play, draft };

  useEffect(() => {
    if (box.current === null) return undefined;
    const made = createEditor(box.current, {
      text: draft.text,
      onChange: (text) => setDraft(({ base }) => ({ base, text })),
      onPlay: () => void now.current.play(now.current.draft.text),
    });
    editor.current = made;
    return () => made.destroy();
  }, []);

  // Played by someone else, or changed by a setting.
  useEffect(() => {
    if (isEdited || busy || playing === draft.text) return;
    setDraft({ base: playing, text: playing });
    editor.current?.replace(playing);
  }, [playing, isEdited, busy]);

  useEffect(() => {
    if (!isEdited) {
      setVerdict(undefined);
      return undefined;
    }
    let isOld = false;
    const timer = setTimeout(async () => {
      const checked = await check(model, draft.text);
      if (!isOld) setVerdict(checked);
    }, PAUSE);
    return () => {
      isOld = true;
      clearTimeout(timer);
    };
  }, [draft.text, isEdited]);

  const marks = verdict === undefined || verdict === 'checking' ? [] : verdict.marks;
  useEffect(() => editor.current?.show(marks), [verdict]);

  const { host } = model;
  if (host === undefined) return null;
  const { source } = host.status;
  const isElsewhere = isEdited && playing !== draft.base;
  const info = verdict === undefined || verdict === 'checking' ? null : verdict.info;

  return (
    <>
      <h1 class="sr">Patch</h1>
      <div class="actions" role="group" aria-label="Patch">
        <button
          type="button"
          class="main"
          disabled={busy || !isEdited || marks.length > 0}
          title="Ctrl-S or ⌘S: plays it at once, values and what was learned go on"
          onClick={() => void play(draft.text)}
        >
          {busy ? 'Compiling …' : 'Play'}
        </button>
        <button
          type="button"
          disabled={!isEdited}
          title="Back to the text of the patch that plays"
          onClick={() => {
            setDraft({ base: playing, text: playing });
            editor.current?.replace(playing);
          }}
        >
          Discard edits
        </button>
        <button
          type="button"
          title="The patch that plays, with what it has learned, as a file"
          onClick={() => model.run(() => download(model))}
        >
          Export
        </button>
        <span class="said" role="status">
          {busy
            ? 'Compiling; the old one plays on'
            : !isEdited
              ? 'Plays as it stands here'
              : marks.length > 0
                ? `${plural(marks.length, 'mistake')}; the old one plays on`
                : info !== null
                  ? 'Edited, compiles'
                  : 'Edited'}
        </span>
      </div>
      {isElsewhere && (
        <p class="bad">
          Another patch plays by now than the one that you began with; your text stays until you
          play or discard it.
        </p>
      )}
      <FileState source={source} />
      <div class="desk">
        <div>
          <section class="panel editor" aria-label="Text of the patch">
            <div ref={box} class="code" />
            {marks.length > 0 && (
              <ol class="marks" aria-label="Mistakes">
                {marks.map((mark, k) => (
                  <li key={k}>
                    <button type="button" class="quiet" onClick={() => editor.current?.goTo(mark)}>
                      <span class="line">{mark.line === undefined ? '' : `line ${mark.line}`}</span>
                      <span>
                        {mark.message}
                        {mark.hint !== undefined && <em> {mark.hint}</em>}
                      </span>
                    </button>
                  </li>
                ))}
              </ol>
            )}
          </section>
          <Graph
            patch={host.patch}
            onChoose={
              isEdited || languageOf(draft.text) === 'faust'
                ? undefined
                : (path) => {
                    const place = locator(draft.text)(path);
                    if (place !== undefined) editor.current?.goTo({ message: '', ...place });
                  }
            }
          />
        </div>
        <div>
          <Report model={model} edited={info} program={host.program} />
          <Library
            model={model}
            isEdited={isEdited}
            document={isEdited ? documentOf(draft.text, host.patch) : undefined}
          />
          <Examples model={model} isEdited={isEdited} />
        </div>
      </div>
    </>
  );
}

function FileState({ source }: { readonly source: Source }) {
  if (source.file === null) return null;
  return (
    <p class={source.diagnostics.length > 0 ? 'bad' : 'said'}>
      {source.diagnostics.length === 0
        ? `From ${source.file}: saving the file plays it; playing here does not write it.`
        : `${source.file} does not play as it was saved: ${source.diagnostics
            .map(({ line, message }) => (line === undefined ? message : `line ${line}: ${message}`))
            .join('; ')}`}
    </p>
  );
}

// --- what the compiler made --------------------------------------------------------------------

interface ReportProps {
  readonly model: Model;
  /** Of the text, where it was edited and compiles. */
  readonly edited: PatchInfo | null;
  readonly program: number;
}

const MODES: Readonly<Record<PatchInfo['mode'], string>> = {
  forward: 'forward: exact over all time',
  reverse: 'reverse: over one window',
  mixed: 'forward and reverse',
  none: 'none: it does not learn',
};

function Report({ model, edited, program }: ReportProps) {
  const [played, setPlayed] = useState<PatchInfo>();
  useEffect(() => {
    let isOld = false;
    model.client.patch.info().then(
      (info) => !isOld && setPlayed(info),
      () => undefined,
    );
    return () => void (isOld = true);
  }, [model, program]);
  const info = edited ?? played;
  if (info === undefined) return null;
  const { engine } = model.host?.status ?? {};
  const nodes = Object.keys(model.host?.patch.nodes ?? {}).length;
  const rows: readonly (readonly [string, string])[] = [
    ['Gradient', MODES[info.mode]],
    ['Window', info.window === 0 ? '–' : `${plural(info.window, 'sample')} a step`],
    ...(edited === null && nodes > 0 ? [['Nodes', String(nodes)] as const] : []),
    ['Learns', plural(info.params.length, 'parameter')],
    ['Sliders', String(info.sliders.length)],
    ['Meters', String(info.meters.length)],
    ['Channels', `${info.inputs} in, ${info.outputs} out`],
    ['Code', `${number(info.wasmBytes / 1024, 3)} kB`],
    ['Memory', `${number(info.memoryBytes / 1024, 3)} kB`],
    ...(edited === null && engine !== undefined
      ? [['Costs', `${number(100 * engine.load.mean, 3)} % of the time`] as const]
      : []),
  ];
  return (
    <section class="panel" aria-labelledby="report">
      <h2 id="report">{edited === null ? 'What plays' : 'What it would become'}</h2>
      <dl class="facts">
        {rows.map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {info.why.length > 0 && (
        <details>
          <summary>Why this way of differentiation</summary>
          {info.why.map((sentence) => (
            <p key={sentence}>{sentence}</p>
          ))}
        </details>
      )}
    </section>
  );
}

/** What stands in the editor, where it can be read. */
function documentOf(text: string, playing: PatchDocument): object | undefined {
  const read = readDocument(text, playing);
  return read.ok ? read.document : undefined;
}

// --- the host ----------------------------------------------------------------------------------

async function check(model: Model, text: string): Promise<Verdict> {
  const read = readDocument(text, model.host?.patch);
  if (!read.ok) return { marks: [read.mark], info: null };
  try {
    const { diagnostics, info } = await model.client.patch.check(
      read.document as Input<'patch.check'>,
    );
    return { marks: marksOf(text, diagnostics), info };
  } catch (error) {
    if (!(error instanceof LivegradError)) throw error;
    const marks = marksOf(text, error.diagnostics);
    return { marks: marks.length > 0 ? marks : [{ message: error.message }], info: null };
  }
}

interface Finding {
  readonly path: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly line?: number | undefined;
}

/** Where findings stand in the text: by line in a program, by path in a document. */
function marksOf(text: string, findings: readonly Finding[]): Mark[] {
  if (languageOf(text) === 'faust') {
    return findings.map(({ message, hint, line }) => ({ message, hint, line }));
  }
  const locate = locator(text);
  return findings.map(({ path, message, hint }) => ({
    message,
    hint,
    ...(path === '' ? {} : locate(keysOf(path))),
  }));
}

async function download(model: Model): Promise<void> {
  const { file, text, notes } = await model.client.patch.export();
  save(file, new Blob([text], { type: 'text/plain' }));
  if (notes.length > 0) model.say(notes.join(' '), 'said');
}
