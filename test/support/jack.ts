/**
 * A real, clocked sound device without hardware: JACK's dummy driver with a loopback client, in
 * a server of its own, which PortAudio opens as the full-duplex device "loopback". And JACK
 * programs wired in between what goes out and what comes back.
 *
 * Invariants: nothing of the user's JACK or ALSA set-up is read or touched (own server name, own
 * ALSA configuration in a temporary folder); `stop` ends every process started here, removes the
 * folder and puts the environment back. Needs Debian's jackd2, libportaudio2 and ecasound.
 */
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

function libraries(): string {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return `/usr/lib/${machine}-linux-gnu`;
}

export interface JackOptions {
  readonly period?: number;
  readonly sampleRate?: number;
  /** Channels of the loopback; boxes are behind the first two. */
  readonly channels?: number;
}

export class Jack {
  /** What a program needs in its environment to see this server through PortAudio. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether the server runs with real-time priority. */
  readonly realtime: boolean;
  readonly #folder: string;
  readonly #log: string;
  readonly #options: Required<JackOptions>;
  readonly #before: NodeJS.ProcessEnv;
  readonly #programs = new Set<ChildProcess>();
  #server: ChildProcess | null = null;
  #boxes = 0;

  private constructor(options: JackOptions) {
    this.#options = { period: 256, sampleRate: 48000, channels: 2, ...options };
    this.#folder = mkdtempSync(join(tmpdir(), 'jack-'));
    this.#log = join(this.#folder, 'jack.log');
    const alsa = join(this.#folder, 'alsa.conf');
    // One PCM at least: Debian's PortAudio asserts on an empty list.
    writeFileSync(alsa, 'pcm.default { type null }\nctl.default { type null }\n');
    this.realtime = spawnSync('chrt', ['-f', '1', 'true']).status === 0;
    this.env = {
      JACK_NO_AUDIO_RESERVATION: '1',
      JACK_NO_START_SERVER: '1',
      JACK_DEFAULT_SERVER: `test-${process.pid}`,
      ALSA_CONFIG_PATH: alsa,
      LD_LIBRARY_PATH: [libraries(), process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':'),
    };
    this.#before = { ...process.env };
  }

  /** Starts a server and makes it the one that every process started from here on sees. */
  static async start(options: JackOptions = {}): Promise<Jack> {
    const jack = new Jack(options);
    Object.assign(process.env, jack.env);
    try {
      await jack.startServer();
    } catch (error) {
      await jack.stop();
      throw error;
    }
    return jack;
  }

  async startServer(): Promise<void> {
    const { period, sampleRate, channels } = this.#options;
    const name = this.env['JACK_DEFAULT_SERVER']!;
    const mode = this.realtime ? ['-R', '-P', '70'] : ['-r'];
    const device = ['-d', 'dummy', '-r', `${sampleRate}`, '-p', `${period}`, '-C', '2', '-P', '2'];
    this.#server = this.#run(
      'jackd',
      [...mode, '-n', name, '-L', `${channels}`, ...device],
      this.#log,
    );
    await until('JACK to offer its loopback', () =>
      this.ports().includes('loopback:capture_1'),
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${readFileSync(this.#log, 'utf8')}`);
    });
  }

  /** As if somebody pulled the cable: the server is gone without a word. */
  async killServer(): Promise<void> {
    await end(this.#server, 'SIGKILL');
    this.#server = null;
  }

  /** The server stands still, as a driver that hangs does. */
  freezeServer(): void {
    this.#server?.kill('SIGSTOP');
  }

  thawServer(): void {
    this.#server?.kill('SIGCONT');
  }

  /** How often the server has printed that a client, or itself, was late for a cycle. */
  xruns(): number {
    return readFileSync(this.#log, 'utf8').match(/XRun/g)?.length ?? 0;
  }

  ports(): string[] {
    const listed = spawnSync('jack_lsp', [], { encoding: 'utf8' });
    return listed.status === 0 ? listed.stdout.split('\n').filter((line) => line !== '') : [];
  }

  connect(from: string, to: string): void {
    execFileSync('jack_connect', [from, to], { stdio: 'pipe' });
  }

  disconnect(from: string, to: string): void {
    execFileSync('jack_disconnect', [from, to], { stdio: 'pipe' });
  }

  /**
   * Puts an attenuator (ecasound) behind the loopback and wires it there: what is played into
   * "loopback" can be recorded, multiplied by `gain`, from the device of the name returned. That
   * wire does not belong to the engine, so it outlives engines.
   */
  attenuator(gain: number): Promise<string> {
    return this.#box(`attenuator${++this.#boxes}`, [], [`-ea:${gain * 100}`]);
  }

  /**
   * As `attenuator`: channel 1 comes back as it is, channel 2 through a Butterworth low-pass of
   * second order, both at half their level.
   */
  lowPass(cutoff: number): Promise<string> {
    const dry = ['-a:dry', '-eac:0,2'];
    const wet = ['-a:wet', `-efl:${cutoff}`, '-eac:0,1'];
    return this.#box(`lowpass${++this.#boxes}`, ['-z:mixmode,avg', ...dry, ...wet, '-a:all'], []);
  }

  async #box(name: string, chains: readonly string[], effects: readonly string[]): Promise<string> {
    const { period, sampleRate } = this.#options;
    this.#run(
      'ecasound',
      [
        '-q',
        '-C',
        `-G:jack,${name},notransport`,
        `-b:${period}`,
        `-f:f32_le,2,${sampleRate}`,
        ...chains,
        '-i:jack',
        '-o:jack',
        ...effects,
      ],
      join(this.#folder, `${name}.log`),
    );
    await until(`${name} to appear`, () => this.ports().includes(`${name}:out_2`));
    for (const channel of [1, 2]) {
      this.connect(`loopback:capture_${channel}`, `${name}:in_${channel}`);
    }
    return name;
  }

  async stop(): Promise<void> {
    for (const program of [...this.#programs].reverse()) await end(program, 'SIGTERM');
    rmSync(this.#folder, { recursive: true, force: true });
    this.#sweep();
    for (const key of Object.keys(this.env)) {
      const before = this.#before[key];
      if (before === undefined) delete process.env[key];
      else process.env[key] = before;
    }
  }

  /** Semaphores that clients of a killed server left behind. */
  #sweep(): void {
    const name = this.env['JACK_DEFAULT_SERVER']!;
    for (const file of readdirSync('/dev/shm')) {
      if (file.includes(`_${name}_`)) rmSync(join('/dev/shm', file), { force: true });
    }
  }

  #run(program: string, args: readonly string[], log: string): ChildProcess {
    const shell = 'log=$1; shift; exec "$@" >"$log" 2>&1 </dev/null';
    const child = spawn('sh', ['-c', shell, 'sh', log, program, ...args], {
      env: { ...process.env, ...this.env },
      stdio: 'ignore',
    });
    this.#programs.add(child);
    child.on('exit', () => this.#programs.delete(child));
    return child;
  }
}

/** Ends a process, by force when it does not within two seconds. */
async function end(child: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGCONT');
  child.kill(signal);
  const force = setTimeout(() => child.kill('SIGKILL'), 2000);
  await gone;
  clearTimeout(force);
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (condition()) return;
    await sleep(100);
  }
  throw new Error(`waited in vain for ${what}`);
}
