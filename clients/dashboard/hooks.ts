/**
 * How components follow the model: `useModel` draws anew when what there is changes, `useFrame`
 * writes numbers straight into the page, so that thirty frames a second make no new tree.
 */

import { useEffect, useReducer, useRef } from 'preact/hooks';
import type { Model } from './model.ts';

export function useModel(model: Model): void {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => model.watch(() => redraw(undefined)), [model]);
}

const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** Of a person who wants no motion nothing moves by itself more than twice a second. */
export const paceOf = (rate: number): number => (calm.matches ? Math.min(2, rate) : rate);

/**
 * At most `rate` times a second, and after every drawing of the component; `draw` must be cheap.
 * What is in a part of the page that is scrolled out of sight waits until it is seen again.
 */
export function useFrame(
  model: Model,
  draw: () => void,
  rate = 60,
  box?: { readonly current: Element | null },
): void {
  const state = useRef({ draw, isSeen: true });
  state.current.draw = draw;
  useEffect(() => {
    if (state.current.isSeen) draw();
  });
  useEffect(() => {
    const now = state.current;
    let last = 0;
    const end = model.onFrame((time) => {
      if (!now.isSeen || time - last < 1000 / paceOf(rate) - 4) return;
      last = time;
      now.draw();
    });
    const unwatch = watchSight(box?.current, (isSeen) => {
      now.isSeen = isSeen;
      if (isSeen) now.draw();
    });
    return () => {
      end();
      unwatch();
    };
  }, [model, rate]);
}

type Listener = (isSeen: boolean) => void;

/** The parts of a row are watched together: each thing watched costs in each frame. */
function watchSight(element: Element | null | undefined, listener: Listener): () => void {
  if (element === null || element === undefined) return () => undefined;
  const row = element.closest('.row, .strip, .meter') ?? element;
  const known = sights.get(row);
  const listeners = known ?? new Set<Listener>();
  listeners.add(listener);
  if (known === undefined) {
    sights.set(row, listeners);
    sight.observe(row);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    sight.unobserve(row);
    sights.delete(row);
  };
}

const sights = new Map<Element, Set<Listener>>();
const sight = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      for (const listener of sights.get(target) ?? []) listener(isIntersecting);
    }
  },
  { rootMargin: '100px' },
);
