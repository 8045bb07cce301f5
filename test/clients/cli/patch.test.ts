/** `examples`, `check`, `compile`, `gradcheck`, and misspelt command lines. */

import { describe, expect, it } from 'vitest';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { bankOf } from '../../../dsp/patch/params.ts';
import { livegrad, livegradJson, scratch, textFile } from './run.ts';
import type { ErrorDocument } from './run.ts';
import type { CompileReport } from '../../../dsp/artifact.ts';

const FAULTY = `{
  "format": "livegrad.patch/1",
  "name": "faulty",
  "params": {
    "gain": { "initial": 3, "min": 0, "max": 2 }
  },
  "nodes": {
    "x": { "op": "input", "channel": 1 },
    "band-1/y": {
      "op": "mul",
      "in": ["x",
             "gian"]
    }
  },
  "outputs": ["band-1/y"]
}
`;

it('tells its version', async () => {
  const { exit, stdout } = await livegrad(['--version']);
  expect([exit, stdout.trim()]).toEqual([0, '0.1.0']);
});

describe('examples', () => {
  it('are listed with what they expect', async () => {
    const { exit, document } = await livegradJson<{
      examples: { name: string; expect: unknown }[];
    }>('examples');
    expect(exit).toBe(0);
    expect(document.examples.map(({ name, expect }) => ({ name, expect }))).toEqual(
      Object.values(EXAMPLES).map(({ name, expect }) => ({ name, expect })),
    );
    const { stdout } = await livegrad(['examples']);
    expect(stdout).toMatch(/^one-pole +Learn .* feedback = hidden\/feedback in 3 s$/m);
  });
});

describe('check', () => {
  it('finds a name that stands twice, at its second place', async () => {
    const text =
      '{"format":"livegrad.patch/1","name":"q","nodes":{\n"x":{"op":"noise"},\n"x":{"op":"noise"}}}';
    const { exit, document } = await livegradJson<ErrorDocument>('check', textFile('q.json', text));
    expect(exit).toBe(1);
    expect(document.error.diagnostics[0]).toMatchObject({
      message: '"x" stands twice in the same object',
      line: 3,
      column: 1,
    });
  });

  it('says what a right patch is', async () => {
    const { exit, document } = await livegradJson('check', 'gain-dc');
    expect(exit).toBe(0);
    expect(document).toMatchObject({
      patch: 'gain-dc',
      ok: true,
      diagnostics: [],
      params: ['gain', 'dc'],
      window: 256,
    });
    const { stdout } = await livegrad(['check', 'gain-dc']);
    expect(stdout).toMatch(/^✔ gain-dc: 1 in, 1 out, 2 sliders, 2 learnable/);
  });

  it('prints every problem of a file with its line', async () => {
    const file = textFile('faulty.json', FAULTY);
    const { exit, stdout, stderr } = await livegrad(['check', file]);
    expect(exit).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain(`error ${file}:5:15: PATCH_CONTROL_RANGE  params.gain.initial: `);
    expect(stderr).toContain(
      `error ${file}:12:14: PATCH_UNKNOWN_REFERENCE  nodes["band-1/y"].in[1]: `,
    );
  });

  it('gives the same as JSON', async () => {
    const { exit, document } = await livegradJson<ErrorDocument>(
      'check',
      textFile('f.json', FAULTY),
    );
    expect(exit).toBe(1);
    expect(document.error.diagnostics).toMatchObject([
      { code: 'PATCH_CONTROL_RANGE', path: 'params.gain.initial', line: 5, column: 15 },
      { code: 'PATCH_UNKNOWN_REFERENCE', path: 'nodes["band-1/y"].in[1]', line: 12, column: 14 },
    ]);
  });

  it('shows people the first fifty of many problems, and JSON all of them', async () => {
    const outputs = Array.from({ length: 60 }, (_, k) => `missing-${k}`);
    const text = JSON.stringify({ format: 'livegrad.patch/1', name: 'many', nodes: {}, outputs });
    const file = textFile('many.json', text);
    const { stderr } = await livegrad(['check', file]);
    expect(stderr.match(/PATCH_UNKNOWN_REFERENCE/g)).toHaveLength(50);
    expect(stderr).toMatch(/\.\.\. and 10 more\n$/);
    const { document } = await livegradJson<ErrorDocument>('check', file);
    expect(document.error.diagnostics).toHaveLength(60);
    expect(document.error.message).toBe('60 problems');
  });

  it('finds what depends on the sample rate', async () => {
    const text = JSON.stringify({
      format: 'livegrad.patch/1',
      name: 'high',
      nodes: { x: { op: 'sine', in: [10_000] } },
      outputs: ['x'],
    });
    const file = textFile('high.json', text);
    expect((await livegrad(['check', file])).exit).toBe(0);
    const { exit, document } = await livegradJson<ErrorDocument>(
      'check',
      file,
      '--sample-rate',
      '16000',
    );
    expect(exit).toBe(1);
    expect(document.error).toMatchObject({ code: 'PATCH_SIGNAL_RANGE' });
    expect(document.error.diagnostics[0]!.line).toBe(1);
  });

  it.each([
    ['{"format": "livegrad.patch/1",\n  "name": tru}', 2, 14],
    ['{"a": 1,\n}', 2, 1],
    ['{"a":', 1, 6],
    ['', 1, 1],
  ])('says where %j stops being JSON', async (text, line, column) => {
    const { exit, document } = await livegradJson<ErrorDocument>('check', textFile('x.json', text));
    expect(exit).toBe(1);
    expect(document.error.code).toBe('CLI_PATCH_SYNTAX');
    expect(document.error.diagnostics[0]).toMatchObject({ line, column });
  });

  it('takes neither a name that is no example, nor a directory', async () => {
    const name = await livegradJson<ErrorDocument>('check', 'one-poel');
    expect(name.exit).toBe(1);
    expect(name.document.error.code).toBe('CLI_PATCH_UNKNOWN');
    expect(name.document.error.diagnostics[0]!.hint).toBe('did you mean "one-pole"?');
    const directory = await livegradJson<ErrorDocument>('check', scratch());
    expect(directory.exit).toBe(1);
    expect(directory.document.error.code).toBe('CLI_PATCH_UNREADABLE');
  });
});

