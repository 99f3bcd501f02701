import { expect, test } from "bun:test";
import { startEmulator } from "./index.ts";
import { post, refresh, signUp, whoAmI } from "./plain-client.ts";
import type { Session } from "./plain-client.ts";

test("a sign-up makes an anonymous user whose tokens are good", async () => {
  await using emulator = await startEmulator({ tokenLifetime: 600 });
  const session = await signUp(emulator);
  expect(session).toMatchObject({ token_type: "bearer", expires_in: 600, user: { is_anonymous: true } });
  const claims = JSON.parse(atob(session.access_token.split(".")[1]!)) as { sub: string; exp: number };
  expect(claims.sub).toBe(session.user.id);
  expect(Math.abs(claims.exp - Date.now() / 1000 - 600)).toBeLessThan(10);
  const user = await whoAmI(emulator, session.access_token);
  expect([user.status, await user.json()]).toMatchObject([200, { id: session.user.id }]);
  expect(emulator.counts).toMatchObject({ signups: 1, verifications: 1 });
  expect(emulator.violations).toEqual([]);
});

test("a refresh token is good for one use, and using it twice costs the whole session", async () => {
  await using emulator = await startEmulator();
  const first = await signUp(emulator);
  const second = (await (await refresh(emulator, first.refresh_token)).json()) as Session;
  expect(second.user.id).toBe(first.user.id);
  expect(second.refresh_token).not.toBe(first.refresh_token);
  expect((await whoAmI(emulator, second.access_token)).status).toBe(200);

  const again = await refresh(emulator, first.refresh_token);
  expect([again.status, await again.json()]).toMatchObject([400, { error_code: "refresh_token_not_found" }]);
  expect((await refresh(emulator, second.refresh_token)).status).toBe(400);
  expect((await whoAmI(emulator, second.access_token)).status).toBe(403);
  expect(emulator.users).toMatchObject([{ access: "revoked", refreshTokensUsed: 1 }]);
  expect(emulator.violations).toHaveLength(1);
});

test("an expired access token is refused until it is refreshed, a revoked user for good", async () => {
  await using emulator = await startEmulator();
  const session = await signUp(emulator);
  emulator.expireAccess(session.user.id);
  expect(emulator.users[0]?.access).toBe("expired");
  expect((await whoAmI(emulator, session.access_token)).status).toBe(403);
  const fresh = (await (await refresh(emulator, session.refresh_token)).json()) as Session;
  expect((await whoAmI(emulator, fresh.access_token)).status).toBe(200);
  emulator.revoke(session.user.id);
  expect((await whoAmI(emulator, fresh.access_token)).status).toBe(403);
  expect((await refresh(emulator, fresh.refresh_token)).status).toBe(400);
  expect(emulator.violations).toEqual([]);
});

test("access tokens end at the time that they name", async () => {
  let now = Date.UTC(2030, 0, 1);
  await using emulator = await startEmulator({ now: () => now, tokenLifetime: 60 });
  const session = await signUp(emulator);
  now += 59_000;
  expect((await whoAmI(emulator, session.access_token)).status).toBe(200);
  now += 1_000;
  expect((await whoAmI(emulator, session.access_token)).status).toBe(403);
});

test("scripted faults answer like GoTrue, so many times, and carry nothing out", async () => {
  const signup = { status: 429, retryAfter: 7, times: 2 };
  await using emulator = await startEmulator({ script: { signup } });
  for (let call = 0; call < 2; call++) {
    const refused = await post(emulator, "/auth/v1/signup", {});
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "7"]);
    expect(await refused.json()).toMatchObject({ code: 429, error_code: "over_request_rate_limit" });
  }
  expect((await post(emulator, "/auth/v1/signup", {})).status).toBe(200);
  expect([emulator.calls.signup, emulator.counts.signups]).toEqual([3, 1]);
});

test("a hanging call ends when the client gives up, and may have been carried out", async () => {
  await using emulator = await startEmulator({ script: { signup: { hang: true, carriedOut: true } } });
  const giveUp = new AbortController();
  const call = fetch(`${emulator.supabaseUrl}/auth/v1/signup`, {
    method: "POST",
    headers: { apikey: "emulator", "content-type": "application/json" },
    body: "{}",
    signal: giveUp.signal,
  });
  await emulator.waitFor(() => emulator.counts.signups === 1, "the sign-up");
  giveUp.abort();
  const outcome = await call.then(
    () => "answered",
    (error: Error) => error.name,
  );
  expect(outcome).toBe("AbortError");
});

test("a wrong key, a strange body and an unknown path are refused and recorded", async () => {
  await using emulator = await startEmulator();
  const headers = { apikey: "other", "content-type": "application/json" };
  const wrong = await fetch(`${emulator.supabaseUrl}/auth/v1/signup`, {
    method: "POST",
    headers,
    body: "{}",
  });
  expect(wrong.status).toBe(401);
  expect((await post(emulator, "/auth/v1/signup", { email: "a@b.c" })).status).toBe(422);
  expect((await post(emulator, "/auth/v1/other", {})).status).toBe(404);
  expect((await whoAmI(emulator, "a.b.c")).status).toBe(401);
  expect(emulator.violations).toHaveLength(4);
  expect(emulator.counts.signups).toBe(0);
});
