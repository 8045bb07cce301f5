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

/**
 * At most `rate` times a second, and after every drawing of the component; `draw` must be cheap.
 * What is scrolled out of sight waits until it is seen again.
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
      if (!now.isSeen || time - last < 1000 / rate - 4) return;
      last = time;
      now.draw();
    });
    const element = box?.current ?? null;
    if (element === null) return end;
    sights.set(element, (isSeen) => {
      now.isSeen = isSeen;
      if (isSeen) now.draw();
    });
    sight.observe(element);
    return () => {
      end();
      sight.unobserve(element);
      sights.delete(element);
    };
  }, [model, rate]);
}

const sights = new WeakMap<Element, (isSeen: boolean) => void>();
const sight = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) sights.get(target)?.(isIntersecting);
  },
  { rootMargin: '100px' },
);
