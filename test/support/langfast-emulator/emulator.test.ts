import { describe, expect, test } from "bun:test";
import { once } from "node:events";
import { io } from "socket.io-client";
import type { Socket } from "socket.io-client";
import { generatedText, everyUnits, startEmulator } from "./index.ts";
import type { Emulator, RunScript } from "./index.ts";

interface Session {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly user: { readonly id: string; readonly is_anonymous: boolean };
}

interface Chunk {
  readonly executionId?: string;
  readonly content?: string;
  readonly status: string;
  readonly finish_reason?: string;
  readonly usage?: { readonly completion_tokens: number };
  readonly error?: unknown;
}

interface Initiated {
  readonly run_id: string;
  readonly jobs?: readonly { readonly job_id: string }[];
}

const PUBLIC_PROMPT = "6456df9f-f4fd-42b3-97ff-df29af7188b7";

function post(emulator: Emulator, path: string, body: unknown, access?: string): Promise<Response> {
  const headers = new Headers({ apikey: emulator.anonKey, "content-type": "application/json" });
  if (access !== undefined) headers.set("authorization", `Bearer ${access}`);
  return fetch(emulator.supabaseUrl + path, { method: "POST", headers, body: JSON.stringify(body) });
}

async function signUp(emulator: Emulator): Promise<Session> {
  return (await (await post(emulator, "/auth/v1/signup", {})).json()) as Session;
}

function refresh(emulator: Emulator, token: string): Promise<Response> {
  return post(emulator, "/auth/v1/token?grant_type=refresh_token", { refresh_token: token });
}

function whoAmI(emulator: Emulator, access: string): Promise<Response> {
  const headers = { apikey: emulator.anonKey, authorization: `Bearer ${access}` };
  return fetch(`${emulator.supabaseUrl}/auth/v1/user`, { headers });
}

/** A socket that remembers its chunks and ends. */
class Client implements Disposable {
  readonly socket: Socket;
  readonly session: Session;
  readonly events: string[] = [];
  readonly chunks: Chunk[] = [];

  constructor(emulator: Emulator, session: Session) {
    this.session = session;
    const auth = { token: session.access_token };
    this.socket = io(emulator.socketUrl, {
      transports: ["websocket"],
      forceNew: true,
      reconnection: false,
      auth,
    });
    this.socket.onAny((event: string, payload: unknown) => {
      this.events.push(event);
      if (event === "execution:chunk") this.chunks.push(parsed(payload));
    });
  }

  static async connect(emulator: Emulator): Promise<Client> {
    const client = new Client(emulator, await signUp(emulator));
    await once(client.socket as never, "connect");
    return client;
  }

  get contents(): readonly (string | undefined)[] {
    return this.chunks.map(({ content }) => content);
  }

