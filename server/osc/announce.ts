/**
 * Tells the local network, by multicast DNS, that OSC and OSCQuery are spoken here.
 *
 * Invariants: where only this machine is listened to, only this machine is told; a network that
 * cannot be told is a warning, never an end; what was announced is taken back at the end.
 */

import { hostname } from 'node:os';
import Bonjour from 'bonjour-service';
import { isLoopback } from '../../config/load.ts';

export interface Announced {
  readonly host: string;
  readonly port: number;
  /** As browsers of the network show it. */
  readonly name: string;
  readonly onProblem: (error: Error) => void;
  /** Another port of multicast DNS, for tests. */
  readonly mdnsPort?: number;
}

/** Where an address is heard, as multicast over IPv4 goes by; nothing: everywhere. */
function interfaceOf(host: string): { readonly interface?: string } {
  if (isLoopback(host)) return { interface: '127.0.0.1' };
  return host === '0.0.0.0' || host.includes(':') ? {} : { interface: host };
}

/** How long taking back may last, ms. */
const FAREWELL = 500;

/** @returns  takes it back */
export function announce({
  host,
  port,
  name,
  onProblem,
  mdnsPort,
}: Announced): () => Promise<void> {
  const options = {
    // Multicast comes to sockets of any address, and is asked for per interface.
    bind: '0.0.0.0',
    ...interfaceOf(host),
    ...(mdnsPort === undefined ? {} : { port: mdnsPort }),
  };
  let bonjour: InstanceType<typeof Bonjour>;
  try {
    bonjour = new Bonjour(options, onProblem);
  } catch (error) {
    onProblem(error as Error);
    return () => Promise.resolve();
  }
  // It would end the process: nobody else listens to what its socket says.
  const { mdns } = (bonjour as unknown as { server: { mdns: NodeJS.EventEmitter } }).server;
  mdns.on('error', onProblem);
  // Asking whether the name is free prints to standard output where it is not: the name has the port.
  const service = { name, port, host: `${hostname()}.local`, probe: false };
  bonjour.publish({ ...service, type: 'oscjson', protocol: 'tcp' });
  bonjour.publish({ ...service, type: 'osc', protocol: 'udp' });
  return () =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, FAREWELL);
      bonjour.unpublishAll(() => {
        clearTimeout(timer);
        bonjour.destroy(() => resolve());
      });
    });
}
