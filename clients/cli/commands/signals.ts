/** `signals`: what a running host hears, plays and compares, once: level, loudest frequency, wave. */

import type { Client, Frame } from '../../sdk/client.ts';
import { decodeScope, decodeSpectrum } from '../../sdk/client.ts';
import { answer } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { paint, sparkline, table } from '../style.ts';

/** How long pictures are waited for, ms: without a device there are none. */
const PATIENCE = 3000;
const WIDTH = 48;
const RATE = 20;

export const signals: Register = (program, deliver) => {
  withHost(
    program.command('signals').description('what a running host hears, plays and compares'),
  ).action((options: HostOptions) =>
    deliver(({ style }) =>
      withClient(options, async (client) => {
        const listed = await client.signals.list();
        const { scope, spectrum } = await look(client, listed.program);
        const rows = listed.signals.map(({ id }, k) => {
          const wave = [...(scope[k] ?? [])];
          const bins = [...(spectrum?.signals[k] ?? [])];
          const peak = wave.length === 0 ? null : Math.max(...wave.map(Math.abs));
          const rms = Math.sqrt(wave.reduce((sum, x) => sum + x * x, 0) / Math.max(1, wave.length));
          const top = Math.max(...bins);
          const loudest = top > -100 ? bins.indexOf(top) * (spectrum?.binHz ?? 0) : null;
          return { id, peak, rms: peak === null ? null : rms, loudest, wave };
        });
        const head = ['SIGNAL', 'PEAK dB', 'RMS dB', 'LOUDEST Hz', 'WAVE'];
        const lines = rows.map(({ id, peak, rms, loudest, wave }) => [
          id,
          decibels(peak),
          decibels(rms),
          loudest === null ? '' : loudest.toFixed(0),
          sparkline(wave, WIDTH, style),
        ]);
        const heading = head.map((text) => paint(style, 'dim', text));
        const { delay, sampleRate } = listed;
        const ms = ((delay ?? 0) / sampleRate) * 1000;
        const late =
          delay === null ? '' : `\nthe estimate is ${delay} samples (${ms.toFixed(2)} ms) late`;
        const shown = rows.map(({ id, peak, rms, loudest }) => ({ id, peak, rms, loudest }));
        return answer(
          { ...listed, telemetry: scope.length > 0, levels: shown },
          `${table([heading, ...lines], 'lrrrl')}${late}`,
        );
      }),
    ),
  );
};

/** The next pictures of a program, as far as they come. */
async function look(client: Client, program: number) {
  const found = new Map<string, Frame>();
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, PATIENCE);
    client.subscribe({ topics: ['scope', 'spectrum'], rate: RATE }, (frame) => {
      if (frame.program === program) found.set(frame.topic, frame);
      if (found.size < 2) return;
      clearTimeout(timer);
      resolve();
    });
  });
  const [scope, spectrum] = [found.get('scope'), found.get('spectrum')];
  return {
    scope: scope === undefined ? [] : decodeScope(scope.values).signals,
    spectrum: spectrum === undefined ? null : decodeSpectrum(spectrum.values),
  };
}

const decibels = (amplitude: number | null): string => {
  if (amplitude === null) return '';
  return amplitude > 0 ? (20 * Math.log10(amplitude)).toFixed(1) : '-inf';
};
