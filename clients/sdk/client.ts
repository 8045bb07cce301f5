/**
 * The client: `createClient({ url })` gives a method for each operation, telemetry and changes. Runs
 * in browsers and in Node.js 22 or newer, on the platform's own fetch and WebSocket.
 *
 *     const livegrad = createClient({ url: 'http://127.0.0.1:8440' });
 *     await livegrad.params.set({ id: 'hidden/gain', value: 0.5 });
 *     livegrad.subscribe({ topics: ['loss', 'gradients'], rate: 30 }, (frame) => draw(frame));
 *     for await (const frame of livegrad.frames({ topics: ['loss'], rate: 5 })) print(frame);
 *     livegrad.on('change', (change) => console.log(change.kind, change.revision));
 *
 * Invariant: calls reject with LivegradError and nothing else; the socket is only opened by
 * `subscribe`, `frames` and `on`, and goes on until `close`.
 */

import { Live } from './live.ts';
import { createMethods, type Methods, type Target } from './methods.ts';

export type Client = Methods & Pick<Live, 'subscribe' | 'frames' | 'on' | 'close'>;

export function createClient(target: Target): Client {
  const live = new Live(target);
  return {
    ...createMethods(target),
    subscribe: (subscription, listener) => live.subscribe(subscription, listener),
    frames: (subscription) => live.frames(subscription),
    on: (kind, listener) => live.on(kind, listener),
    close: () => live.close(),
  };
}

export { LivegradError, type FailureCode } from './errors.ts';
export { keysOf, locator, positions, type Position } from './json-position.ts';
export type { Events, Snapshot } from './live.ts';
export type { Methods, Target } from './methods.ts';
export {
  decodeFrame,
  decodeLevels,
  decodeScope,
  decodeSpectrum,
  type Frame,
  type Levels,
  type Scope,
  type Spectrum,
} from '../../server/api/frame.ts';
export { MAX_RATE, TOPICS, type Change, type Topic } from '../../server/api/socket.ts';
export type { Input, Output } from '../../server/api/operations.ts';
