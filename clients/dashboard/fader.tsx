/**
 * A fader or a knob with its number: mouse, touch, wheel, keyboard, a double click for the default, and typed
 * entry. Arrows move by a hundredth, with shift by a thousandth, page keys by a tenth; Delete goes
 * to the default. A knob is drawn up and down, or left and right. The wheel works on the fader that has the focus, so that a page still scrolls.
 *
 * Invariant: it shows what the model says, also while nothing is drawn anew.
 */

import { useEffect, useRef } from 'preact/hooks';
import { inRange, parseNumber } from './format.ts';
import { useFrame } from './hooks.ts';
import type { Model } from './model.ts';
import { originOf, placeOf, settle, valueAt, type Range } from './scale.ts';
import type { Param } from './types.ts';

/** From one end of a knob to the other, px. */
const KNOB_WAY = 200;

interface Props {
  readonly model: Model;
  readonly param: Param;
  readonly label: string;
  /** What it is to become, where that is known: a mark on the track. */
  readonly target?: (() => number | undefined) | undefined;
  readonly isKnob?: boolean;
}

export function Fader(props: Props) {
  return (
    <>
      <Track {...props} />
      <Entry {...props} />
    </>
  );
}

function Track({ model, param, label, target, isKnob = false }: Props) {
  const ref = useRef<HTMLDivElement>(null);
  const { id } = param;
  const range = rangeOf(param);
  const current = (): number => model.values.get(id) ?? param.value;
  const to = (value: number): void => {
    model.set(id, settle(value, range));
    draw();
  };
  /** By a share of the track, at least by a step. */
  const move = (share: number): void => {
    const value = current();
    const next = valueAt(placeOf(value, range) + share, range);
    const step = range.step ?? 0;
    to(next === value ? value + Math.sign(share) * step : next);
  };

  const draw = (): void => {
    const track = ref.current;
    if (track === null) return;
    const value = current();
    place(track, '--at', placeOf(value, range));
    const text = `${inRange(value, param)} ${param.unit ?? ''}`.trim();
    if (track.getAttribute('aria-valuetext') !== text) {
      track.setAttribute('aria-valuenow', String(value));
      track.setAttribute('aria-valuetext', text);
    }
    const aim = target?.();
    if (aim !== undefined) place(track, '--aim', placeOf(aim, range));
  };
  useFrame(model, draw, 60, ref);

  useEffect(() => {
    const track = ref.current;
    if (track === null) return undefined;
    const onWheel = (event: WheelEvent): void => {
      if (document.activeElement !== track) return;
      event.preventDefault();
      move(-Math.sign(event.deltaY) * (event.shiftKey ? 0.001 : 0.01));
    };
    track.addEventListener('wheel', onWheel, { passive: false });
    return () => track.removeEventListener('wheel', onWheel);
  });

  const onPointerDown = (event: PointerEvent): void => {
    const track = ref.current;
    if (track === null || event.button !== 0) return;
    const letGo = model.hold(id);
    track.setPointerCapture(event.pointerId);
    const box = track.getBoundingClientRect();
    const follow = ({ clientX }: PointerEvent): void =>
      to(valueAt((clientX - box.left) / box.width, range));
    const { clientX: x, clientY: y } = event;
    const begun = placeOf(current(), range);
    const onMove = (moved: PointerEvent): void => {
      if (!isKnob && !moved.shiftKey) return follow(moved);
      const way = moved.clientX - x + (isKnob ? y - moved.clientY : 0);
      const whole = (isKnob ? KNOB_WAY : box.width) * (moved.shiftKey ? 10 : 1);
      to(valueAt(begun + way / whole, range));
    };
    const end = (): void => {
      letGo();
      track.removeEventListener('pointermove', onMove);
      track.removeEventListener('pointerup', end);
      track.removeEventListener('pointercancel', end);
    };
    track.addEventListener('pointermove', onMove);
    track.addEventListener('pointerup', end);
    track.addEventListener('pointercancel', end);
    // The second press of a double click goes to the default, and must not move it before.
    if (!isKnob && event.detail < 2 && !event.shiftKey) follow(event);
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const small = event.shiftKey ? 0.001 : 0.01;
    const shares: Record<string, number> = {
      ArrowRight: small,
      ArrowUp: small,
      ArrowLeft: -small,
      ArrowDown: -small,
      PageUp: 0.1,
      PageDown: -0.1,
    };
    const places: Record<string, number> = {
      Home: range.min,
      End: range.max,
      Delete: param.initial,
      Backspace: param.initial,
    };
    const share = shares[event.key];
    const value = places[event.key];
    if (share !== undefined) move(share);
    else if (value !== undefined) to(value);
    else return;
    event.preventDefault();
  };

  const aim = target?.();
  return (
    <div
      ref={ref}
      class={`${isKnob ? 'knob' : 'track'}${aim === undefined ? '' : ' aimed'}`}
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-valuemin={param.min}
      aria-valuemax={param.max}
      style={`--from:${originOf(range)};--default:${placeOf(param.initial, range)}`}
      title={`${param.doc === undefined ? '' : `${param.doc}\n`}${inRange(param.min, param)} to ${inRange(param.max, param)} ${param.unit ?? ''}${param.scale === 'log' ? ', logarithmic' : ''}; double-click: ${inRange(param.initial, param)}`}
      onPointerDown={onPointerDown}
      onDblClick={() => to(param.initial)}
      onKeyDown={onKeyDown}
    ></div>
  );
}

function Entry({ model, param, label }: Props) {
  const ref = useRef<HTMLInputElement>(null);
  const { id } = param;
  const text = (): string => inRange(model.values.get(id) ?? param.value, param);

  useFrame(
    model,
    () => {
      const input = ref.current;
      if (input === null || document.activeElement === input) return;
      const value = text();
      if (input.value !== value) input.value = value;
    },
    10,
    ref,
  );

  const commit = (input: HTMLInputElement): void => {
    const value = parseNumber(input.value);
    const isValid = value !== undefined && value >= param.min && value <= param.max;
    if (isValid && input.value !== text()) model.set(id, value);
    if (!isValid) {
      const expected = `${inRange(param.min, param)} to ${inRange(param.max, param)}`;
      model.say(`${label}: expected a number from ${expected}, got “${input.value}”`);
    }
    input.value = text();
  };

  return (
    <label class="entry">
      <input
        ref={ref}
        type="text"
        inputMode="text"
        spellcheck={false}
        autocomplete="off"
        aria-label={`${label}, value`}
        onFocus={(event) => event.currentTarget.select()}
        onBlur={(event) => commit(event.currentTarget)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') event.currentTarget.value = text();
          if (event.key === 'Enter' || event.key === 'Escape') event.currentTarget.blur();
        }}
      />
      <span class="unit">{param.unit ?? ''}</span>
    </label>
  );
}

/** To a four-thousandth, and only where that is news: each writing has the browser compute styles. */
export function place(element: HTMLElement, name: `--${string}`, at: number): void {
  const text = at.toFixed(4);
  if (element.style.getPropertyValue(name) !== text) element.style.setProperty(name, text);
}

export function rangeOf({ min, max, scale, step }: Param): Range {
  return { min, max, scale, step };
}
