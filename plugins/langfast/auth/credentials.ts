import { createHash } from "node:crypto";
import type { CredentialAccount, CredentialSource } from "modelyard/credentials";
import type { GoTrue, Session } from "./gotrue.ts";
import type { Options } from "../options.ts";

/** A signed-in user, as the pool keeps it. */
export type Credential = {
  /** The user's id, or for a configured account a name made from its token. */
  readonly id: string;
  readonly user_id: string;
  readonly access_token: string;
  readonly refresh_token: string;
  /** Milliseconds since 1970. */
  readonly expires_at: number;
};

/** Creates the pool's source of credentials. Calls `onRetired` when one is retired for good. */
export function credentialSource(
  auth: GoTrue,
  options: Pick<Options, "anonymous" | "accounts">,
  onRetired: (id: string) => void,
): CredentialSource<Credential> {
  const source: CredentialSource<Credential> = {
    identify: ({ id }) => id,
    secrets: ({ access_token, refresh_token }) => [access_token, refresh_token],
    expiresAt: ({ expires_at }) => expires_at,
    refresh: async ({ id, refresh_token }, signal) =>
      credentialOf(await auth.refresh(refresh_token, signal), id),
    verify: ({ access_token }, signal) => auth.verify(access_token, signal),
    accounts: options.accounts.map((account) => accountOf(auth, account.refresh_token)),
    onRetired,
  };
  if (options.anonymous) source.create = async (signal) => credentialOf(await auth.signUp(signal));
  return source;
}

function accountOf(auth: GoTrue, refreshToken: string): CredentialAccount<Credential> {
  const hash = createHash("sha256").update(refreshToken).digest("hex");
  const id = `account-${hash.slice(0, 12)}`;
  return { id, open: async (signal) => credentialOf(await auth.refresh(refreshToken, signal), id) };
}

function credentialOf(session: Session, id: string = session.userId): Credential {
  return {
    id,
    user_id: session.userId,
    access_token: session.accessToken,
    refresh_token: session.refreshToken,
    expires_at: session.expiresAt,
  };
}
