/**
 * `--set id=value` applied to an artifact: other initial values, same code.
 *
 * Invariant: either every setting is known and within its range, or nothing is changed and all
 * that is wrong is said at once.
 */

import type { Artifact } from '../../dsp/artifact.ts';
import type { Control } from '../../dsp/control.ts';
import { nearest } from '../../dsp/diagnostic.ts';
import { finding } from './answer.ts';
import type { Finding } from './answer.ts';
import type { Setting } from './command.ts';
import { bad } from './patch-source.ts';
import type { Read } from './patch-source.ts';

export function withSettings(artifact: Artifact, settings: readonly Setting[]): Read<Artifact> {
  const known = new Map([...artifact.sliders, ...artifact.params].map((c) => [c.id, c]));
  const findings = settings.flatMap(({ id, value }): Finding[] => {
    const control = known.get(id);
    if (control === undefined) {
      const near = nearest(id, known.keys());
      const all = [...known.keys()].join(', ') || 'none';
      return [
        finding(
          'CLI_CONTROL_UNKNOWN',
          id,
          `"${artifact.name}" has no slider or parameter "${id}": expected one of ${all}`,
          near === undefined ? undefined : `did you mean "${near}"?`,
        ),
      ];
    }
    if (value < control.min || value > control.max) {
      return [
        finding(
          'CLI_CONTROL_RANGE',
          id,
          `${id}: expected a value from ${control.min} to ${control.max}, got ${value}`,
        ),
      ];
    }
    return [];
  });
  if (findings.length > 0) return bad(...findings);

  const values = new Map(settings.map(({ id, value }) => [id, value]));
  const set = (controls: readonly Control[]): Control[] =>
    controls.map((c) => ({ ...c, initial: values.get(c.id) ?? c.initial }));
  return {
    ok: true,
    value: { ...artifact, sliders: set(artifact.sliders), params: set(artifact.params) },
  };
}
