/**
 * What the standard libraries define, for hints: `fi` is `filters.lib`, which has `lowpass`. Ours,
 * `livegrad.lib`, is one of them.
 *
 * Invariant: read from the libraries themselves, at the first mistake that needs it. It only looks
 * at where lines begin, so it knows names and no more.
 */

import { nearest } from '../../dsp/diagnostic.ts';

const NAME = /^([A-Za-z]\w*)\s*(?:\(|=[^=])/gmu;

export class Standard {
  readonly #read: (file: string) => string | undefined;
  #files: ReadonlyMap<string, string> | undefined;
  readonly #names = new Map<string, ReadonlySet<string>>();

  /** @param read  the text of a standard library, if there is one */
  constructor(read: (file: string) => string | undefined) {
    this.#read = read;
  }

  /** Whether `stdfaust.lib` has a library under the prefix. */
  isPrefix(prefix: string): boolean {
    return this.#prefixes().has(prefix);
  }

  /** The name in the library of a prefix that is nearest to a misspelt one. */
  nearest(prefix: string, name: string): string | undefined {
    return nearest(name, this.#namesOf(prefix));
  }

  /** The first prefix whose library has the name. */
  prefixOf(name: string): string | undefined {
    return [...this.#prefixes().keys()].find((prefix) => this.#namesOf(prefix).has(name));
  }

  #prefixes(): ReadonlyMap<string, string> {
    const pattern = /^(\w+) = library\("(.*?)"\);/gmu;
    return (this.#files ??= new Map([
      ...[...(this.#read('stdfaust.lib') ?? '').matchAll(pattern)].map(
        ([, prefix, file]) => [prefix!, file!] as const,
      ),
      ['lg', 'livegrad.lib'] as const,
    ]));
  }

  #namesOf(prefix: string): ReadonlySet<string> {
    let names = this.#names.get(prefix);
    if (names === undefined) {
      const text = this.#read(this.#prefixes().get(prefix) ?? '') ?? '';
      names = new Set([...text.matchAll(NAME)].map(([, name]) => name!));
      this.#names.set(prefix, names);
    }
    return names;
  }
}
