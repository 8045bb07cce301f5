/**
 * One-dimensional optimal transport between two vectors of masses at the same places.
 *
 * With a and b scaled to the sum 1, x their places in rising order and c(x, y) = |x − y|^order:
 *
 * cost = min over all plans γ ≥ 0 with margins a and b of Σᵢⱼ γᵢⱼ·c(xᵢ, xⱼ)
 *
 * which in one dimension moves quantile to quantile: a walk over (i, j) that goes on in whichever
 * vector has less behind it, and pays c for what both have added since. Order 1 is W₁, order 2 the
 * square of W₂. The slope with respect to b is the potential ψ of the dual problem, ψⱼ = c(xᵢ, xⱼ) − φᵢ
 * along that walk, less its mean under b, over the sum of b: more of all of b in proportion changes
 * nothing. Where the walk might take either vector first, one of several slopes is taken.
 *
 * Invariants: finite for finite places and masses; masses below 0 count as 0; silence on either side
 * (no more than `SILENCE` together) costs 0 and has no slope. Cost: linear, no sorting.
 * Sources: F. Santambrogio, Optimal Transport for Applied Mathematicians, 2015, 2.1 and 1.6;
 * B. Torres, G. Peeters, G. Richard, Unsupervised harmonic parameter estimation using differentiable
 * DSP and spectral optimal transport, ICASSP 2024.
 */

import { SILENCE } from '../ir/ops.ts';

type Lanes = ArrayLike<number>;

const sumOf = (masses: Lanes): number => {
  let sum = 0;
  for (let k = 0; k < masses.length; k++) sum += Math.max(masses[k]!, 0);
  return sum;
};

/** Visits the walk: lanes of a and b, the mass that is moved between them, and what moved on. */
function walk(
  a: Lanes,
  b: Lanes,
  visit: (i: number, j: number, mass: number, moves: 'a' | 'b' | null, share: number) => void,
): number {
  const [scaleA, scaleB] = [1 / sumOf(a), 1 / sumOf(b)];
  const last = a.length - 1;
  let [i, j] = [0, 0];
  const shareOf = (masses: Lanes, k: number, scale: number): number =>
    Math.max(masses[k]!, 0) * scale;
  let soFarA = shareOf(a, 0, scaleA);
  let soFarB = shareOf(b, 0, scaleB);
  let moved = 0;
  let moves: 'a' | 'b' | null = null;
  let share = 0;
  for (;;) {
    const level = Math.min(soFarA, soFarB);
    visit(i, j, level - moved, moves, share);
    moved = level;
    if (j === last || (i !== last && soFarA <= soFarB)) {
      if (++i > last) return scaleB;
      soFarA += shareOf(a, i, scaleA);
      moves = 'a';
    } else {
      j++;
      share = shareOf(b, j, scaleB);
      soFarB += share;
      moves = 'b';
    }
  }
}

const price = (distance: number, order: number): number =>
  order === 1 ? Math.abs(distance) : distance * distance;

const isSilent = (a: Lanes, b: Lanes): boolean => sumOf(a) <= SILENCE || sumOf(b) <= SILENCE;

/** What moving a to b costs. */
export function transportCost(a: Lanes, b: Lanes, places: Lanes, order: number): number {
  if (isSilent(a, b)) return 0;
  let cost = 0;
  walk(a, b, (i, j, mass) => {
    cost += mass * price(places[i]! - places[j]!, order);
  });
  return cost;
}

/** Its slope with respect to every lane of b. */
export function transportSlope(
  into: Float64Array,
  a: Lanes,
  b: Lanes,
  places: Lanes,
  order: number,
): void {
  into.fill(0);
  if (isSilent(a, b)) return;
  let phi = price(places[0]! - places[0]!, order);
  let psi = 0;
  let mean = 0;
  const scale = walk(a, b, (i, j, _mass, moves, share) => {
    const c = price(places[i]! - places[j]!, order);
    if (moves === 'a') phi = c - psi;
    if (moves !== 'b') return;
    psi = c - phi;
    mean += psi * share;
    into[j] = psi;
  });
  for (let k = 0; k < into.length; k++) into[k] = (into[k]! - mean) * scale;
}
