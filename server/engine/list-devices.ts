/**
 * The short-lived process behind `listDevices`: sends what PortAudio sees, then ends hard,
 * because a host API that hangs on the way out must not keep it.
 */
import type { Result } from '../../dsp/diagnostic.ts';
import { loadNative, portaudioDevices } from '../audio/portaudio.ts';
import { failure, messageOf, success } from '../audio/problem.ts';
import type { AudioDevice } from './types.ts';

function list(): Result<AudioDevice[]> {
  const native = loadNative();
  if (!native.ok) return native;
  try {
    return success(portaudioDevices(native.value));
  } catch (error) {
    return failure('AUDIO_LIST_FAILED', 'audio', `PortAudio: ${messageOf(error)}`);
  }
}

process.send?.(list(), undefined, undefined, () => process.kill(process.pid, 'SIGKILL'));
