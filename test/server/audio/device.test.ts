/** Finding the device that a user means, and never another. */
import { expect, test } from 'vitest';

import { findDevice } from '../../../server/audio/device.ts';
import { deinterleave, interleave } from '../../../server/audio/portaudio.ts';
import type { AudioDevice } from '../../../server/engine/types.ts';

function device(id: string, name: string, change: Partial<AudioDevice> = {}): AudioDevice {
  return {
    id,
    name,
    hostApi: 'ALSA',
    inputs: 2,
    outputs: 2,
    sampleRate: 48000,
    isDefaultInput: false,
    isDefaultOutput: false,
    backend: 'portaudio',
    ...change,
  };
}

const DEVICES = [
  device('0', 'Scarlett 2i2', { isDefaultInput: true }),
  device('1', 'HDMI', { inputs: 0, isDefaultOutput: true }),
  device('2', 'Scarlett 18i20'),
  device('3', 'loopback', { hostApi: 'JACK' }),
  device('4', 'loopback'),
  device('virtual', 'virtual rig', { backend: 'virtual' }),
];

const find = (wanted: string, direction: 'input' | 'output' = 'input') => {
  const found = findDevice(DEVICES, wanted, direction);
  return found.ok ? found.value.id : found.diagnostics[0]!;
};

test('by id, by exact name, by host API and name, by part of the name in any case', () => {
  expect(find('2')).toBe('2');
  expect(find('Scarlett 2i2')).toBe('0');
  expect(find('JACK: loopback')).toBe('3');
  expect(find('18I20')).toBe('2');
  expect(find('jack')).toBe('3');
});

test('nothing wanted is the default of the direction', () => {
  expect(find('')).toBe('0');
  expect(find('', 'output')).toBe('1');
});

test('several that fit are an error that lists them', () => {
  expect(find('scarlett')).toMatchObject({
    code: 'AUDIO_DEVICE_AMBIGUOUS',
    message: expect.stringMatching(/0 = "ALSA: Scarlett 2i2", 2 = "ALSA: Scarlett 18i20"/),
  });
  expect(find('loopback')).toMatchObject({ code: 'AUDIO_DEVICE_AMBIGUOUS' });
});

test('an unknown one is an error that lists what there is, with channels in that direction only', () => {
  expect(find('HDMI')).toMatchObject({
    code: 'AUDIO_DEVICE_UNKNOWN',
    path: 'audio.input',
    message: expect.not.stringContaining('1 = '),
  });
  expect(find('virtual')).toMatchObject({ code: 'AUDIO_DEVICE_UNKNOWN' });
});

test('without a default there is no device', () => {
  const found = findDevice([], '', 'output');
  expect(found.ok).toBe(false);
  expect(!found.ok && found.diagnostics[0]!.code).toBe('AUDIO_NO_DEVICE');
});

test('planar to interleaved and back', () => {
  const planar = [Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6)];
  const woven = new Float32Array(6);
  interleave(planar, woven, 3);
  expect([...woven]).toEqual([1, 4, 2, 5, 3, 6]);
  const back = [new Float32Array(3), new Float32Array(3)];
  deinterleave(woven, back, 3);
  expect(back).toEqual(planar);
});