describe('compile', () => {
  it('reports sizes and a hash that is the same every time and the one of train', async () => {
    const [compiled, again, trained] = await Promise.all([
      livegradJson('compile', 'one-pole'),
      livegradJson('compile', 'one-pole'),
      livegradJson('train', 'one-pole', '--seconds', '0.1'),
    ]);
    expect(compiled.exit).toBe(0);
    expect(again.document).toEqual(compiled.document);
    expect(compiled.document).toMatchObject({
      patch: 'one-pole',
      sampleRate: 48_000,
      maxBlock: 128,
      window: 256,
      artifactSha256: trained.document['artifactSha256'],
    });
    expect(compiled.document['wasmBytes']).toBeGreaterThan(8);
    expect(compiled.document['report']).toHaveProperty('nodes');
  });

  it('prints the graph of the patch, its gradient, and the module', async () => {
    const [ir, gradient, wat] = await Promise.all(
      ['ir', 'gradient', 'wat'].map((stage) => livegrad(['compile', 'gain', '--print', stage])),
    );
    expect(ir!.stdout).toMatch(/^stream \{\n/);
    expect(ir!.stdout).not.toContain('tape');
    expect(gradient!.stdout).toMatch(/^# stream: .*\nstream \{$/m);
    expect(gradient!.stdout).toMatch(/^# backward: .*\nbackward \{$[^}]*gradient:0:/m);
    expect(gradient!.stdout).not.toContain('# loss');
    expect(gradient!.stdout).toMatch(/^ {2}param:0:/m);
    expect(wat!.stdout).toMatch(/^\(module\n/);
    const json = await livegradJson<{ print: unknown }>('compile', 'gain', '--print', 'ir');
    expect(json.document.print).toEqual({ stage: 'ir', text: ir!.stdout });
  });

  it('takes a mode and a precision, and knows no other stages', async () => {
    const reverse = await livegradJson('compile', 'one-pole', '--mode', 'reverse');
    expect(reverse.document).toMatchObject({ mode: 'reverse', precision: 'single' });
    const double = await livegradJson('compile', 'one-pole', '--precision', 'double');
    expect(double.document['precision']).toBe('double');
    const { stdout } = await livegrad(['compile', 'one-pole', '--precision', 'double']);
    expect(stdout).toMatch(/^precision +double$/m);
    expect(stdout).toContain('two at a time');
    const wrong = await livegradJson<ErrorDocument>('compile', 'gain', '--print', 'asm');
    expect(wrong.exit).toBe(2);
    expect(wrong.document.error.message).toContain(
      'Allowed choices are faust, ir, passes, gradient, schedule, wat, stats',
    );
  });

  it('prints the loss where it is a graph of its own', async () => {
    const patch = EXAMPLES['one-pole']!;
    const training = { ...patch.training!, mode: 'reverse' as const, carry: 512 };
    const file = textFile('carry.json', JSON.stringify({ ...patch, training }));
    const { stdout } = await livegrad(['compile', file, '--print', 'gradient']);
    const headings = stdout.split('\n').filter((line) => line.startsWith('#'));
    expect(headings).toEqual([
      '# stream: every sample; tapes are for the gradient',
      '# loss: loss and its cotangents, over a window of 256 samples',
      '# backward: gradients, back over a window of 256 samples and the 512 before it',
      '# update: the optimiser, once a window',
    ]);
  });

  it('prints what each pass changes, and where it changes nothing', async () => {
    const { stdout } = await livegrad(['compile', 'gain', '--print', 'passes']);
    const headings = stdout.split('\n').filter((line) => line.startsWith('## backward'));
    expect(headings).toEqual([
      '## backward, before the passes: 16 nodes',
      '## backward, unmark: nothing changes',
      '## backward, prune: 14 nodes of 16',
      '## backward, fold: 12 nodes of 14',
      '## backward, lengthen, late, prune again: nothing changes',
    ]);
    expect(stdout).toContain(
      '## stream, unmark, prune, fold, lengthen, late, prune again: nothing changes\n',
    );
    const [, after = ''] = stdout.split('fold: 12 nodes of 14\n');
    const gradient = await livegrad(['compile', 'gain', '--print', 'gradient']);
    expect(gradient.stdout).toContain(after.slice(0, after.indexOf('}')));
  });

  it('prints sizes and times; JSON has the sizes alone, and the same every time', async () => {
    const command = ['compile', 'one-pole', '--print', 'stats'] as const;
    const [text, json, again] = await Promise.all([
      livegrad(command),
      livegradJson<{ report: CompileReport; print: { text: string } }>(...command),
      livegradJson(...command),
    ]);
    expect(again.document).toEqual(json.document);
    const { report, print } = json.document;
    expect(text.stdout.startsWith(`${print.text}\ntime, this once`)).toBe(true);
    expect(print.text).not.toContain(' ms');
    expect(report.graphs.stream!.nodes).toEqual({ const: 0, block: 2, frame: 0, sample: 10 });
    expect(report.graphs.stream!.work.serial.instructions).toBeGreaterThan(10);
    expect(report.graphs.stream!.work.vector.instructions).toBe(0);
    for (const phase of ['lower', 'differentiate', 'passes', 'generate', 'encode']) {
      expect(text.stdout).toMatch(new RegExp(`^ {2}${phase} +\\d+\\.\\d$`, 'm'));
    }
  });

  it.each(['passes', 'gradient', 'schedule', 'stats'])(
    'prints %s for a terminal of 80 columns',
    async (stage) => {
      const { stdout } = await livegrad(['compile', 'one-pole', '--print', stage]);
      expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    },
  );
});

describe('gradcheck', () => {
  it.each(['gain', 'gain-dc', 'one-pole', 'loopback', 'dense', 'equaliser'])(
    '%s is right in both modes',
    async (name) => {
      const { exit, document } = await livegradJson<{
        patch: string;
        modes: { mode: string; maxRelativeError: number }[];
        params: Record<string, { analytic: number; numeric: number; relativeError: number }>;
      }>('gradcheck', name);
      expect(exit).toBe(0);
      expect(document.patch).toBe(name);
      expect(document.modes.map((m) => m.mode)).toEqual(['forward', 'reverse']);
      for (const m of document.modes) expect(m.maxRelativeError).toBeLessThan(1e-4);
      const bank = bankOf(EXAMPLES[name]!.params).map(({ id }) => id);
      // Of a large bank not every number is compared.
      const stride = Math.ceil(bank.length / 64);
      expect(Object.keys(document.params)).toEqual(bank.filter((_, k) => k % stride === 0));
    },
  );

  it('shows both modes with a mark to people', async () => {
    const { stdout } = await livegrad(['gradcheck', 'gain']);
    expect(stdout).toMatch(/^✔ +gain /m);
    expect(stdout).toMatch(/^✔ forward mode: /m);
    expect(stdout).toMatch(/^✔ reverse mode: /m);
  });
});

describe('a wrong command line', () => {
  it.each([
    [['trian', 'gain'], 'did you mean train?'],
    [['train'], undefined],
    [['train', 'gain', '--secnds', '1'], 'did you mean --seconds?'],
    [['check', 'gain', 'gain-dc'], undefined],
    [[], undefined],
  ])('%j ends with exit code 2 and one JSON document', async (args, hint) => {
    const { exit, document } = await livegradJson<ErrorDocument>(...args);
    expect(exit).toBe(2);
    expect(document.error.code).toBe('CLI_USAGE');
    if (hint !== undefined) expect(document.error.diagnostics[0]!.hint).toBe(hint);
  });

  it('is explained on stderr, with nothing on stdout', async () => {
    const { exit, stdout, stderr } = await livegrad(['trian']);
    expect(exit).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain('error CLI_USAGE  no command "trian"');
    const bare = await livegrad([]);
    expect(bare.exit).toBe(2);
    expect(bare.stderr).toContain('Usage: livegrad');
  });

  it('is not what --help is', async () => {
    const { exit, stdout, stderr } = await livegrad(['train', '--help']);
    expect(exit).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toContain('--block-size <frames>');
    expect(stdout).toContain('--json');
  });
});
