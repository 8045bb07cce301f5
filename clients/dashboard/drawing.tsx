/**
 * The drawing of a patch: moved by dragging, arrow keys and two fingers, made larger and smaller by
 * its buttons, + and −, or the wheel while it has the focus; a box leads to its place in the text.
 */

import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { plural } from './format.ts';
import { BOX, curveOf, graphOf, layOut, type Box, type Drawing } from './graph.ts';
import type { PatchDocument } from './types.ts';

const MARGIN = 16;
const LONGEST = 17;
/** Smaller is not read: at first what goes out is shown, rather than all of it. */
const LEGIBLE = 0.6;

interface Props {
  readonly patch: PatchDocument;
  readonly onChoose: ((path: readonly string[]) => void) | undefined;
}

interface Window {
  readonly x: number;
  readonly y: number;
  /** Pixels of the page for one of the drawing. */
  readonly scale: number;
}

export function Graph({ patch, onChoose }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [graph, drawing] = useMemo(() => {
    const made = graphOf(patch);
    return [made, layOut(made)] as const;
  }, [patch]);
  const [size, setSize] = useState<readonly [number, number]>([600, 320]);
  const [moved, setMoved] = useState<Window>();
  const [chosen, setChosen] = useState<string>();
  useEffect(() => setMoved(undefined), [drawing]);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const watch = new ResizeObserver(() => setSize([element.clientWidth, element.clientHeight]));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  const [width, height] = size;
  const fit = fitOf(drawing.width, drawing.height, width, height);
  const first = fit.scale < LEGIBLE ? endOf(drawing, width, height) : fit;
  const view = moved ?? first;
  const zoom = (factor: number, at: readonly [number, number] = [width / 2, height / 2]): void => {
    const scale = Math.min(3, Math.max(0.05, view.scale * factor));
    const [x, y] = at;
    setMoved({
      x: view.x + x / view.scale - x / scale,
      y: view.y + y / view.scale - y / scale,
      scale,
    });
  };
  const move = (x: number, y: number): void =>
    setMoved({ ...view, x: view.x + x / view.scale, y: view.y + y / view.scale });
  const now = useRef({ zoom, move });
  now.current = { zoom, move };

  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const onWheel = (event: WheelEvent): void => {
      if (!element.contains(document.activeElement) && !event.ctrlKey) return;
      event.preventDefault();
      const area = element.getBoundingClientRect();
      const at = [event.clientX - area.left, event.clientY - area.top] as const;
      now.current.zoom(Math.exp(-event.deltaY / 500), at);
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, []);

  const fingers = useRef(new Map<number, PointerEvent>());
  const onPointerMove = (event: PointerEvent): void => {
    const before = fingers.current.get(event.pointerId);
    if (before === undefined) return;
    const other = [...fingers.current.values()].find(
      ({ pointerId }) => pointerId !== event.pointerId,
    );
    fingers.current.set(event.pointerId, event);
    if (other === undefined) {
      move(before.clientX - event.clientX, before.clientY - event.clientY);
      return;
    }
    const apart = (one: PointerEvent): number =>
      Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    zoom(apart(event) / Math.max(1, apart(before)));
  };
  const letGo = ({ pointerId }: PointerEvent): void => void fingers.current.delete(pointerId);

  const onKeyDown = (event: KeyboardEvent): void => {
    const ways: Record<string, readonly [number, number]> = {
      ArrowLeft: [-40, 0],
      ArrowRight: [40, 0],
      ArrowUp: [0, -40],
      ArrowDown: [0, 40],
    };
    const way = ways[event.key];
    if (way !== undefined) move(...way);
    else if (event.key === '+' || event.key === '=') zoom(1.25);
    else if (event.key === '-') zoom(0.8);
    else if (event.key === '0') setMoved(fit);
    else return;
    event.preventDefault();
  };
  const near = (from: string, to: string): boolean => chosen === from || chosen === to;
  const choose = ({ id, path }: Box): void => {
    setChosen(chosen === id ? undefined : id);
    if (path !== undefined) onChoose?.(path);
  };
  return (
    <section class="panel drawn" aria-labelledby="graph">
      <header>
        <h2 id="graph">Graph</h2>
        <span class="said">
          {plural(graph.boxes.length, 'part')}, {plural(graph.wires.length, 'wire')}
          {graph.hidden > 0 && `, ${graph.hidden} not drawn`}
          {patch.faust !== undefined && '; inside of the program nothing is known'}
        </span>
        <span class="tools">
          <Tool label="Larger" onClick={() => zoom(1.25)}>
            +
          </Tool>
          <Tool label="Smaller" onClick={() => zoom(0.8)}>
            −
          </Tool>
          <Tool label="All of it" onClick={() => setMoved(fit)}>
            ⤢
          </Tool>
        </span>
      </header>
      <div
        ref={box}
        class="sheet"
        role="application"
        aria-label={`Drawing of the patch, ${plural(graph.boxes.length, 'part')}; arrow keys move it, plus and minus change its size, 0 shows all`}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          fingers.current.set(event.pointerId, event);
          if (event.target === box.current?.firstChild) {
            box.current.setPointerCapture(event.pointerId);
          }
        }}
        onPointerMove={onPointerMove}
        onPointerUp={letGo}
        onPointerCancel={letGo}
        onPointerLeave={letGo}
      >
        <svg
          aria-hidden="true"
          viewBox={`${view.x} ${view.y} ${width / view.scale} ${height / view.scale}`}
        >
          {drawing.paths.map((path) => {
            const { from, to } = path.wire;
            const kind = `${path.isBack ? ' back' : ''}${near(from, to) ? ' near' : ''}`;
            return <path key={`${from}\n${to}`} class={`wire${kind}`} d={curveOf(path)} />;
          })}
          {drawing.boxes.map(({ box: one, x, y }) => (
            <g
              key={one.id}
              class={`box ${one.kind}${chosen === one.id ? ' near' : ''}`}
              transform={`translate(${x} ${y - BOX.height / 2})`}
              onClick={() => choose(one)}
            >
              <title>{`${one.title}${one.name === '' ? '' : `, ${one.name}`}`}</title>
              <rect width={BOX.width} height={BOX.height} rx="4" />
              <text x="8" y={one.name === '' || one.name === one.title ? 21 : 15}>
                {shortened(one.title)}
              </text>
              {one.name !== '' && one.name !== one.title && (
                <text class="dim" x="8" y="28">
                  {shortened(one.name)}
                </text>
              )}
            </g>
          ))}
        </svg>
      </div>
    </section>
  );
}

interface ToolProps {
  readonly label: string;
  readonly onClick: () => void;
  readonly children: ComponentChildren;
}

const Tool = ({ label, onClick, children }: ToolProps) => (
  <button type="button" class="icon" aria-label={label} title={label} onClick={onClick}>
    {children}
  </button>
);

/** All of it, in the middle, no larger than it is. */
function fitOf(wide: number, tall: number, width: number, height: number): Window {
  const scale = Math.min(
    1,
    width / Math.max(1, wide + 2 * MARGIN),
    height / Math.max(1, tall + 2 * MARGIN),
  );
  return { x: (wide - width / scale) / 2, y: (tall - height / scale) / 2, scale };
}

/** Its right end, at the height of what stands there. */
function endOf({ boxes, width: wide }: Drawing, width: number, height: number): Window {
  const ends = boxes.filter(({ x }) => x + BOX.width >= wide - 1).map(({ y }) => y);
  const middle = ends.reduce((sum, y) => sum + y, 0) / Math.max(1, ends.length);
  return {
    x: wide + MARGIN - width / LEGIBLE,
    y: middle - height / LEGIBLE / 2,
    scale: LEGIBLE,
  };
}

const shortened = (text: string): string =>
  text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`;
