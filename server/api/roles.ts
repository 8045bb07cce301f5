/**
 * What a client may do: three roles, each with all that the one before it may.
 *
 * Invariant: plain constants, usable in a browser. Which role an operation needs is in its row of
 * `routes.ts`; who has which is the business of `server/control/access.ts`.
 */

/** From least to most. */
export const ROLES = ['view', 'control', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What each is for, in words. */
export const ROLE_DOCS = {
  view: 'looks: status, patch, parameters, telemetry',
  control: 'steers as well: parameters, training, output, patches',
  admin: 'changes the machine as well: devices, calibration; reads its log',
} as const satisfies Readonly<Record<Role, string>>;

/** Whether a role includes what another may do. */
export const includes = (has: Role, needed: Role): boolean =>
  ROLES.indexOf(has) >= ROLES.indexOf(needed);
