/**
 * What an offline run listens to: the built-in rig, or sound files, as one stream of channels.
 *
 * Invariant: a stream gives the same samples however it is cut into blocks, and for ever: files start
 * over at the end of the shorter one. It never resamples.
 */

import { compile } from '../../dsp/compile.ts';
import { printDiagnostics } from '../../dsp/diagnostic.ts';
import { RIG } from '../../dsp/examples/index.ts';
import { channelsOf } from '../../dsp/faust/patch.ts';
import { PROGRAM_SIGNAL } from '../../dsp/patch/faust.ts';
import { termsOf } from '../../dsp/patch/objective.ts';
import type { Patch, PatchNode } from '../../dsp/patch/schema.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { readWav } from '../../server/audio/wav.ts';
import type { Sound } from '../../server/audio/wav.ts';
import { finding } from './answer.ts';
import { bad } from './patch-source.ts';
import type { Read } from './patch-source.ts';

export interface SoundStream {
  readonly channels: number;
  /** The stream's own length; null where it has no end. */
  readonly frames: number | null;
  /** Fills the first `count` frames of each channel. */
  read(into: readonly Float32Array[], count: number): void;
}

const RIG_BLOCK = 1024;

/** The test signal on channel 1 and the same through the hidden box on channel 2. */
export function rigStream(sampleRate: number, seed: number): SoundStream {
  const nodes = Object.fromEntries(
    Object.entries(RIG.nodes).map(([id, node]): [string, PatchNode] => [
      id,
      node.op === 'noise' ? { ...node, seed } : node,
    ]),
  );
  const rig: Patch = { ...RIG, nodes };
  const artifact = compile(rig, { sampleRate, maxBlock: RIG_BLOCK, latency: 0 });
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  const instance = new Instance(
    artifact.value,
    new WebAssembly.Module(artifact.value.wasm.slice()),
  );
  return {
    channels: artifact.value.outputs,
    frames: null,
    read(into, count) {
      for (let done = 0; done < count;) {
        const frames = Math.min(RIG_BLOCK, count - done);
        instance.process(frames);
        into.forEach((channel, c) => {
          const from = instance.outputs[c];
          if (from !== undefined) channel.set(from.subarray(0, frames), done);
        });
        done += frames;
      }
    },
  };
}

/** Channels side by side, repeated from the start for ever; all are equally long. */
export function loopStream(channels: readonly Float32Array[]): SoundStream {
  const length = Math.min(...channels.map((c) => c.length));
  let position = 0;
  return {
    channels: channels.length,
    frames: length,
    read(into, count) {
      for (let done = 0; done < count;) {
        const frames = Math.min(length - position, count - done);
        into.forEach((channel, c) => {
          const from = channels[c];
          if (from !== undefined) channel.set(from.subarray(position, position + frames), done);
        });
        position = (position + frames) % length;
        done += frames;
      }
    },
  };
}

/** A sound file with at least one frame. */
export function readSound(path: string): Read<Sound> {
  const sound = readWav(path);
  if (!sound.ok) return bad(...sound.diagnostics);
  if ((sound.value.channels[0]?.length ?? 0) === 0) {
    return bad(finding('CLI_SOUND_EMPTY', path, `${path}: expected sound, got a file of 0 frames`));
  }
  return sound;
}

/** What the estimates of a training are compared with. */
const targetsOf = ({ training }: Patch): readonly string[] => [
  ...new Set((training === undefined ? [] : termsOf(training)).flatMap((t) => t.target ?? [])),
];

/** The device input, counted from 1, that is the one target; null where it is something else. */
export function targetChannel(patch: Patch): number | null {
  const targets = targetsOf(patch);
  const name = targets.length === 1 ? targets[0]! : '';
  if (patch.faust !== undefined) {
    const [, kind, number] = PROGRAM_SIGNAL.exec(name) ?? [];
    return kind === 'in' ? Number(number) : null;
  }
  const target = Object.hasOwn(patch.nodes, name) ? patch.nodes[name] : undefined;
  return target?.op === 'input' ? target.channel : null;
}

/** The inputs, counted from 1, that a patch listens to. */
export function inputsOf(patch: Patch): readonly number[] {
  const program = patch.faust?.program;
  if (program !== undefined) return channelsOf(patch, program);
  const channels = Object.values(patch.nodes).flatMap((n) => (n.op === 'input' ? [n.channel] : []));
  return [...new Set(channels)].sort((a, b) => a - b);
}

/**
 * The stream of a run that was given files.
 *
 * @param input   its channels are inputs 1, 2, …
 * @param target  its first channel is the input that the training target is
 */
export function fileStream(patch: Patch, input: Sound, target: Sound | null): Read<SoundStream> {
  const channels: Float32Array[] = [...input.channels];
  if (target !== null) {
    const channel = targetChannel(patch);
    const [only] = target.channels;
    if (channel === null || only === undefined) {
      const [name = 'nothing', ...others] = targetsOf(patch);
      const op = patch.nodes[name]?.op ?? 'control';
      const isOutput = patch.faust !== undefined && PROGRAM_SIGNAL.test(name);
      const computed = isOutput ? 'an output of the program' : `computed by "${op}"`;
      const made = op === 'control' && !isOutput ? 'a control' : computed;
      const got = others.length > 0 ? [name, ...others].join(', ') : `"${name}", which is ${made}`;
      const path = patch.training?.terms === undefined ? 'training.target' : 'training.terms';
      return bad(
        finding(
          'CLI_TARGET_NOT_INPUT',
          path,
          `--target replaces an input: expected the target of "${patch.name}" to be one input, got ${got}`,
          patch.faust === undefined
            ? 'leave out --target, or use a patch whose target is a node with "op": "input"'
            : 'leave out --target, or give the program one output, or declare livegrad "[target:in 2]"',
        ),
      );
    }
    channels[channel - 1] = only;
  }
  const missing = inputsOf(patch).filter((channel) => channels[channel - 1] === undefined);
  if (missing.length > 0) {
    const have = `${input.channels.length} channel${input.channels.length === 1 ? '' : 's'}`;
    const wanted = missing.includes(targetChannel(patch) ?? 0);
    return bad(
      finding(
        'CLI_SOUND_CHANNELS',
        'input',
        `"${patch.name}" listens to input ${missing.join(', ')}: the sound has ${have}` +
          (target === null ? '' : ' and a target'),
        wanted && target === null ? 'give the target with --target B.wav' : undefined,
      ),
    );
  }
  // A hole below the target's channel that the patch never listens to is silence.
  const length = Math.min(...channels.filter((c) => c !== undefined).map((c) => c.length));
  const all = Array.from(channels, (c) => (c ?? new Float32Array(length)).subarray(0, length));
  return { ok: true, value: loopStream(all) };
}
