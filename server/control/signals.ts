/**
 * The signals as clients ask for them: which there are, and pictures of them while somebody looks.
 *
 * Invariant: the engine makes no picture that nobody wants, and each at the highest rate that
 * somebody wants.
 */

import type { SignalList } from '../api/signals.ts';
import { comparedIn, signalsOf } from '../engine/signals.ts';
import type { Supervisor } from '../engine/supervisor.ts';
import { PICTURES, type PictureRates } from '../engine/types.ts';
import type { Session } from './session.ts';

/** What this needs of the supervisor. */
export type SignalEngine = Pick<Supervisor, 'status' | 'watchSignals' | 'measureLag'>;

const NONE: PictureRates = { scope: 0, spectrum: 0 };

export class Signals {
  readonly #engine: SignalEngine;
  readonly #session: Session;
  #wanted = NONE;

  constructor(engine: SignalEngine, session: Session) {
    this.#engine = engine;
    this.#session = session;
  }

  /** @param rates  of everyone who looks */
  want(rates: Iterable<Partial<PictureRates>>): void {
    const wanted = { ...NONE };
    for (const some of rates) {
      for (const topic of PICTURES) wanted[topic] = Math.max(wanted[topic], some[topic] ?? 0);
    }
    if (PICTURES.every((topic) => wanted[topic] === this.#wanted[topic])) return;
    this.#wanted = wanted;
    this.#engine.watchSignals(wanted);
  }

  async list(): Promise<SignalList> {
    const { state } = this.#session;
    const { inputs, outputs, sampleRate } = this.#engine.status;
    const compared = comparedIn(state.artifact);
    const lag =
      compared === 'both' ? await this.#engine.measureLag() : { delay: null, confidence: 0 };
    const signals = signalsOf(compared, inputs, outputs);
    return { signals, sampleRate, program: state.program, ...lag };
  }
}