  async next(event: string): Promise<void> {
    await once(this.socket as never, event);
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}

function parsed(payload: unknown): Chunk {
  return (typeof payload === "string" ? JSON.parse(payload) : payload) as Chunk;
}

function runBody(client: Client, said: string): Record<string, unknown> {
  return {
    run_id: crypto.randomUUID(),
    prompt_id: PUBLIC_PROMPT,
    prompt_meta: { model: "gpt-4o-mini", messages: [{ role: "user", content: said }], stream: true },
    test_cases: [],
    created_by: client.session.user.id,
  };
}

function initiate(emulator: Emulator, client: Client, body: unknown): Promise<Response> {
  return post(emulator, "/functions/v1/initiate-prompt-run", body, client.session.access_token);
}

/** One run from its start to `until`. */
async function run(emulator: Emulator, client: Client, script: RunScript, until = "completion_finished") {
  emulator.script = script;
  const ended = client.next(until);
  const response = await initiate(emulator, client, runBody(client, "one two three"));
  await ended;
  return (await response.json()) as Initiated;
}

describe("credentials", () => {
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
    expect([again.status, await again.json()]).toMatchObject([
      400,
      { error_code: "refresh_token_not_found" },
    ]);
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
});

describe("the socket", () => {
  test("a bad or expired token is refused with data", async () => {
    await using emulator = await startEmulator();
    const session = await signUp(emulator);
    emulator.expireAccess(session.user.id);
    for (const access_token of [session.access_token, "x.y.z"]) {
      using client = new Client(emulator, { ...session, access_token });
      const [error] = (await once(client.socket as never, "connect_error")) as [Error & { data: unknown }];
      expect(error.data).toMatchObject({ status: 401 });
    }
    expect([emulator.sockets, emulator.socketsOpened, emulator.calls.connect]).toEqual([0, 0, 2]);
    expect(emulator.violations).toHaveLength(1);
  });

  test("a socket that leaves, or is cut, or sent away, abandons its runs", async () => {
    await using emulator = await startEmulator();
    const ways: [(client: Client) => void, string][] = [
      [(client) => client.socket.close(), "io client disconnect"],
      [() => emulator.dropSockets(), "transport close"],
      [() => emulator.disconnectSockets(), "io server disconnect"],
    ];
    for (const [leave, reason] of ways) {
      using client = await Client.connect(emulator);
      await run(emulator, client, { fault: { after: 1, how: "silence" } }, "execution:chunk");
      expect(emulator.runs.at(-1)?.state).toBe("running");
      const gone = once(client.socket as never, "disconnect");
      leave(client);
      expect((await gone)[0]).toBe(reason);
      await emulator.waitFor(() => emulator.runs.at(-1)?.state === "abandoned", `the end by ${reason}`);
    }
    expect(emulator.counts).toMatchObject({ runsStarted: 3, runsAbandoned: 3 });
    expect([emulator.sockets, emulator.socketsOpened]).toEqual([0, 3]);
    expect(emulator.violations).toEqual([]);
  });

  test("what a client emits is recorded, and a transport other than websocket refused", async () => {
    await using emulator = await startEmulator();
    using client = await Client.connect(emulator);
    client.socket.emit("cancel", {});
    await emulator.waitFor(() => emulator.violations.length === 1, "the violation");
    expect((await fetch(`${emulator.socketUrl}/socket.io/?EIO=4&transport=polling`)).status).toBe(400);
    expect(emulator.violations).toEqual(["the client emitted cancel", "a transport other than websocket"]);
  });
});

describe("a run", () => {
  test("sends cumulative chunks under the job's id and both end marks", async () => {
    await using emulator = await startEmulator();
    using client = await Client.connect(emulator);
    const answer = await run(emulator, client, { pieces: everyUnits(4) });
    expect(client.contents).toEqual(["one ", "one two ", "one two thre", "one two three"]);
    expect(client.events.at(-1)).toBe("completion_finished");
    expect(new Set(client.chunks.map((chunk) => chunk.executionId))).toEqual(
      new Set([answer.jobs?.[0]?.job_id]),
    );
    expect(client.chunks.map((chunk) => chunk.status)).toEqual([
      "running",
      "running",
      "running",
      "completed",
    ]);
    expect(client.chunks.at(-1)).toMatchObject({ finish_reason: "stop", usage: { completion_tokens: 13 } });
    expect(emulator.runs).toMatchObject([{ state: "finished", framesSent: 5, socketOpen: true }]);
    expect(emulator.violations).toEqual([]);
  });

  test("early chunks arrive before the answer that names the job", async () => {
    await using emulator = await startEmulator();
    using client = await Client.connect(emulator);
    emulator.script = { early: Infinity, answerDelay: 200 };
    const order: string[] = [];
    const finished = client.next("completion_finished").then(() => order.push("finished"));
    const answer = initiate(emulator, client, runBody(client, "x")).then(() => order.push("answer"));
    await Promise.all([finished, answer]);
    expect(order).toEqual(["finished", "answer"]);
  });

  test("an own prompt is made first and then run with a test case", async () => {
    await using emulator = await startEmulator();
    using client = await Client.connect(emulator);
    const meta = { model: "gpt-4o", messages: [{ role: "user", content: "hello" }], stream: true };
    const testCases = [{ name: "one", variables: [] }];
    const made = await post(
      emulator,
      "/rest/v1/rpc/create_prompt",
      { p_name: "p", p_icon: "openai", p_meta: meta, p_test_cases: testCases },
      client.session.access_token,
    );
    const body = { ...runBody(client, "hello"), prompt_id: await made.json(), test_cases: testCases };
    const finished = client.next("completion_finished");
    expect((await initiate(emulator, client, body)).status).toBe(200);
    await finished;
    expect(client.contents.at(-1)).toBe("hello");
    expect(emulator.counts).toMatchObject({ prompts: 1, runsFinished: 1 });
    expect(emulator.violations).toEqual([]);
  });

  test("without ids neither the answer nor the events name anything", async () => {
    await using emulator = await startEmulator();
    using client = await Client.connect(emulator);
    const answer = await run(emulator, client, { namesJob: false, namesExecution: false, asText: true });
    expect(Object.keys(answer)).toEqual(["run_id"]);
    expect(client.contents.at(-1)).toBe("one two three");
    expect(client.chunks.some((chunk) => "executionId" in chunk)).toBe(false);
  });

  const texts: [NonNullable<RunScript["snapshots"]>, string[]][] = [
    ["normal", ["one tw", "one two thre", "one two three"]],
    ["rewrite", ["one tw", "~ne two thre", "~ne two three"]],
    ["shrink", ["one tw", "one ", "one two three"]],
    ["repeat", ["one tw", "one tw", "one two thre", "one two thre", "one two three", "one two three"]],
    ["empty-first", ["", "one tw", "one two thre", "one two three"]],
  ];
  test.each(texts)("%s snapshots", async (snapshots, expected) => {
    await using emulator = await startEmulator();
    using client = await Client.connect(emulator);
    await run(emulator, client, { snapshots, pieces: everyUnits(6) });
    expect(client.contents).toEqual(expected);
  });

  test("a surrogate pair cut by a snapshot arrives as it was cut", async () => {
    await using emulator = await startEmulator();
    using client = await Client.connect(emulator);
    await run(emulator, client, { answer: "a😀b", pieces: everyUnits(2) });
    expect(client.contents).toEqual(["a\ud83d", "a😀b"]);
  });

  test("each way to end, and the last chunk with as much or little as scripted", async () => {
    await using emulator = await startEmulator();
    const ways: [RunScript, string][] = [
      [{ end: "status", finishReason: "length", usage: null }, "completed length"],
      [{ end: "finished" }, "running stop usage"],
      [{ end: "both", finishReason: null }, "completed usage"],
    ];
    for (const [script, expected] of ways) {
      using client = await Client.connect(emulator);
      await run(emulator, client, { ...script, noise: true, pieces: (text) => [text] }, lastEvent(script));
      await emulator.waitFor(() => emulator.runs.at(-1)?.state === "finished", "the end");
      const last = client.chunks.at(-1);
      const seen = [last?.status, last?.finish_reason, last?.usage && "usage"].filter(Boolean).join(" ");
      expect(seen).toBe(expected);
      expect(client.events).toContain("execution:progress");
    }
  });

  test("generated text is the same for everybody who knows seed and length", async () => {
    await using emulator = await startEmulator();
    using client = await Client.connect(emulator);
    const finished = client.next("completion_finished");
    await initiate(emulator, client, runBody(client, "please #gen 42 5000"));
    await finished;
    expect(client.contents.at(-1)).toBe(generatedText(42, 5000));
    expect(generatedText(42, 5000)).toHaveLength(5000);
    expect(generatedText(43, 5000)).not.toBe(generatedText(42, 5000));
  });

  const faults: [string, Partial<Chunk>][] = [
    ["failed", { status: "failed" }],
    ["error", { status: "error" }],
    ["error-member", { error: { message: "oh" } }],
    ["error-text", { error: "oh" }],
  ];
  test.each(faults)("says that it failed by %s after so many chunks", async (how, expected) => {
    await using emulator = await startEmulator();
    using client = await Client.connect(emulator);
    const fault = { after: 2, how: how as "failed", message: "oh" };
    emulator.script = { fault };
    const third = new Promise<void>((resolve) => {
      client.socket.on("execution:chunk", () => client.chunks.length === 3 && resolve());
    });
    await initiate(emulator, client, runBody(client, "one two three"));
    await third;
    expect(client.chunks[2]).toMatchObject(expected);
    expect(emulator.runs).toMatchObject([{ state: "failed", framesSent: 2 }]);
  });

  test("a drop comes after the chunks before it", async () => {
    await using emulator = await startEmulator();
    using client = await Client.connect(emulator);
    await run(emulator, client, { fault: { after: 3, how: "drop" } }, "disconnect").catch(() => undefined);
    expect(client.chunks).toHaveLength(3);
    expect(emulator.counts.runsAbandoned).toBe(1);
  });

  test("a held event waits, other runs of the same socket don't", async () => {
    await using emulator = await startEmulator();
    using client = await Client.connect(emulator);
    const gate = Promise.withResolvers<void>();
    emulator.script.run = ({ promptMeta }) =>
      JSON.stringify(promptMeta).includes("slow")
        ? { before: (event) => (event === 1 ? gate.promise : undefined) }
        : undefined;
    await initiate(emulator, client, runBody(client, "slow"));
    await initiate(emulator, client, runBody(client, "fast"));
    await emulator.waitFor(() => emulator.runs[1]?.state === "finished", "the fast run");
    expect(emulator.runs[0]).toMatchObject({ state: "running", framesSent: 1, overlapped: false });
    expect(emulator.runs[1]?.overlapped).toBe(true);
    gate.resolve();
    await emulator.waitFor(() => emulator.counts.runsFinished === 2, "the slow run");
  });

  test("what the service wouldn't take is refused and recorded", async () => {
    await using emulator = await startEmulator();
    using client = await Client.connect(emulator);
    const good = runBody(client, "x");
    const meta = good["prompt_meta"] as object;
    const bad: Record<string, unknown>[] = [
      { run_id: "1" },
      { created_by: crypto.randomUUID() },
      { prompt_id: crypto.randomUUID() },
      { test_cases: [{ name: "x", variables: [] }] },
      { prompt_meta: { ...meta, stream: false } },
      { prompt_meta: { ...meta, model: "o3", temperature: 1 } },
      { prompt_meta: { ...meta, messages: [{ role: "developer", content: "x" }] } },
      { prompt_meta: { ...meta, max_completion_tokens: 16_385 } },
      { prompt_meta: { ...meta, seed: 1 } },
    ];
    for (const change of bad) {
      const { status } = await initiate(emulator, client, { ...good, ...change });
      expect([status >= 400 && status < 500, change]).toEqual([true, change]);
    }
    expect(emulator.violations).toHaveLength(bad.length);
    expect(emulator.counts.runsStarted).toBe(0);
  });

  test("premium and unknown models are refused without being a violation", async () => {
    await using emulator = await startEmulator({ script: { refusePremium: true } });
    using client = await Client.connect(emulator);
    for (const [model, status] of [
      ["gpt-4", 403],
      ["gpt-9", 400],
    ] as const) {
      const body = runBody(client, "x");
      const refused = await initiate(emulator, client, {
        ...body,
        prompt_meta: { ...(body["prompt_meta"] as object), model },
      });
      expect(refused.status).toBe(status);
    }
    expect(emulator.violations).toEqual([]);
  });

  test("the answer to a run that was carried out can be lost or malformed", async () => {
    await using emulator = await startEmulator({ script: { initiate: { body: "{oops" } } });
    using client = await Client.connect(emulator);
    const finished = client.next("completion_finished");
    const answer = await initiate(emulator, client, runBody(client, "x"));
    expect([answer.status, await answer.text()]).toEqual([200, "{oops"]);
    await finished;
    emulator.script = { initiate: { status: 500 } };
    expect((await initiate(emulator, client, runBody(client, "x"))).status).toBe(500);
    expect(emulator.counts.runsStarted).toBe(1);
  });
});

test("stopping it ends all waiting", async () => {
  const emulator = await startEmulator();
  const waiting = emulator.waitFor(() => false, "a miracle");
  const outcome = waiting.then(
    () => "came",
    (error: Error) => error.message,
  );
  await emulator[Symbol.asyncDispose]();
  expect(await outcome).toBe("the emulator was stopped");
});

function lastEvent({ end }: RunScript): string {
  return end === "status" ? "execution:chunk" : "completion_finished";
}
