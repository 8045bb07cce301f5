/**
 * The doors for the field's own protocols, opened and closed together: OSC over UDP, OSCQuery over
 * HTTP and WebSocket on the same port number, and their announcement.
 *
 * Invariant: either all is open or nothing is; whatever comes in goes through the operations of the
 * API. It knows neither audio nor the compiler.
 */

import { hostname } from 'node:os';
import type { Config } from '../../config/schema.ts';
import type { Host } from '../control/operations.ts';
import { announce } from './announce.ts';
import { Exchange, type Counts } from './exchange.ts';
import { QueryDoor } from './http.ts';
import { peersOf } from './peers.ts';
import { UdpDoor } from './udp.ts';

/** Tries for a port number that is free in TCP and in UDP. */
const TRIES = 8;

export interface OscServer {
  /** Of UDP and of TCP. */
  readonly port: number;
  readonly counts: Readonly<Counts>;
  close(): Promise<void>;
}

export interface OscOptions extends Omit<Config['osc'], 'enabled'> {
  /** Of multicast DNS, for tests. */
  readonly mdnsPort?: number;
}

/** Rejects with what Node says of a port that is taken. */
export async function openOsc(host: Host, options: OscOptions): Promise<OscServer> {
  const allowed = peersOf(options.allow);
  const exchange = new Exchange(host);
  const name = `livegrad on ${hostname()}`;
  const doors = async (): Promise<{ query: QueryDoor; udp: UdpDoor }> => {
    const query = await QueryDoor.open(options.host, options.port, { exchange, allowed, name });
    const { address, port } = query.address;
    try {
      const udp = await UdpDoor.open(address, port, {
        exchange,
        allowed,
        replyPort: options.replyPort,
        onError: (error) => host.log.warn({ err: error }, 'OSC over UDP'),
      });
      return { query, udp };
    } catch (error) {
      await query.close();
      throw error;
    }
  };
  let open: Awaited<ReturnType<typeof doors>> | undefined;
  for (let left = options.port === 0 ? TRIES : 1; open === undefined;) {
    try {
      open = await doors();
    } catch (error) {
      if (--left > 0) continue;
      exchange.close();
      throw error;
    }
  }
  const { query, udp } = open;
  const { address, port } = query.address;
  const takeBack = options.announce
    ? announce({
        host: address,
        port,
        name: `${name} (${port})`,
        onProblem: (error) => host.log.warn({ err: error }, 'OSC cannot be announced'),
        ...(options.mdnsPort === undefined ? {} : { mdnsPort: options.mdnsPort }),
      })
    : () => Promise.resolve();
  return {
    port,
    counts: exchange.counts,
    async close() {
      exchange.close();
      await Promise.all([takeBack(), query.close(), udp.close()]);
    },
  };
}
