/**
 * Loss over the last minute on a logarithmic axis, the learning rate beside it on another.
 *
 * Invariant: time is that of the audio, so what does not come leaves no gap that looks like learning.
 */

import type uPlot from 'uplot';
import type { Model } from './model.ts';
import { LOG_AXIS, LOG_SCALE, Plot, positive, type Look } from './plot.tsx';

const SPAN = 60;

export function LossPlot({ model }: { readonly model: Model }) {
  const { losses } = model;
  return (
    <Plot
      model={model}
      title="Loss and learning rate over the last minute"
      name="loss"
      shape=""
      rate={15}
      options={optionsOf}
      data={() => {
        const times = losses.column(0);
        const now = times.at(-1) ?? 0;
        return [times.map((t) => t - now), positive(losses.column(1)), positive(losses.column(2))];
      }}
      // Seconds since the host started, so that two tables can be laid side by side.
      columns={() => ({
        seconds: losses.column(0),
        loss: losses.column(1),
        'learning rate': losses.column(2),
      })}
    />
  );
}

function optionsOf({ axis, colour }: Look): Omit<uPlot.Options, 'width' | 'height'> {
  const points = { show: false };
  return {
    padding: [10, 0, 0, 0],
    scales: { x: { time: false, range: [-SPAN, 0] }, loss: LOG_SCALE, rate: LOG_SCALE },
    axes: [
      {
        ...axis,
        size: 24,
        values: (_, values) => values.map((t) => (t === 0 ? 'now' : `−${-t} s`)),
      },
      { ...axis, ...LOG_AXIS, scale: 'loss' },
      { ...axis, ...LOG_AXIS, scale: 'rate', side: 1, grid: { show: false } },
    ],
    series: [
      {},
      { scale: 'loss', stroke: colour('--accent'), width: 1.5, points },
      { scale: 'rate', stroke: colour('--second'), width: 1, dash: [4, 3], points },
    ],
  };
}
