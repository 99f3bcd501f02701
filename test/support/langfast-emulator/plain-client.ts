import { once } from "node:events";
import { io } from "socket.io-client";
import type { Socket } from "socket.io-client";
import type { Emulator, RunScript } from "./index.ts";

/** What a sign-up or a refresh answers. */
export interface Session {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly user: { readonly id: string; readonly is_anonymous: boolean };
}

/** What an `execution:chunk` carries. */
export interface Chunk {
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

/** A call with the anon key, and with an access token where one is given. */
export function post(emulator: Emulator, path: string, body: unknown, access?: string): Promise<Response> {
  const headers = new Headers({ apikey: emulator.anonKey, "content-type": "application/json" });
  if (access !== undefined) headers.set("authorization", `Bearer ${access}`);
  return fetch(emulator.supabaseUrl + path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Makes an anonymous user. */
export async function signUp(emulator: Emulator): Promise<Session> {
  return (await (await post(emulator, "/auth/v1/signup", {})).json()) as Session;
}

/** Trades a refresh token. */
export function refresh(emulator: Emulator, token: string): Promise<Response> {
  return post(emulator, "/auth/v1/token?grant_type=refresh_token", { refresh_token: token });
}

/** Asks whether an access token is good. */
export function whoAmI(emulator: Emulator, access: string): Promise<Response> {
  const headers = { apikey: emulator.anonKey, authorization: `Bearer ${access}` };
  return fetch(`${emulator.supabaseUrl}/auth/v1/user`, { headers });
}

/** A plain client: a socket that remembers its chunks and ends. */
export class Client implements Disposable {
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

/** A good body for initiate-prompt-run. */
export function runBody(client: Client, said: string): Record<string, unknown> {
  return {
    run_id: crypto.randomUUID(),
    prompt_id: PUBLIC_PROMPT,
    prompt_meta: { model: "gpt-4o-mini", messages: [{ role: "user", content: said }], stream: true },
    test_cases: [],
    created_by: client.session.user.id,
  };
}

/** Starts a run. */
export function initiate(emulator: Emulator, client: Client, body: unknown): Promise<Response> {
  return post(emulator, "/functions/v1/initiate-prompt-run", body, client.session.access_token);
}

/** One run under this script, from its start to the event `until`; gives the HTTP answer. */
export async function run(
  emulator: Emulator,
  client: Client,
  script: RunScript,
  until = "completion_finished",
) {
  emulator.script = script;
  const ended = client.next(until);
  const response = await initiate(emulator, client, runBody(client, "one two three"));
  await ended;
  return (await response.json()) as Initiated;
}
