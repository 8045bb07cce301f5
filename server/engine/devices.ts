/**
 * Lists the audio devices, in a process of its own that lives for one listing.
 *
 * Why: PortAudio reads the list of devices once per process, and its host APIs may crash, abort
 * on an empty list or hang while they read it. Here that costs an empty list, or a diagnostic.
 * The virtual device is always there.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import type { Result } from '../../dsp/diagnostic.ts';
import { failure, success } from '../audio/problem.ts';
import { VIRTUAL_NAME } from '../audio/virtual.ts';
import type { AudioDevice } from './types.ts';

const TIMEOUT = 5000;

const VIRTUAL: AudioDevice = {
  id: 'virtual',
  name: VIRTUAL_NAME,
  hostApi: 'livegrad',
  inputs: 2,
  outputs: 2,
  sampleRate: 48000,
  isDefaultInput: false,
  isDefaultOutput: false,
  backend: 'virtual',
};

export function listDevices(): Promise<Result<AudioDevice[]>> {
  return new Promise((resolve) => {
    const script = fileURLToPath(new URL('./list-devices.ts', import.meta.url));
    const child = fork(script, [], {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    let answer: Result<AudioDevice[]> | null = null;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, TIMEOUT);
    child.on('message', (listed: Result<AudioDevice[]>) => {
      answer = listed;
    });
    const finish = () => {
      clearTimeout(timer);
      if (late) {
        const message = `the devices were not listed within ${TIMEOUT / 1000} s`;
        resolve(failure('AUDIO_LIST_FAILED', 'audio', message));
      } else if (answer !== null && !answer.ok) {
        resolve(answer);
      } else {
        resolve(success([...(answer?.value ?? []), VIRTUAL]));
      }
    };
    child.on('exit', finish);
    child.on('error', finish);
  });
}
