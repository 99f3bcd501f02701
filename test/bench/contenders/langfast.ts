import { freePort } from "../../support/free-port.ts";
import { ROOT, ServerProcess } from "../process.ts";
import { MODEL } from "../order.ts";
import { contenderOf } from "./contender.ts";
import type { Contender } from "./contender.ts";

/** What the emulator takes; it is its default. */
const ANON_KEY = "emulator";
const PUBLIC_PROMPT = "6456df9f-f4fd-42b3-97ff-df29af7188b7";
/** One of the service's models. */
const SERVICE_MODEL = "gpt-4o-mini";
/** Users, each with a socket. */
const USERS = 10;

/** The emulated service in a process of its own. */
export interface Service extends AsyncDisposable {
  readonly url: string;
  readonly socketUrl: string;
}

export async function startService(): Promise<Service> {
  const [port, socketPort] = [freePort(), freePort()];
  const command = [process.execPath, "test/bench/langfast/emulator.ts", `${port}`, `${socketPort}`];
  const { server, url } = await ServerProcess.listening(command);
  return {
    url,
    socketUrl: `http://127.0.0.1:${socketPort}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The part of gateway.yaml that leads to the service. */
export function serviceUpstream({ url, socketUrl }: Service): string {
  return `
  langfast:
    plugin: langfast
    options:
      anon_key: ${ANON_KEY}
      supabase_url: "${url}"
      socket_url: "${socketUrl}"
      credentials: { min: ${USERS}, max: ${USERS} }
`;
}

/** Leads the benchmark's model to the service. */
export const SERVICE_ROUTE = `
routes:
  - model: ${MODEL}
    targets: [{ upstream: langfast, model: ${SERVICE_MODEL} }]
`;

/** A process that only receives what the service sends to its users, and somebody else who starts the runs. */
export class Receiver implements AsyncDisposable {
  readonly contender: Contender;
  readonly #server: ServerProcess;
  readonly #service: Service;
  readonly #users: readonly User[];

  private constructor(server: ServerProcess, service: Service, users: readonly User[]) {
    this.contender = contenderOf("socket.io-client", { server, url: service.socketUrl });
    this.#server = server;
    this.#service = service;
    this.#users = users;
  }

  static async start(service: Service): Promise<Receiver> {
    const users = await Promise.all(Array.from({ length: USERS }, () => signUp(service)));
    const tokens = users.map(({ token }) => token);
    const command = [
      process.execPath,
      `${ROOT}/test/bench/langfast/receiver.ts`,
      service.socketUrl,
      ...tokens,
    ];
    const { server } = await ServerProcess.listening(command);
    return new Receiver(server, service, users);
  }

  /** Starts runs, spread over `ramp` ms, whose messages are these; resolves when all their frames are received. */
  async receive(
    messages: readonly unknown[],
    { ramp, frames }: { ramp: number; frames: number },
  ): Promise<void> {
    const before = this.#received();
    await Promise.all(
      messages.map(async (said, number) => {
        await Bun.sleep((ramp * number) / messages.length);
        await this.#initiate(said, number);
      }),
    );
    await this.#server.says(() => this.#received() - before >= frames);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }

  #received(): number {
    return Number(/received (\d+) frames\n$/.exec(this.#server.output)?.[1] ?? 0);
  }

  async #initiate(messages: unknown, number: number): Promise<void> {
    const user = this.#users[number % this.#users.length];
    const body = {
      run_id: crypto.randomUUID(),
      prompt_id: PUBLIC_PROMPT,
      prompt_meta: { model: SERVICE_MODEL, messages, stream: true },
      test_cases: [],
      created_by: user?.id,
    };
    await post(this.#service, "/functions/v1/initiate-prompt-run", body, user?.token);
  }
}

interface User {
  readonly id: string;
  readonly token: string;
}

async function signUp(service: Service): Promise<User> {
  const answer = (await post(service, "/auth/v1/signup", {})) as {
    access_token: string;
    user: { id: string };
  };
  return { id: answer.user.id, token: answer.access_token };
}

async function post({ url }: Service, path: string, body: unknown, token = ANON_KEY): Promise<unknown> {
  const headers = { apikey: ANON_KEY, "content-type": "application/json", authorization: `Bearer ${token}` };
  const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`the emulator: ${response.status} ${await response.text()}`);
  return response.json();
}
