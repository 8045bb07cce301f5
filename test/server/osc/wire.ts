/**
 * OSC packets written by hand after the specification, for tests: no code of the server's, none of a
 * library's. Nothing is checked, so that wrong packets can be written, too.
 */

const text = (value: string): Buffer => {
  const bytes = Buffer.from(`${value}\0`);
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
};

/** @param types  tags; those with a value take the next of `values` */
export function message(
  address: string,
  types: string,
  ...values: (number | bigint | string)[]
): Buffer {
  const rest = [...values];
  const parts = types.split('').map((tag) => {
    if (!'ifdhsS'.includes(tag) || rest.length === 0) return Buffer.alloc(0);
    const value = rest.shift()!;
    const bytes = Buffer.alloc(tag === 'd' || tag === 'h' ? 8 : 4);
    if (tag === 'i') bytes.writeInt32BE(Number(value));
    else if (tag === 'f') bytes.writeFloatBE(Number(value));
    else if (tag === 'd') bytes.writeDoubleBE(Number(value));
    else if (tag === 'h') bytes.writeBigInt64BE(BigInt(value));
    else return text(String(value));
    return bytes;
  });
  return Buffer.concat([text(address), text(`,${types}`), ...parts]);
}

/** @param at  milliseconds since 1970; 0: at once */
export function bundle(at: number, ...elements: Buffer[]): Buffer {
  const time = Buffer.alloc(8);
  time.writeUInt32BE(at === 0 ? 0 : Math.floor(at / 1000) + 2_208_988_800, 0);
  time.writeUInt32BE(at === 0 ? 1 : Math.floor(((at % 1000) / 1000) * 2 ** 32), 4);
  const sized = elements.flatMap((element) => {
    const size = Buffer.alloc(4);
    size.writeInt32BE(element.length);
    return [size, element];
  });
  return Buffer.concat([text('#bundle'), time, ...sized]);
}
