/**
 * What the engine that runs this can take beyond the WebAssembly of 2022.
 *
 * Invariant: found out by validating a module, not by names or versions.
 */

import { Func, encode, get } from './module.ts';
import { SINGLE, splatReal } from './element.ts';

/** Does the engine take code that multiplies and adds four numbers with one rounding? */
export function hasFusedMultiply(): boolean {
  const func = new Func('probe', []);
  const local = func.local('v128');
  func.emit(splatReal(SINGLE, 1), get(local), get(local), ['f32x4.relaxed_madd'], ['drop']);
  return WebAssembly.validate(encode({ functions: [func], pages: 1, data: [] }));
}
