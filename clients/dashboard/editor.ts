/**
 * The text editor of the patch view: CodeMirror's view, state and history, with colours and marks of
 * our own; its packages for languages and findings would double its size.
 *
 * Invariants: it lives in a shadow root, where its styles need no permission of the page's policy;
 * Tab leaves it, so that the keyboard is never caught; colours are the page's.
 */

import { history, historyKeymap } from '@codemirror/commands';
import { EditorSelection, EditorState, StateEffect, StateField } from '@codemirror/state';
import type { Range } from '@codemirror/state';
import { Decoration, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import type { DecorationSet, KeyBinding } from '@codemirror/view';
import { languageOf, type Mark } from './document.ts';
import { tokensOf } from './highlight.ts';

export interface Editor {
  /** Another text; the history goes on, so that it can be undone. */
  replace(text: string): void;
  show(marks: readonly Mark[]): void;
  goTo(mark: Mark): void;
  destroy(): void;
}

interface Options {
  readonly text: string;
  readonly onChange: (text: string) => void;
  /** Mod-S or Mod-Enter. */
  readonly onPlay: () => void;
}

export function createEditor(host: HTMLElement, { text, onChange, onPlay }: Options): Editor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
  const play = (): boolean => {
    onPlay();
    return true;
  };
  const view = new EditorView({
    parent: root,
    root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        highlightActiveLine(),
        history(),
        colours,
        findings,
        THEME,
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({
          'aria-label': 'Patch',
          spellcheck: 'false',
          tabindex: '0',
        }),
        keymap.of([
          { key: 'Mod-s', run: play, preventDefault: true },
          { key: 'Mod-Enter', run: play },
          ...KEYS,
          ...historyKeymap,
        ]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) onChange(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    replace(next) {
      if (next === view.state.doc.toString()) return;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } });
    },
    show: (marks) => view.dispatch({ effects: setFindings.of(marks) }),
    goTo(mark) {
      const { from } = rangeOf(view.state, mark);
      view.dispatch({ selection: { anchor: from }, scrollIntoView: true });
      view.focus();
    },
    destroy: () => view.destroy(),
  };
}

// --- keys --------------------------------------------------------------------------------------

/** Of texts longer than the window the browser sees a part, so it cannot do these. */
const KEYS: readonly KeyBinding[] = [
  {
    key: 'Mod-a',
    run: (view) => {
      view.dispatch({ selection: { anchor: 0, head: view.state.doc.length } });
      return true;
    },
  },
  { key: 'Mod-Home', run: (view) => moveTo(view, 0) },
  { key: 'Mod-End', run: (view) => moveTo(view, view.state.doc.length) },
  { key: 'PageUp', run: (view) => turnPage(view, false) },
  { key: 'PageDown', run: (view) => turnPage(view, true) },
  { key: 'Enter', run: breakLine },
];

function moveTo(view: EditorView, anchor: number): boolean {
  view.dispatch({ selection: { anchor }, scrollIntoView: true });
  return true;
}

function turnPage(view: EditorView, isForward: boolean): boolean {
  const { main } = view.state.selection;
  const next = view.moveVertically(main, isForward, view.scrollDOM.clientHeight - 40);
  view.dispatch({ selection: EditorSelection.single(next.head), scrollIntoView: true });
  return true;
}

/** The next line begins where this one does, deeper after an open bracket. */
function breakLine(view: EditorView): boolean {
  const { from } = view.state.selection.main;
  const before = view.state.doc.lineAt(from).text.slice(0, from - view.state.doc.lineAt(from).from);
  const indent = (/^\s*/u.exec(before)?.[0] ?? '') + (/[[{(]\s*$/u.test(before) ? '  ' : '');
  view.dispatch(view.state.replaceSelection(`\n${indent}`), { scrollIntoView: true });
  return true;
}

// --- colours and marks -------------------------------------------------------------------------

/** Longer texts stay without colours. */
const LONGEST = 200_000;

function coloursOf({ doc }: EditorState): DecorationSet {
  if (doc.length > LONGEST) return Decoration.none;
  const text = doc.toString();
  const tokens = tokensOf(text, languageOf(text));
  return Decoration.set(
    tokens.map(({ kind, from, to }) => Decoration.mark({ class: `t-${kind}` }).range(from, to)),
  );
}

const colours = StateField.define<DecorationSet>({
  create: coloursOf,
  update: (made, { docChanged, state }) => (docChanged ? coloursOf(state) : made),
  provide: (field) => EditorView.decorations.from(field),
});

const setFindings = StateEffect.define<readonly Mark[]>();

const findings = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(made, transaction) {
    const set = transaction.effects.findLast((effect) => effect.is(setFindings));
    if (set === undefined) return made.map(transaction.changes);
    const { state } = transaction;
    const ranges = set.value.flatMap((mark): Range<Decoration>[] => {
      const { from, to } = rangeOf(state, mark);
      const line = Decoration.line({ class: 'wrong-line' }).range(state.doc.lineAt(from).from);
      if (to === from) return [line];
      const attributes = { title: mark.message };
      return [line, Decoration.mark({ class: 'wrong', attributes }).range(from, to)];
    });
    return Decoration.set(ranges, true);
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** To the end of its line; without a column from the first letter. */
function rangeOf({ doc }: EditorState, { line = 1, column }: Mark): { from: number; to: number } {
  const found = doc.line(Math.min(Math.max(1, line), doc.lines));
  const indent = /^\s*/u.exec(found.text)?.[0].length ?? 0;
  const from = Math.min(found.from + (column === undefined ? indent : column - 1), found.to);
  return { from, to: found.to };
}

const THEME = EditorView.theme({
  '&': { height: '100%', fontSize: '13px', color: 'var(--text)', background: 'var(--panel)' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.5' },
  '.cm-content': { caretColor: 'var(--text)', padding: '8px 0' },
  '.cm-gutters': { background: 'var(--panel)', color: 'var(--dim)', border: 'none' },
  '.cm-activeLine, .cm-activeLineGutter': {
    background: 'color-mix(in srgb, var(--grid) 35%, transparent)',
  },
  '.t-comment': { color: 'var(--dim)', fontStyle: 'italic' },
  '.t-name, .t-keyword': { color: 'var(--accent)' },
  '.t-number, .t-built-in': { color: 'var(--second)' },
  '.cm-line.wrong-line': { background: 'color-mix(in srgb, var(--bad) 10%, transparent)' },
  '.wrong': { textDecoration: 'underline wavy var(--bad)', textDecorationSkipInk: 'none' },
});
