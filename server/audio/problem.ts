/**
 * The coded problems of the audio and engine rooms, in one table, and the shorthand that makes
 * a failed Result of one. Codes are stable: clients and documentation use them.
 */
import type { Diagnostic, Result } from '../../dsp/diagnostic.ts';

export const AUDIO_CODES = {
  AUDIO_NO_DEVICE: 'there is no device to open, or no default one',
  AUDIO_DEVICE_UNKNOWN: 'no device has this id or name',
  AUDIO_DEVICE_AMBIGUOUS: 'several devices match this name',
  AUDIO_OPEN_FAILED: 'the device refused to open with these settings',
  AUDIO_NATIVE_MISSING: 'the native audio library is not built or does not load',
  AUDIO_LIST_FAILED: 'the devices could not be listed',
  AUDIO_DEVICE_LOST: 'the open device stopped delivering audio',
  AUDIO_FILE_MISSING: 'the file back end needs an input file',
  AUDIO_FILE_UNREADABLE: 'a sound file could not be opened, read or written',
  AUDIO_FILE_FORMAT: 'a sound file is not WAV, or of a kind that is not supported',
  AUDIO_FILE_RATE: 'a sound file has another sample rate than the settings ask for',
  PROGRAM_RATE: 'a program was compiled for another sample rate than the device runs at',
  PROGRAM_BLOCK: 'a program was compiled for shorter blocks than the device delivers',
  PROGRAM_CHANNELS: 'a program needs more channels than the open device has',
  PROGRAM_WASM: 'the generated code did not compile or start',
  PROGRAM_CRASHED: 'the engine process ended while it loaded a program',
  ENGINE_STOPPED: 'the engine is not running',
  CALIBRATION_MUTED: 'the probe cannot be heard while the output is muted',
  CALIBRATION_UNHEARD: 'the probe did not come back on any input',
  CALIBRATION_BUSY: 'a calibration or a test is under way',
  TEST_OUTPUT: 'a test asks for an output that the open device does not have',
} as const satisfies Record<string, string>;

export type AudioCode = keyof typeof AUDIO_CODES;

export function problem(code: AudioCode, path: string, message: string, hint?: string): Diagnostic {
  return hint === undefined ? { code, path, message } : { code, path, message, hint };
}

/** A failed Result with one problem. */
export function failure(
  code: AudioCode,
  path: string,
  message: string,
  hint?: string,
): { readonly ok: false; readonly diagnostics: readonly Diagnostic[] } {
  return { ok: false, diagnostics: [problem(code, path, message, hint)] };
}

export function success<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** What an unknown thrown value says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
