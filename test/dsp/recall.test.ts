/** What a learner remembers: read out between two blocks, kept by names, and given back. */

import { expect, test } from 'vitest';
import type { Artifact } from '../../dsp/artifact.ts';
import { compile } from '../../dsp/compile.ts';
import { EXAMPLES } from '../../dsp/examples/index.ts';
import { planAdoption } from '../../dsp/run/adopt.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { named, numbersFor, recalledFrom, recallLength } from '../../dsp/run/recall.ts';

const FRAMES = 64;

function artifactOf(name: string): Artifact {
  const compiled = compile(EXAMPLES[name]!, { sampleRate: 48000, maxBlock: FRAMES, latency: 0 });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  return compiled.value;
}

function learner(artifact: Artifact, learning = true): Instance {
  const instance = new Instance(artifact, new WebAssembly.Module(artifact.wasm));
  instance.setSchedule({ kind: 'cosine', rate: 0.05, final: 0.001, steps: 300 });
  instance.learning = learning;
  return instance;
}

/** Plays noise that depends on the time alone. */
function play(instance: Instance, from: number, blocks: number): void {
  for (let b = from; b < from + blocks; b++) {
    for (const input of instance.inputs) {
      for (let i = 0; i < FRAMES; i++) {
        input[i] = Math.sin(12.9898 * (b * FRAMES + i + 1)) * 0.4;
      }
    }
    instance.process(FRAMES);
  }
}

function recall(instance: Instance): ReturnType<typeof recalledFrom> {
  const numbers = new Float64Array(recallLength(instance.artifact));
  instance.recall(numbers);
  return recalledFrom(numbers, instance.params.length);
}

test.each(['lowpass', 'room-equaliser', 'resonators', 'gain'])(
  '%s: what was read out, kept as JSON and given back learns on as the original does',
  (name) => {
    const artifact = artifactOf(name);
    const instance = learner(artifact);
    const blocks = Math.ceil((3 * artifact.window) / FRAMES);
    play(instance, 0, blocks);
    const moment = recall(instance);
    expect(moment.step).toBe(instance.step);
    const kept = JSON.parse(JSON.stringify(named(artifact, moment.optimiser))) as ReturnType<
      typeof named
    >;
    // The signals go along as they do in a swap; what is learned is given back.
    const plan = planAdoption(artifact, artifact, 'signals')!;
    const twin = learner(artifact);
    twin.sliders.set(instance.sliders);
    twin.paceMemory.set(moment.paceMemory);
    twin.resume(moment.params, moment.step);
    const numbers = numbersFor(artifact, kept);
    if (numbers !== null) twin.remember(numbers);
    twin.adopt(instance, plan);
    expect(recall(twin)).toEqual(moment);
    const forgetful = learner(artifact);
    forgetful.adopt(instance, plan);
    expect(forgetful.step).toBe(0);
    expect([...forgetful.params]).toEqual(artifact.params.map(({ initial }) => initial));
  },
);

test('lowpass: with the moments of Adam the next steps are those of the original, without they are not', () => {
  const artifact = artifactOf('lowpass');
  const instance = learner(artifact);
  // To the end of a window, so that none is divided between the two.
  const blocks = (20 * artifact.window) / FRAMES;
  expect(blocks).toBe(Math.floor(blocks));
  play(instance, 0, blocks);
  const { params, step, optimiser, paceMemory } = recall(instance);
  const all = planAdoption(artifact, artifact)!;
  const original = learner(artifact);
  original.adopt(instance, all);
  const [twin, forgetful] = [true, false].map((isRemembered) => {
    const made = learner(artifact);
    made.paceMemory.set(paceMemory);
    made.resume(params, step);
    if (isRemembered) made.remember(optimiser);
    made.adopt(instance, planAdoption(artifact, artifact, 'signals')!);
    return made;
  });
  for (const one of [original, twin!, forgetful!]) {
    one.sliders.set(instance.sliders);
    play(one, blocks, blocks);
  }
  expect(original.step).toBeGreaterThan(step);
  expect([...twin!.params]).toEqual([...original.params]);
  expect(twin!.step).toBe(original.step);
  expect([...forgetful!.params]).not.toEqual([...original.params]);
});

test('what is not there, is of another length or not finite is left as it is', () => {
  const artifact = artifactOf('lowpass');
  const { params } = artifact;
  const mean = Object.fromEntries(params.map(({ id }, k) => [id, 0.5 + k]));
  const numbers = numbersFor(artifact, { 'adam.mean#0': mean, 'adam.square#0': [1, 2, 3] })!;
  const known = [...numbers].filter((number) => !Number.isNaN(number));
  expect(known).toEqual(Object.values(mean));
  expect(numbersFor(artifact, { 'lion.mean#0': mean })).toBeNull();
  const instance = learner(artifact);
  instance.remember(numbers);
  expect(named(artifact, recall(instance).optimiser)['adam.mean#0']).toEqual(mean);
  expect(named(artifact, numbers)['adam.square#0']).toBeUndefined();
});
