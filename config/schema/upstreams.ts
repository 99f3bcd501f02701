import { Type } from "@sinclair/typebox";
import { patterns, Share, strict, wait } from "./value-types.ts";
import { Limits } from "./keys.ts";

const Timeouts = Type.Object(
  {
    queue: wait("60s", "While the request waits for a free credential of the upstream."),
    connect: wait(
      "10s",
      "Until the connection stands, TLS included, where that can be told: by the plugin, or if the server is not reached through a proxy.",
    ),
    first_event: wait(
      "60s",
      "Until the first event of an answer that comes event by event; it begins when the credential is there.",
    ),
    idle: wait("60s", "Between two signs of life within an answer: events, pings, or pieces of a plain one."),
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
      description:
        "Whether it is used; empty is false. The options of a disabled upstream are not looked at.",
    }),
    optional: Type.Boolean({
      default: false,
      description: "Whether the gateway serves the other upstreams when this one can't be opened.",
    }),
    options: Type.Unknown({ default: {}, description: "What the plugin needs; see the plugin's own page." }),
    models: Type.Optional(
      patterns("Offer only these of the upstream's models: names and patterns. Without it, all of them."),
    ),
    timeouts: Timeouts,
    limits: Limits("How much the gateway asks of it, for all keys together."),
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
          description: "That upstream's own name for the model; without it, the asked one.",
        }),
      ),
      weight: Type.Number({
        minimum: 0,
        default: 1,
        description: "Its share under `weighted`, `least_busy` and `sticky`; 0 for a mere stand-in.",
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
      description: "The name a client asks for, or a pattern in which `*` stands for any characters.",
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
          "Which target is tried first: `failover` in the order written, `weighted` by chance and weight, `least_busy` the one with the fewest requests under way, `fastest` the quicker to its first event of two taken by chance, `sticky` always the same for a request's `user`, or else for its key. The others follow if it fails.",
      },
    ),
    targets: Type.Array(Target, {
      minItems: 1,
      description: "The upstreams that answer: names, or `{upstream, model, weight}`.",
    }),
    on_context_length: Type.Union([Type.Literal("fail"), Type.Literal("next")], {
      default: "fail",
      description:
        "What to do when a target says that the conversation is too long for it: tell the client, or try the next target.",
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
    backoff: wait("200ms", "The pause before the same target is tried again; it doubles each time."),
    budget: Share({
      default: "20%",
      description:
        "How many of an upstream's calls within 10 s may be such repetitions; 3 of them are always allowed.",
    }),
  },
  {
    ...strict,
    default: {},
    description: "When a request is tried again. What has begun to be answered never is.",
  },
);

/** The schema of `health`. */
export const Health = Type.Object(
  {
    window: wait("30s", "How far back failures count."),
    failures: Type.Integer({
      minimum: 1,
      default: 5,
      description:
        "So many failures within the window, and at least half of all calls, and the target is rested.",
    }),
    cooldown: wait("30s", "How long it is rested, before one request may try it again."),
  },
  {
    ...strict,
    default: {},
    description: "When a target that fails is left alone (a circuit breaker per target).",
  },
);
