/**
 * The largest magnitude of a channel, as a function of its own that the host calls.
 *
 * As words without their signs, binary32 numbers are in the order of their magnitudes, with what is
 * not finite above all that is: so the largest word answers both how loud a block is and whether all
 * of it is finite, and neither infinities nor NaNs need a case of their own.
 */

import { Func, get, set } from './module.ts';
import type { Instr } from './module.ts';
import { splatInt } from './snippets.ts';

/** Everything but the sign. */
const MAGNITUDE = 0x7fffffff;

/**
 * peak(from, bytes): the largest words of four interleaved parts of the samples there go to `result`,
 * 16 bytes; the largest of these is that of all.
 *
 * @param maxBlock  most samples of a call
 * Cost: five instructions for four samples.
 */
export function peakFunction(result: number, maxBlock: number): Func {
  const func = new Func('peak', ['i32', 'i32']);
  const at = func.param(0);
  const bytes = func.param(1);
  const end = func.local('i32');
  const fours = func.local('i32');
  const loudest = func.fresh('v128');
  const magnitude = func.fresh('v128');
  const louder = (load: Instr, step: number, stop: typeof end, rounds: number): void => {
    func.emit(get(at), get(stop), ['i32.lt_u'], ['if'], ['loop', rounds]);
    func.emit(get(loudest), get(at), load, get(magnitude), ['v128.and'], ['i32x4.max_s']);
    func.emit(set(loudest), get(at), ['i32.const', step], ['i32.add'], ['local.tee', at.index]);
    func.emit(get(stop), ['i32.lt_u'], ['br_if', 0], ['end'], ['end']);
  };
  func.emit(splatInt(MAGNITUDE), set(magnitude), splatInt(0), set(loudest));
  func.emit(get(at), get(bytes), ['i32.add'], set(end));
  func.emit(get(at), get(bytes), ['i32.const', -16], ['i32.and'], ['i32.add'], set(fours));
  louder(['v128.load', 0], 16, fours, Math.floor(maxBlock / 4));
  louder(['v128.load32_splat', 0], 4, end, 3);
  func.emit(['i32.const', 0], get(loudest), ['v128.store', result]);
  return func;
}
