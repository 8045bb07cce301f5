/**
 * The audio thread: opens the device, owns the running program, and lets the device call the
 * host once per block until it is told to stop.
 *
 * Invariant: between the first block and the last nothing here allocates, except when a program
 * or a probe arrives; the mailbox is read synchronously, so a device that never returns to the
 * event loop is served as well.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';

import { rateIn } from '../../config/schema.ts';
import type { Result } from '../../dsp/diagnostic.ts';
import { Instance } from '../../dsp/run/instance.ts';
import type { Device } from '../audio/device.ts';
import { systemClock } from '../audio/device.ts';
import { openFile } from '../audio/file.ts';
import { openPortaudio } from '../audio/portaudio.ts';
import { failure, messageOf, success } from '../audio/problem.ts';
import { openVirtual } from '../audio/virtual.ts';
import { ChannelMap } from './channels.ts';
import { ControlReader, Switches } from './controls.ts';
import { Host } from './host.ts';
import { requestRealtime } from './priority.ts';
import { recordLayout } from './record.ts';
import { Ring } from './ring.ts';
import { SPARE, Tap, capacityWithin, tracksOf } from './tap.ts';
import type { Mail, ThreadData, ThreadReport } from './thread.ts';

/** Rows measured in a quarter of a second: longer than the main thread may be away. */
const SLOTS = 16;

/** Of the tap: 30 s of six tracks at 96 kHz are 84 MB of them. */
const TAP_BYTES = 128 * 2 ** 20;

const {
  audio,
  switches: switchBuffer,
  channels,
  mailbox,
  rig,
  lookback,
} = workerData as ThreadData;

function report(message: ThreadReport): void {
  parentPort!.postMessage(message);
}

function openDevice(): Result<Device> {
  const { sampleRate, blockSize, inputChannels, outputChannels } = audio;
  const clock = audio.clock === 'free' ? null : systemClock;
  switch (audio.backend) {
    case 'portaudio':
      return openPortaudio({ ...audio, now: systemClock.now });
    case 'virtual':
      return success(
        openVirtual({
          sampleRate: rateIn(audio),
          blockSize,
          inputs: inputChannels,
          outputs: outputChannels,
          world: rig === null ? null : new Instance(rig.artifact, rig.module),
          clock,
        }),
      );
    case 'file':
      if (audio.inputFile === undefined) {
        return failure(
          'AUDIO_FILE_MISSING',
          'audio.inputFile',
          'expected a WAV file to play with audio.backend "file", got none',
        );
      }
      return openFile({
        inputFile: audio.inputFile,
        outputFile: audio.outputFile,
        sampleRate,
        blockSize,
        inputs: inputChannels,
        outputs: outputChannels,
        loop: audio.loop,
        clock,
        ready: () => host?.settled ?? false,
      });
  }
}

/** There once the device is open. */
let host: Host | null = null;

async function main(): Promise<void> {
  const opened = openDevice();
  if (!opened.ok) {
    report({ kind: 'failed', diagnostics: opened.diagnostics });
    return;
  }
  const device = opened.value;
  const { info } = device;
  const layout = recordLayout(0, info.inputs, info.outputs);
  const ring = Ring.create(layout.length, SLOTS);
  const { count } = tracksOf(info);
  const wanted = (lookback + SPARE) * info.sampleRate + 4 * info.blockSize;
  const tap = Tap.create(info, capacityWithin(TAP_BYTES, count, wanted));
  const playing = new Host({
    sampleRate: info.sampleRate,
    inputs: device.inputs,
    outputs: device.outputs,
    switches: new Switches(switchBuffer),
    tap,
    channels: new ChannelMap(channels),
    idle: {
      generation: 0,
      instance: null,
      controls: null,
      ring,
      layout,
      memory: 0,
      inherits: null,
      recall: null,
    },
    now: systemClock.now,
    lateBlocks: () => device.lateBlocks,
    onMail,
  });

  host = playing;

  function onMail(): void {
    for (;;) {
      const received = receiveMessageOnPort(mailbox);
      if (received === undefined) return;
      const mail = received.message as Mail;
      if (mail.kind === 'probe') playing.calibrate(mail.probe);
      else takeProgram(mail);
    }
  }

  function takeProgram(mail: Extract<Mail, { kind: 'program' }>): void {
    const { artifact, module } = mail.ready;
    const { sliders, params, meters } = artifact;
    try {
      const instance = new Instance(artifact, module);
      instance.sliders.set(mail.start.sliders);
      instance.frozen.set(mail.start.frozen.map(Number));
      instance.rates.set(mail.start.rates);
      instance.setSchedule(mail.start.schedule);
      if (mail.start.paceMemory !== undefined) instance.paceMemory.set(mail.start.paceMemory);
      instance.learning = mail.start.learning;
      instance.resume(mail.start.params, mail.start.step);
      if (mail.start.optimiser !== undefined) instance.remember(mail.start.optimiser);
      const rows = recordLayout(params.length, info.inputs, info.outputs, meters.length);
      playing.swap({
        generation: mail.generation,
        instance,
        controls: new ControlReader(mail.controls, sliders.length, params.length),
        ring: new Ring(mail.ring, rows.length),
        layout: rows,
        inherits: mail.inherits,
        recall: mail.recall,
        memory: artifact.throughDevice ? artifact.latency + artifact.window : 0,
      });
    } catch (error) {
      report({ kind: 'refused', generation: mail.generation, message: messageOf(error) });
    }
  }

  const realtime =
    audio.realtimePriority && info.backend === 'portaudio' ? await requestRealtime() : null;
  report({ kind: 'opened', device: info, realtime, ring: ring.buffer, tap: tap.buffer });
  const end = await device.run(playing.block);
  await device.close();
  report({ kind: 'closed', end });
}

await main();
