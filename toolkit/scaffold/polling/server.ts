/** What the upstream shows of a job. */
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

/** A job under way. */
export interface Job {
  readonly question: Question;
  readonly shown: Shown;
  readonly stopping: AbortController;
}

/** How the stand-in for the upstream behaves. */
export interface Behaviour {
  /** Refuses a request, or lets it through by giving nothing. */
  readonly refuse?: (request: Request) => Response | undefined;
  /** Works on a job: changes what it shows, until it is stopped. */
  readonly work: (job: Job) => void | Promise<void>;
  /** What a look gives; without it, the job as JSON. */
  readonly look?: (job: Job) => Response;
}

/** Serves the upstream's protocol on 127.0.0.1; port 0 is any that is free. */
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
