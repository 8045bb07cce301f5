/**
 * What a fresh clone depends on: exact versions, a lockfile that installs on every processor and
 * names no registry, commands in the documents that exist, and no trace of the machine that a file
 * was written on.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, projectFiles, read } from '../support/sources.ts';

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}
interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const manifest: Manifest = JSON.parse(read('package.json'));
const lock: { packages: Record<string, Locked> } = JSON.parse(read('package-lock.json'));
const files = projectFiles();
const documents = files.filter((path) => path.endsWith('.md') && !path.startsWith('test/golden/'));

describe('package.json', () => {
  it('names every dependency at one exact version', () => {
    const loose = Object.entries({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
    }).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version));
    expect(loose).toEqual([]);
  });

  it('has scripts that start files which are there', () => {
    const missing = Object.values(manifest.scripts)
      .map((script) => /^(?:exec )?node (\S+)/.exec(script)?.[1] ?? script)
      .filter((path) => !existsSync(join(ROOT, path)));
    expect(missing).toEqual([]);
  });

  it('lets a signal to npm reach what lives on: no shell stands in between', () => {
    expect(manifest.scripts['start']).toMatch(/^exec /);
    expect(manifest.scripts['livegrad']).toMatch(/^exec /);
  });
});

describe('package-lock.json', () => {
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');

  it('holds no address of a registry', () => {
    expect(packages.filter(([, locked]) => locked.resolved !== undefined)).toEqual([]);
  });

  it('holds the version and the checksum of every package', () => {
    const bare = packages.filter(
      ([, { version, integrity }]) => version === undefined || integrity === undefined,
    );
    expect(bare.map(([path]) => path)).toEqual([]);
  });

  it('holds the packages of every processor, so that it installs on each', () => {
    const missing = packages.flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => !packages.some(([other]) => other.endsWith(`node_modules/${name}`)))
        .map((name) => `${name}, wanted by ${path}`),
    );
    expect(missing).toEqual([]);
  });
});

describe('documents', () => {
  it('name only npm commands that exist', () => {
    const unknown = documents.flatMap((path) =>
      [...read(path).matchAll(/(?:^|`|&& )npm (?:run (?:-s |--silent )?)?([a-z][\w:-]*)/gm)]
        .map((match) => match[1] ?? '')
        .filter((name) => !['ci', 'install', 'run'].includes(name))
        .filter((name) => manifest.scripts[name] === undefined)
        .map((name) => `${path}: npm ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  it('link only to files that are there', () => {
    const broken = documents.flatMap((path) =>
      [...read(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
        .map((match) => match[1] ?? '')
        .filter((target) => !existsSync(join(ROOT, path, '..', target)))
        .map((target) => `${path}: ${target}`),
    );
    expect(broken).toEqual([]);
  });
});

describe('files', () => {
  it('hold no path of a machine and no host of a package registry', () => {
    // Assembled, so that this file does not find itself.
    const traces = ['work', 'root', 'home/[a-z]\\w*', 'Users/[a-z]\\w*'].map(
      (folder) => `(?<![\\w.*~$}/-])/${folder}/`,
    );
    const hosts = ['registry\\.npm', 'npm\\.pkg', 'registry\\.yarn', 'deb\\.debian'].map(
      (host) => `${host}[a-z]*\\.`,
    );
    const forbidden = new RegExp([...traces, ...hosts].join('|'));
    const found = files
      .filter((path) => !/\.(wav|png|bin|wasm)$/.test(path) && path !== 'LICENSE')
      .flatMap((path) =>
        read(path)
          .split('\n')
          .filter((line) => forbidden.test(line))
          .map((line) => `${path}: ${line.trim()}`),
      );
    expect(found).toEqual([]);
  });

  it('of the container recipe are copied from paths that are there', () => {
    const recipe = read('Dockerfile').replace(/\\\n/g, ' ');
    const copied = [...recipe.matchAll(/^COPY (?!--from=)(.*)$/gm)].flatMap((match) =>
      (match[1] ?? '')
        .trim()
        .split(/\s+/)
        .filter((word) => !word.startsWith('--'))
        .slice(0, -1),
    );
    expect(copied.length).toBeGreaterThan(0);
    expect(copied.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    const ignored = read('.dockerignore').split('\n');
    expect(copied.filter((path) => ignored.includes(path) || ignored.includes(`/${path}`))).toEqual(
      [],
    );
  });
});
