/**
 * Plays a normal form by the interpreter, as a test writes it: lines of text, inputs as functions of
 * the sample.
 */
import { readForm, widgetsOf, keyOfWidget } from '../../dsp/faust/form.ts';
import { makeGraph } from '../../dsp/faust/graph.ts';
import type { Surroundings } from '../../dsp/faust/graph.ts';
import type { Diagnostic } from '../../dsp/diagnostic.ts';
import { Interpreter } from '../../dsp/interpret/interpret.ts';
import { Builder } from '../../dsp/ir/builder.ts';
import type { Graph } from '../../dsp/ir/graph.ts';
import { outName } from '../../dsp/ir/program.ts';

export interface FormOptions extends Partial<Surroundings> {
  /** By the label of the widget. */
  readonly values?: Readonly<Record<string, number>>;
  readonly inputs?: readonly ((n: number) => number)[];
}

export interface PlayedForm {
  readonly graph: Graph;
  readonly problems: readonly Diagnostic[];
  /** [output][sample] */
  readonly outputs: readonly (readonly number[])[];
  /** By label: the values of bargraphs. */
  readonly meters: Readonly<Record<string, readonly number[]>>;
}

export function playForm(text: string, frames: number, options: FormOptions = {}): PlayedForm {
  const { values = {}, inputs = [], ...rest } = options;
  const read = readForm(text);
  if (!read.ok) throw new Error(read.diagnostics[0]!.message);
  const form = read.value;
  const widgets = widgetsOf(form);
  const labels = new Map(widgets.map((widget) => [keyOfWidget(widget), widget.path]));
  const places = [...labels.keys()];
  const problems: Diagnostic[] = [];
  const b = new Builder('stream');
  const made = makeGraph(
    b,
    form,
    {
      sampleRate: 48_000,
      double: true,
      waveforms: [],
      control: (builder, key) => builder.node('slider', [], [places.indexOf(key)]),
      sounds: () => [],
      ...rest,
    },
    problems,
  );
  const shown = [...made.meters].map(([key, node]) => ({ name: labels.get(key)!, node }));
  const graph = b.finish([
    ...made.outputs.map((node, k) => ({ name: outName(k), node })),
    ...shown,
  ]);
  const played = new Interpreter(graph, rest.double === false ? Math.fround : undefined).run(
    {
      input: (channel, n) => inputs[channel]?.(n) ?? 0,
      slider: (index) => values[labels.get(places[index]!)!] ?? widgets[index]!.initial,
      param: () => 0,
      scalar: () => 0,
      tape: () => 0,
    },
    frames,
  );
  const heard = (name: string): number[] => {
    const signal = [...played.get(name)!];
    return signal.length === frames ? signal : new Array<number>(frames).fill(signal[0]!);
  };
  return {
    graph,
    problems,
    outputs: made.outputs.map((_node, k) => heard(outName(k))),
    meters: Object.fromEntries(shown.map(({ name }) => [name, heard(name)])),
  };
}
