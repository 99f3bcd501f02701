import type { Fixtures, Scenario, TestUpstream } from "modelyard/conformance";
import { serve } from "./server.ts";
import type { Job } from "./server.ts";

const KEY = "key-for-tests-0123456789";

/** The test upstream for the conformance kit. */
const fixtures: Fixtures = {
  model: "small",
  upstream: start,
  handled: { stream_options: "the gateway itself gives the usage chunk" },
  unsupported: {
    tools: "the upstream knows no tools",
    reasoning: "the upstream gives no reasoning",
    pages: "the upstream lists all its models at once",
    joined: "the end is shown with the whole text, always",
    split: "a look shows a whole text",
  },
};

export default fixtures;

function start(scenario: Scenario): TestUpstream {
  const received: string[] = [];
  let sent = 0;
  const { server, running } = serve(0, {
    refuse: (request) => refusal(scenario, request),
    work(job) {
      received.push(JSON.stringify(job.question));
      play(scenario, job);
    },
    look(job) {
      const text = look(scenario, job);
      sent += text.length;
      return new Response(text, { headers: { "content-type": "application/json" } });
    },
  });
  return {
    options: { base_url: `http://127.0.0.1:${server.port}`, api_key: KEY },
    received,
    get active() {
      return running();
    },
    get sent() {
      return sent;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function refusal(
  { name, errorMessage, retryAfterSeconds }: Scenario,
  request: Request,
): Response | undefined {
  const body = { message: errorMessage };
  const isKnown = request.headers.get("authorization") === `Bearer ${KEY}`;
  if (name === "refused" || !isKnown) return Response.json(body, { status: 401 });
  if (name === "broken") return Response.json(body, { status: 500 });
  if (name === "filtered") return Response.json({ ...body, code: "content_filter" }, { status: 400 });
  if (name === "oversized") return Response.json(body, { status: 413 });
  const status = name === "spent" ? 402 : name === "limited" ? 429 : undefined;
  return status && Response.json(body, { status, headers: { "retry-after": String(retryAfterSeconds) } });
}

function play({ name, answer, errorMessage }: Scenario, { shown }: Job): void {
  const texts = answer.events.map((event) => (event.type === "text" ? event.text : ""));
  const breaks = ["stall", "cut", "garbage", "failing"].includes(name);
  if (["silent", "begun", "endless"].includes(name)) return;
  shown.text = (breaks ? texts.slice(0, texts.length / 2) : texts).join("");
  if (breaks) return void (name === "failing" && setTimeout(() => (shown.error = errorMessage), 20));
  shown.state = "done";
  if (name === "end") return;
  shown.end = answer.finish === "tool_calls" ? "stop" : answer.finish;
  shown.tokens = { read: answer.usage.input, written: answer.usage.output };
}

/** Sets the state of the first poll; a failure shows in the next one. */
const looked = new WeakSet<Job>();

function look({ name, answer }: Scenario, job: Job): string {
  if (name === "endless") job.shown.text += JSON.stringify(answer.events);
  const isFirst = !looked.has(job);
  looked.add(job);
  if (!isFirst && name === "garbage") return "}{ <html>";
  if (!isFirst && name === "cut") return '{"state":"runn';
  return JSON.stringify(job.shown);
}
