/**
 * How components follow the model: `useModel` draws anew when what there is changes, `useFrame`
 * writes numbers straight into the page, so that thirty frames a second make no new tree.
 */

import { useEffect, useReducer } from 'preact/hooks';
import type { Model } from './model.ts';

export function useModel(model: Model): void {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => model.watch(() => redraw(undefined)), [model]);
}

/** At most `rate` times a second; `draw` must be cheap, and may run after every drawing. */
export function useFrame(model: Model, draw: () => void, rate = 60): void {
  useEffect(() => {
    draw();
    let last = 0;
    return model.onFrame((now) => {
      if (now - last < 1000 / rate - 4) return;
      last = now;
      draw();
    });
  });
}
