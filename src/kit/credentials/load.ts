import type { Json } from "../../contract/index.ts";
import { describe } from "./backoff.ts";
import { shortId } from "./entry.ts";
import { hide } from "./environment.ts";
import type { Environment } from "./environment.ts";
import type { Roster } from "./roster.ts";
import { loudly } from "./store.ts";
import type { Stored } from "./store.ts";
import type { CredentialAccount } from "./types.ts";

/** A stored credential and the id that it is stored by. */
type Found<C extends Json> = Stored<C> & { readonly id: string };

/**
 * Puts the stored credentials into the roster, as many as the pool may have, and gives the accounts that are
 * still to be opened. Never rejects: what can't be read is logged, and the pool does without.
 */
export async function load<C extends Json>(
  environment: Environment<C>,
  roster: Roster<C>,
): Promise<readonly CredentialAccount<C>[]> {
  const { host, source, settings, store } = environment;
  const found: Found<C>[] = [];
  const opened = new Set<string>();
  await loudly(host, "the stored credentials can't be read", async () => {
    for (const account of await store.usedUp()) opened.add(account);
    for (const one of await readAll(environment)) found.push(one);
  });
  for (const one of found.sort(byWorth).slice(0, settings.max)) {
    hide(environment, one.credential);
    roster.add(one.id, one, "kept");
  }
  if (roster.size > 0) host.log.info(`${credentials(roster.size)} kept from before`);
  const accounts = source.accounts ?? [];
  for (const marked of opened) {
    if (accounts.some(({ id }) => id === marked)) continue;
    await loudly(host, "the mark of an account remains", () => store.unmark(marked));
  }
  for (const one of found) if (one.account !== undefined) opened.add(one.account);
  return accounts.filter(({ id }) => !opened.has(id));
}

/** The stored credentials that can be used; the others are removed. */
async function readAll<C extends Json>(environment: Environment<C>): Promise<readonly Found<C>[]> {
  const { host, store } = environment;
  const found: Found<C>[] = [];
  for (const id of await store.credentials()) {
    await loudly(host, `the credential ${shortId(id)} can't be read`, async () => {
      const record = await store.read(id);
      const objection = objectionTo(environment, record);
      if (record && objection === undefined) {
        found.push({ ...record, id });
        return;
      }
      host.log.info("a stored credential is dropped", { credential: shortId(id), why: objection });
      await store.remove(id);
    });
  }
  return found;
}

/** Why a stored record can't be used, if it can't. */
function objectionTo<C extends Json>(
  { source }: Environment<C>,
  record: Stored<C> | undefined,
): string | undefined {
  if (!record) return "it is not a credential";
  const { account, credential } = record;
  if (account !== undefined && !source.accounts?.some(({ id }) => id === account)) {
    return "its account is no longer configured";
  }
  try {
    // The record may be of another version of the plugin.
    source.identify(credential);
    source.secrets(credential);
    source.expiresAt?.(credential);
    return undefined;
  } catch (error) {
    return describe(error);
  }
}

function credentials(count: number): string {
  return count === 1 ? "1 credential is" : `${count} credentials are`;
}

/** Accounts first, because nothing replaces them, then those that were used last. */
function byWorth(one: Stored<Json>, other: Stored<Json>): number {
  const accounts = Number(other.account !== undefined) - Number(one.account !== undefined);
  return accounts !== 0 ? accounts : other.lastUsed - one.lastUsed;
}
