/**
 * How a schedule lies in an array of doubles, which is what crosses threads and what the rate is
 * computed from.
 *
 * Invariant: every schedule fits into CODE numbers. Nothing is computed here.
 */

import { z } from 'zod';

export const rate = z.number().min(0).max(1e6);
export const steps = z.number().int().min(1).max(1e12);

/** Places of what all kinds have. */
export const KIND = 0;
export const START = 1;
export const WARM_STEPS = 2;
export const WARM_FROM = 3;
export const GLIDE_AT = 4;
export const GLIDE_STEPS = 5;
export const GLIDE_FROM = 6;
/** The first number of the kind's own. */
export const OWN = 8;
export const CODE = 48;

/** Places of the scratch that a rate is computed in. */
export const STEP = 0;
export const RATE = 1;
/** From here on: what a schedule remembers of losses, see `plateau.ts`. */
export const MEMORY = 2;
/** Numbers that are remembered. */
export const REMEMBERED = 6;
/** How many steps the rate stays as it is, where a kind can tell. */
export const LASTS = MEMORY + REMEMBERED;
export const SCRATCH = LASTS + 1;
