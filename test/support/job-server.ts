/** What the job server knows its client by. */
export const TOKEN = "job-token-0123456789";

/** A server with ways of its own: jobs that are looked at again and again, and errors with status 200. */
export interface JobServer extends AsyncDisposable {
  readonly url: string;
  /** The prompts of the jobs that were made. */
  readonly prompts: readonly string[];
  /** The jobs that were told to stop. */
  readonly cancelled: readonly string[];
  /** The job that is looked at next. */
  looked(): Promise<string>;
  /** The job that is told to stop next. */
  cancelling(): Promise<string>;
  /** Holds the ticket of the next job back until it is let go. */
  holdTicket(): HeldTicket;
}

/** A job that was begun, and whose ticket hasn't been given. */
export interface HeldTicket {
  /** Comes true when the job was begun. */
  readonly begun: Promise<void>;
  letGo(): void;
}

const TALE = { tokens: { asked: 2, said: 4 } };

/** A look that is never answered. */
const SILENCE = {};

/** A look that the server, being overloaded, refuses. */
const DOWN = {};

/** What the looks at an engine's jobs show, one after the other; the last one again and again. */
const LOOKS: Readonly<Record<string, readonly object[]>> = {
  tale: [
    { state: "running", said: "Once " },
    { state: "running", said: "Once upon a " },
    { state: "done", said: "Once upon a time.", ...TALE },
  ],
  broken: [{ state: "running" }, failure("ENGINE_FIRE", "the engine is on fire")],
  fickle: [
    { state: "running", said: "Yes" },
    { state: "running", said: "No" },
  ],
  endless: [{ state: "running", said: "Once" }],
  mute: [SILENCE],
  falling: [{ state: "running", said: "Once" }, DOWN],
  fallen: [DOWN],
  "slow-down": [],
};

function failure(code: string, text: string, more: object = {}): object {
  return { error: { code, text, ...more } };
}

/** Starts one on the loopback. */
export function jobServer(): JobServer {
  const jobs = new Jobs();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const reply = await jobs.reply(request);
      return Response.json(reply, { status: reply === DOWN ? 503 : 200 });
    },
  });
  return {
    url: server.url.origin,
    prompts: jobs.prompts,
    cancelled: jobs.cancelled,
    looked: () => (jobs.nextLook = Promise.withResolvers<string>()).promise,
    cancelling: () => (jobs.nextCancel = Promise.withResolvers<string>()).promise,
    holdTicket: () => jobs.holdTicket(),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

class Jobs {
  readonly prompts: string[] = [];
  readonly cancelled: string[] = [];
  nextLook = Promise.withResolvers<string>();
  nextCancel = Promise.withResolvers<string>();
  #giveTicket: () => Promise<void> = async () => {};
  readonly #left = new Map<string, object[]>();

  holdTicket(): HeldTicket {
    const begun = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    this.#giveTicket = () => {
      this.#giveTicket = async () => {};
      begun.resolve();
      return held.promise;
    };
    return { begun: begun.promise, letGo: held.resolve };
  }

  async reply(request: Request): Promise<object> {
    if (request.headers.get("x-token") !== TOKEN) return failure("BAD_TOKEN", "a token that nobody knows");
    const { pathname } = new URL(request.url);
    if (pathname === "/engines") return { engines: Object.keys(LOOKS) };
    if (request.method === "POST") return this.#make((await request.json()) as Asked);
    const job = pathname.replace("/jobs/", "");
    return request.method === "DELETE" ? this.#cancel(job) : this.#look(job);
  }

  async #make({ engine, prompt }: Asked): Promise<object> {
    const looks = LOOKS[engine];
    if (!looks) return failure("NO_ENGINE", `no engine ${engine}`);
    if (looks.length === 0) return failure("SLOW_DOWN", "one at a time", { wait_seconds: 7 });
    this.prompts.push(prompt);
    const job = `j${this.prompts.length}`;
    this.#left.set(job, [...looks]);
    await this.#giveTicket();
    return { job };
  }

  #look(job: string): object | Promise<never> {
    this.nextLook.resolve(job);
    const left = this.#left.get(job) ?? [failure("NO_JOB", `no job ${job}`)];
    const shown = left.length > 1 ? left.shift() : left[0];
    return shown && shown !== SILENCE ? shown : new Promise<never>(() => {});
  }

  #cancel(job: string): object {
    this.#left.delete(job);
    this.cancelled.push(job);
    this.nextCancel.resolve(job);
    return {};
  }
}

interface Asked {
  readonly engine: string;
  readonly prompt: string;
}
