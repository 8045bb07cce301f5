/**
 * Losses on spectra. Native side: stft.c, which says what exactly is computed.
 */
import { kernel } from './kernel.ts';
import type { Kernel } from './kernel.ts';

export const SPECTRAL: readonly Kernel[] = [
  kernel({
    name: 'stft-1024-loss',
    native: { name: 'stft', size: 0 },
    initial: [0.5],
    frames: 4096,
    window: 4096,
    estimate: 'no patch can ask for a Fourier transform',
    tolerance: 1e-3,
    target: 1.1,
  }),
];
