/**
 * Who may speak OSC to the daemon: addresses and networks, because datagrams carry no token.
 *
 * Invariant: without a list only this machine; with one exactly who is on it. An address is compared
 * as a number, also where IPv6 writes an IPv4 one (::ffff:192.168.1.20).
 */

import { BlockList, isIP } from 'node:net';
import { parseNetwork } from '../../config/network.ts';

const LOOPBACK = ['127.0.0.0/8', '::1'];

/** @param allow  addresses and networks, as the configuration has checked them */
export function peersOf(allow: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList();
  for (const entry of allow.length === 0 ? LOOPBACK : allow) {
    const network = parseNetwork(entry);
    if (network === undefined) continue;
    const { address, bits, family } = network;
    list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  }
  return (address) => {
    const plain = plainAddress(address ?? '');
    const family = isIP(plain);
    return family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
  };
}

/** An IPv4 address as itself. */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/iu, '');
