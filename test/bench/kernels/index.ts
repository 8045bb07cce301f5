/**
 * All measured kernels, in the order of the table.
 */
import { FILTERS } from './filters.ts';
import type { Kernel } from './kernel.ts';
import { NETWORKS } from './networks.ts';
import { SPECTRAL } from './spectral.ts';

export const KERNELS: readonly Kernel[] = [...FILTERS, ...NETWORKS, ...SPECTRAL];
