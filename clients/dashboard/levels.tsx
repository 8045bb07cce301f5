/** Meters: the levels of the device's channels with peak hold, and what the patch shows. */

import { useRef } from 'preact/hooks';
import { place } from './fader.tsx';
import { decibels, inRange } from './format.ts';
import { useFrame, useModel } from './hooks.ts';
import type { Model } from './model.ts';
import { originOf, placeOf } from './scale.ts';
import type { Meter } from './types.ts';

/** Quietest level drawn, dB. */
const FLOOR = -60;
/** Peaks stand for a second, then fall, dB a frame. */
const HOLD = 1000;
const FALL = 0.7;

export function Levels({ model, title }: { readonly model: Model; readonly title?: string }) {
  useModel(model);
  const engine = model.host?.status.engine;
  if (engine === undefined) return null;
  const channels = (kind: 'in' | 'out', count: number) =>
    Array.from({ length: count }, (_, k) => (
      <Level key={`${kind}${k}`} model={model} kind={kind} channel={k} />
    ));
  return (
    <section class="panel levels" aria-label="Levels">
      {title !== undefined && <h2>{title}</h2>}
      {channels('in', engine.inputs)}
      {channels('out', engine.outputs)}
    </section>
  );
}

interface LevelProps {
  readonly model: Model;
  readonly kind: 'in' | 'out';
  readonly channel: number;
}

function Level({ model, kind, channel }: LevelProps) {
  const ref = useRef<HTMLDivElement>(null);
  const text = useRef<HTMLSpanElement>(null);
  const held = useRef({ peak: FLOOR, until: 0, written: 0 });
  const label = `${kind === 'in' ? 'Input' : 'Output'} ${channel + 1}`;
  useFrame(model, () => {
    const bar = ref.current;
    if (bar === null) return;
    const all = kind === 'in' ? model.levels?.inputs : model.levels?.outputs;
    const level = model.live ? all?.[channel] : undefined;
    const peak = decibels(level?.peak ?? 0);
    const rms = decibels(level?.rms ?? 0);
    const now = performance.now();
    const hold = held.current;
    if (peak >= hold.peak) Object.assign(hold, { peak, until: now + HOLD });
    else if (now > hold.until) hold.peak = Math.max(peak, hold.peak - FALL, FLOOR);
    place(bar, '--at', share(rms));
    place(bar, '--peak', share(hold.peak));
    bar.classList.toggle('hot', hold.peak > -1);
    if (now - hold.written < 150 || text.current === null) return;
    hold.written = now;
    const shown = level === undefined ? '–' : hold.peak <= FLOOR ? '−∞' : hold.peak.toFixed(1);
    text.current.textContent = shown.replace('-', '−');
  });
  return (
    <div class="meter">
      <span class="name">{label}</span>
      <div ref={ref} class="bar level" aria-hidden="true"></div>
      <span class="value">
        <span ref={text} /> <span class="unit">dB</span>
      </span>
    </div>
  );
}

const share = (db: number): number => Math.min(1, Math.max(0, (db - FLOOR) / -FLOOR));

interface MeterProps {
  readonly model: Model;
  readonly meter: Meter;
  readonly label: string;
}

/** What the patch shows. */
export function MeterBar({ model, meter, label }: MeterProps) {
  const ref = useRef<HTMLDivElement>(null);
  const text = useRef<HTMLSpanElement>(null);
  const draw = (): void => {
    const value = model.live ? model.shown[meter.index] : null;
    if (ref.current) place(ref.current, '--at', placeOf(value ?? NaN, meter));
  };
  useFrame(model, draw, 60, ref);
  useFrame(
    model,
    () => {
      const value = model.live ? model.shown[meter.index] : null;
      if (text.current) text.current.textContent = inRange(value, meter);
    },
    8,
    ref,
  );
  return (
    <div class="meter" title={meter.doc}>
      <span class="name">{label}</span>
      <div ref={ref} class="bar" aria-hidden="true" style={`--from:${originOf(meter)}`}></div>
      <span class="value">
        <span ref={text} /> <span class="unit">{meter.unit ?? ''}</span>
      </span>
    </div>
  );
}
