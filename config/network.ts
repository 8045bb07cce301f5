/**
 * Addresses and networks in settings: 192.168.1.20, 192.168.1.0/24, fd00::/8.
 *
 * Invariant: numbers only. A name could mean another machine tomorrow.
 */

import { isIP } from 'node:net';

export interface Network {
  readonly address: string;
  readonly bits: number;
  readonly family: 4 | 6;
}

/** The network that a setting means; undefined where it is none. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  const given = bits === undefined ? most : /^\d{1,3}$/u.test(bits) ? Number(bits) : Number.NaN;
  if (family === 0 || rest.length > 0 || !(given <= most)) return undefined;
  return { address, bits: given, family: family === 4 ? 4 : 6 };
}
