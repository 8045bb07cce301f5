/**
 * For measurements that one lost block of audio spoils, on machines where a stall of the scheduler
 * may lose one: JACK's cycle goes on without a client that is late, which is not the host's fault.
 *
 * Invariant: a failure is forgiven only if the given count of disturbances rose meanwhile, and only
 * until the time is up; a fault that recurs, or that nobody counted, fails the test. Measured (two
 * cores, 2026-11): of 24 stalls of 10 to 300 ms in the engine, jackd or the box five lost a block,
 * and the late blocks, the xruns and jackd's messages rose with each; none lost one unannounced.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** How far a count may be behind the audio, ms. */
const BEHIND = 500;

/**
 * The first result of `attempt` that no disturbance spoiled.
 *
 * @param disturbances  a count that grows with each
 * @param seconds       no further attempt begins after these
 * @param prepare       before each attempt; what is counted meanwhile forgives nothing
 */
export async function undisturbed<T>(
  disturbances: () => Promise<number>,
  seconds: number,
  attempt: () => Promise<T>,
  prepare: () => Promise<void> = () => Promise.resolve(),
): Promise<T> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    await prepare();
    const before = await disturbances();
    try {
      return await attempt();
    } catch (error) {
      await sleep(BEHIND);
      if ((await disturbances()) === before || performance.now() > end) throw error;
    }
  }
}
