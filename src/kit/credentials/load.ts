import type { Json } from "../../contract/index.ts";
import { messageOf } from "./backoff.ts";
import { shortId } from "./entry.ts";
import { hide } from "./context.ts";
import type { PoolContext } from "./context.ts";
import type { CredentialSet } from "./credential-set.ts";
import { tryStorage } from "./store.ts";
import type { StoredCredential } from "./store.ts";
import type { CredentialAccount } from "./types.ts";

/** A stored credential and the id that it is stored by. */
type Found<C extends Json> = StoredCredential<C> & { readonly id: string };

/**
 * Puts the stored credentials into the roster, as many as the pool may have, and gives the accounts that are
 * still to be opened. Never rejects: what can't be read is logged, and the pool does without.
 */
export async function load<C extends Json>(
  environment: PoolContext<C>,
  roster: CredentialSet<C>,
): Promise<readonly CredentialAccount<C>[]> {
  const { host, source, settings, store } = environment;
  const found: Found<C>[] = [];
  const opened = new Set<string>();
  await tryStorage(host, "the stored credentials can't be read", async () => {
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
    await tryStorage(host, "the mark of an account remains", () => store.unmark(marked));
  }
  for (const one of found) if (one.account !== undefined) opened.add(one.account);
  return accounts.filter(({ id }) => !opened.has(id));
}

/** The stored credentials that can be used; the others are removed. */
async function readAll<C extends Json>(environment: PoolContext<C>): Promise<readonly Found<C>[]> {
  const { host, store } = environment;
  const found: Found<C>[] = [];
  for (const id of await store.credentials()) {
    await tryStorage(host, `the credential ${shortId(id)} can't be read`, async () => {
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
  { source }: PoolContext<C>,
  record: StoredCredential<C> | undefined,
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
    return messageOf(error);
  }
}

function credentials(count: number): string {
  return count === 1 ? "1 credential is" : `${count} credentials are`;
}

/** Accounts first, because nothing replaces them, then those that were used last. */
function byWorth(one: StoredCredential<Json>, other: StoredCredential<Json>): number {
  const accounts = Number(other.account !== undefined) - Number(one.account !== undefined);
  return accounts !== 0 ? accounts : other.lastUsed - one.lastUsed;
}
