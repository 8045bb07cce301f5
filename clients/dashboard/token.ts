/**
 * The token of a host that asks for one: kept for this tab only, and told to nobody else.
 *
 * Invariant: it never stands in the address of the page.
 */

const KEY = 'livegrad.token';

export const keptToken = (): string | undefined => sessionStorage.getItem(KEY) ?? undefined;

export const forgetToken = (): void => sessionStorage.removeItem(KEY);

/** Keeps it and begins again. */
export function takeToken(token: string): void {
  sessionStorage.setItem(KEY, token);
  location.reload();
}
