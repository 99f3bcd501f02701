import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { Duration, Secret } from "../../src/contract/options.ts";
import { Size, strict, wait } from "./value-types.ts";
import { Key, KeyDefaults } from "./keys.ts";
import { Health, Retry, Route, Upstream } from "./upstreams.ts";

const Server = Type.Object(
  {
    host: Type.String({
      minLength: 1,
      default: "127.0.0.1",
      description: "The address to listen on; `0.0.0.0` for all interfaces.",
    }),
    port: Type.Integer({
      minimum: 0,
      maximum: 65_535,
      default: 8088,
      description: "The port to listen on; 0 lets the system choose one.",
    }),
    cors_origins: Type.Array(
      Type.String({
        pattern: "^(\\*|[a-z][a-z0-9+.-]*://[^/\\s]+)$",
        title: '"*" or an origin such as https://chat.example.com, without a path',
      }),
      {
        default: ["*"],
        description:
          'The browser origins that may call the API; `["*"]` for any, `[]` for none. Cookies are never used.',
      },
    ),
    max_body: Size({ default: "32MiB", minimum: 1, description: "The largest body of one request." }),
    max_bodies: Size({
      default: "256MiB",
      minimum: 1,
      description: "The sum of all request bodies in memory; beyond it new requests get 503.",
    }),
    early_headers: wait(
      "15s",
      "How long a stream's headers are held back for the answer's first event; then a 200 and comment lines are sent.",
    ),
    drain: wait("30s", "How long running requests may go on after SIGTERM."),
  },
  { ...strict, default: {}, description: "Where the gateway listens, and the bounds of requests." },
);

const Storage = Type.Object(
  {
    database: Type.String({
      pattern: "^sqlite:\\S.*$",
      title: "sqlite: and a path, such as sqlite:./data/modelyard.db",
      default: "sqlite:./data/modelyard.db",
      description:
        "Where keys made at run time, the usage ledger and plugins' small state are kept; the path is from this file's folder.",
    }),
    secret: Type.Optional(
      Secret({
        sentAs: "text",
        minLength: 16,
        description:
          "Encrypts what plugins store; at least 16 characters, such as `openssl rand -hex 32` makes. Default: a random one, made at the first start and kept beside the database.",
      }),
    ),
    retention: Duration({
      default: "90d",
      minimum: 3_600_000,
      description: "How long rows of the usage ledger are kept; at least `1h`.",
    }),
  },
  { ...strict, default: {}, description: "What survives a restart." },
);

const Telemetry = Type.Object(
  {
    log: Type.Union([Type.Literal("pretty"), Type.Literal("json")], {
      default: "pretty",
      description: "The format of log lines.",
    }),
    level: Type.Union(
      [Type.Literal("debug"), Type.Literal("info"), Type.Literal("warn"), Type.Literal("error")],
      {
        default: "info",
        description:
          "The lowest level that is logged. At `debug` the log has upstreams' own messages, which may repeat a prompt.",
      },
    ),
  },
  { ...strict, default: {}, description: "The log." },
);

const Cache = Type.Object(
  {
    max_size: Size({
      default: "64MiB",
      minimum: 0,
      description:
        "The memory for cached answers; the least recently used are evicted. Answers in progress may take as much again. 0 turns the cache off.",
    }),
    max_entry: Size({
      default: "1MiB",
      minimum: 1,
      description:
        "The largest answer that is kept; at most `max_size`, which is the default where it is less. Requests that share the call of a larger answer follow the fastest reader: one that is more than 256 KiB behind gets an error in place of the rest.",
    }),
    ttl: Duration({ default: "10m", minimum: 1, description: "How long an answer is kept." }),
    mode: Type.Union([Type.Literal("off"), Type.Literal("deterministic"), Type.Literal("all")], {
      default: "deterministic",
      description:
        "Which requests use it: none, embeddings and those with `temperature: 0` or a `seed`, or all.",
    }),
    scope: Type.Union([Type.Literal("key"), Type.Literal("shared")], {
      default: "key",
      description: "Whether each key has its own answers, or all keys share them.",
    }),
  },
  { ...strict, default: {}, description: "The response cache: identical requests get the same answer." },
);

const Responses = Type.Object(
  {
    max_size: Size({
      default: "64MiB",
      minimum: 0,
      description:
        "The memory for answers and what they answered; the least recently used of the key that has most are evicted. 0 keeps nothing: a request must then have its whole conversation.",
    }),
    ttl: Duration({
      default: "1h",
      minimum: 1,
      description: "How long an answer is kept after its last use.",
    }),
  },
  {
    ...strict,
    default: {},
    description:
      "What `POST /v1/responses` keeps for `previous_response_id` and `item_reference`, for each key by itself. A restart forgets it.",
  },
);

/** The schema of gateway.yaml. Its descriptions become config/reference.md, its whole config/schema.json. */
export const GatewaySchema = Type.Object(
  {
    server: Server,
    keys: Type.Array(Key, {
      default: [],
      description:
        "The client keys. Without a usable entry a key is made at the first start and printed once.",
    }),
    key_defaults: KeyDefaults,
    upstreams: Type.Record(Type.String({ pattern: "^(?!\\d+$)[a-z0-9][a-z0-9_-]*$" }), Upstream, {
      ...strict,
      default: {},
      propertyNames: {
        description: "small letters, digits, - and _, with a letter or a digit first and not digits alone",
      },
      description: "The upstreams: each is a plugin with its options, under a name of your own.",
    }),
    routes: Type.Array(Route, {
      default: [],
      description:
        "Which model goes to which upstreams. Without a route it goes to the upstreams that list it, in the order of this file.",
    }),
    retry: Retry,
    health: Health,
    cache: Cache,
    responses: Responses,
    storage: Storage,
    prices: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          "A file of your own prices in USD per million tokens, in the format of Modelyard's `config/prices.yaml`; they take precedence over it. The path is from this file's folder.",
      }),
    ),
    telemetry: Telemetry,
  },
  strict,
);

/** The checked content of gateway.yaml: defaults filled in, durations in ms, sizes in bytes. */
export type GatewayFile = Static<typeof GatewaySchema>;
