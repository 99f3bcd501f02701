import { Type } from "@sinclair/typebox";
import { patterns, Share, strict, wait } from "./value-types.ts";
import { Limits } from "./keys.ts";

const Timeouts = Type.Object(
  {
    queue: wait("60s", "While the request waits for a free credential of the upstream."),
    connect: wait(
      "10s",
      "Until the connection is established, TLS included. Counts where the plugin reports it, or if no proxy is in between.",
    ),
    first_event: wait(
      "60s",
      "Until the first event of an answer that arrives event by event; starts when a credential is available.",
    ),
    idle: wait("60s", "Between two events, keep-alive pings or pieces of an answer."),
    total: wait("10m", "For the whole answer."),
  },
  { ...strict, default: {}, description: "The deadlines of one attempt to answer a request." },
);

/** The schema of an entry of `upstreams`. */
export const Upstream = Type.Object(
  {
    plugin: Type.String({
      minLength: 1,
      description:
        "A built-in plugin's name, a path such as `./plugins/mine.ts` (from this file's folder), or an npm package.",
    }),
    enabled: Type.Boolean({
      default: true,
      description: "Whether it is used; empty is false. The options of a disabled upstream are not checked.",
    }),
    optional: Type.Boolean({
      default: false,
      description: "Whether the gateway serves the other upstreams when this one can't be opened.",
    }),
    options: Type.Unknown({ default: {}, description: "The plugin's options; see the plugin's own page." }),
    models: Type.Optional(
      patterns("Offer only these of the upstream's models: names and patterns. Without it, all of them."),
    ),
    timeouts: Timeouts,
    limits: Limits("The limits of this upstream, for all keys together."),
  },
  strict,
);

const Target = Type.Union([
  Type.String({ minLength: 1, title: "an upstream's name" }),
  Type.Object(
    {
      upstream: Type.String({ minLength: 1, description: "The upstream's name." }),
      model: Type.Optional(
        Type.String({
          minLength: 1,
          description: "That upstream's own name for the model; default: the requested name.",
        }),
      ),
      weight: Type.Number({
        minimum: 0,
        default: 1,
        description:
          "Its share under `weighted`, `least_busy` and `sticky`; with 0 it is only used when the others fail.",
      }),
    },
    { ...strict, title: "{upstream, model, weight}" },
  ),
]);

/** The schema of an entry of `routes`. */
export const Route = Type.Object(
  {
    model: Type.String({
      minLength: 1,
      description: "The requested name, or a pattern in which `*` stands for any characters.",
    }),
    strategy: Type.Union(
      [
        Type.Literal("failover"),
        Type.Literal("weighted"),
        Type.Literal("least_busy"),
        Type.Literal("fastest"),
        Type.Literal("sticky"),
      ],
      {
        default: "failover",
        description:
          "Which target is tried first: `failover` in the order written, `weighted` at random by weight, `least_busy` the one with the fewest running requests, `fastest` of two random ones the faster to its first event, `sticky` always the same for a request's `user`, or else for its key. The others follow if it fails.",
      },
    ),
    targets: Type.Array(Target, {
      minItems: 1,
      description: "The upstreams that answer: names, or `{upstream, model, weight}`.",
    }),
    on_context_length: Type.Union([Type.Literal("fail"), Type.Literal("next")], {
      default: "fail",
      description:
        "What to do when a conversation is too long for a target: return the error, or try the next target.",
    }),
  },
  strict,
);

/** The schema of `retry`. */
export const Retry = Type.Object(
  {
    attempts: Type.Integer({
      minimum: 1,
      maximum: 20,
      default: 3,
      description: "The most calls to upstreams for one request, before the first event of an answer.",
    }),
    backoff: wait("200ms", "The pause before the same target is retried; it doubles each time."),
    budget: Share({
      default: "20%",
      description:
        "The share of an upstream's calls within 10 s that may be retries; 3 of them are always allowed.",
    }),
  },
  {
    ...strict,
    default: {},
    description: "When a failed request is retried. After the first event of an answer it never is.",
  },
);

/** The schema of `health`. */
export const Health = Type.Object(
  {
    window: wait("30s", "The period in which failures are counted."),
    failures: Type.Integer({
      minimum: 1,
      default: 5,
      description:
        "Failed requests within the window that open the circuit, if they are at least half of all.",
    }),
    cooldown: wait("30s", "How long an open circuit gets no requests, before one may try the target."),
  },
  {
    ...strict,
    default: {},
    description: "The circuit breaker of each target.",
  },
);
