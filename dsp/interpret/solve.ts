/**
 * Linear equations of a symmetric matrix that is not negative, by Cholesky factors: what the
 * operation `solve` computes, and the algorithm that generated code follows.
 *
 * Invariant: the result is finite for finite operands. A pivot that rounding may have made, below
 * `LEAST_PIVOT` of its diagonal, decides nothing: its unknown is 0 and the others are solved for.
 * It does not exchange rows: a symmetric positive matrix needs none.
 */

/** Of the element on the diagonal. */
export const LEAST_PIVOT = 1e-10;

type Numbers = ArrayLike<number>;

/**
 * (A + diag(ridge))·x = c with A + diag(ridge) = L·Lᵀ, L·y = c, Lᵀ·x = y.
 *
 * @param into   x, [n]
 * @param a      [n·n]; its lower triangle is read
 * @param ridge  [n], ≥ 0; 1e300 holds an unknown at 0
 * Cost: n³/6 products. Tested: test/dsp/wasm/once.test.ts
 */
export function solve(into: Float64Array, a: Numbers, ridge: Numbers, c: Numbers): void {
  const n = into.length;
  /** Rows of L below the diagonal, and 1 / Lᵢᵢ, or 0 where a pivot decides nothing. */
  const factor = new Float64Array(n * n);
  const inverse = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let dot = 0;
      for (let k = 0; k < j; k++) dot += factor[i * n + k]! * factor[j * n + k]!;
      const rest = a[j * n + i]! - dot;
      if (j < i) {
        factor[i * n + j] = rest * inverse[j]!;
        continue;
      }
      const whole = a[i * n + i]! + ridge[i]!;
      const pivot = rest + ridge[i]!;
      inverse[i] = pivot > whole * LEAST_PIVOT ? 1 / Math.sqrt(pivot) : 0;
    }
    let dot = 0;
    for (let k = 0; k < i; k++) dot += factor[i * n + k]! * into[k]!;
    into[i] = (c[i]! - dot) * inverse[i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    into[i] = into[i]! * inverse[i]!;
    for (let k = 0; k < i; k++) into[k] = into[k]! - factor[i * n + k]! * into[i]!;
  }
}
