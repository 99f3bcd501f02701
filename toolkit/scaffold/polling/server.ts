/** The state of a job that the upstream returns. */
export interface Shown {
  state: "running" | "done";
  text: string;
  end?: "stop" | "length" | "content_filter";
  tokens?: { read: number; written: number };
  error?: string;
}

export interface Question {
  readonly messages: readonly { readonly content: string }[];
}

/** A running job. */
export interface Job {
  readonly question: Question;
  readonly shown: Shown;
  readonly stopping: AbortController;
}

/** The behaviour of the emulated upstream. */
export interface Behaviour {
  /** Returns the response that refuses a request, or undefined to accept it. */
  readonly refuse?: (request: Request) => Response | undefined;
  /** Runs a job: changes its state until it is stopped. */
  readonly work: (job: Job) => void | Promise<void>;
  /** Returns the response to a poll. Default: the job as JSON. */
  readonly look?: (job: Job) => Response;
}

/** Serves the upstream's protocol on 127.0.0.1. Port 0 picks a free one. */
export function serve(port: number, { refuse, work, look = ({ shown }) => Response.json(shown) }: Behaviour) {
  const jobs = new Map<string, Job>();
  const running = (): number =>
    [...jobs.values()].filter(({ shown, stopping }) => shown.state === "running" && !stopping.signal.aborted)
      .length;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    routes: {
      "/models": () => Response.json({ models: ["small", "large"] }),
      "/jobs": async (request) => {
        const refusal = refuse?.(request);
        if (refusal) return refusal;
        const question = (await request.json()) as Question;
        const job: Job = { question, shown: { state: "running", text: "" }, stopping: new AbortController() };
        const id = crypto.randomUUID();
        jobs.set(id, job);
        void work(job);
        return Response.json({ job: id });
      },
      "/jobs/:id": (request) => {
        const job = jobs.get(request.params.id);
        if (!job) return Response.json({ message: "there is no such job" }, { status: 404 });
        if (request.method !== "DELETE") return look(job);
        job.stopping.abort();
        return new Response(null, { status: 204 });
      },
    },
  });
  return { server, running };
}
