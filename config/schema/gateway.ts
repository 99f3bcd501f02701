import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { Duration, Secret } from "../../src/contract/options.ts";
import { Cache } from "./cache.ts";
import { Moment, Size } from "./forms.ts";
import { Budget, KeyDefaults, Limits } from "./limits.ts";
import { Health, Retry, Route } from "./routing.ts";
import { strict, wait } from "./terms.ts";

function patterns(description: string) {
  return Type.Array(Type.String({ minLength: 1, title: "a model's name or a pattern such as gpt-4o*" }), {
    minItems: 1,
    description,
  });
}

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
      description: "All request bodies in memory at one time; beyond it new requests get 503.",
    }),
    early_headers: wait(
      "15s",
      "How long a stream's headers wait for the answer's first event; from then on a 200 and comment lines are sent.",
    ),
    drain: wait("30s", "How long running requests may go on after SIGTERM."),
  },
  { ...strict, default: {}, description: "Where the gateway listens, and what it takes in." },
);

/** One entry of `keys`. */
export const Key = Type.Object(
  {
    name: Type.String({
      pattern: "^\\S(.*\\S)?$",
      title: "a name without white space at its ends",
      description: "Who uses the key, for logs and usage. Each name once.",
    }),
    key: Type.Optional(
      Secret({
        minLength: 0,
        pattern: "^\\s*([!-~]{8,})?\\s*$",
        title: "at least 8 letters, digits and signs without white space",
        description: "The key itself. When it is empty the whole entry is left out.",
      }),
    ),
    // A secret because people take it for `key`, and what they wrote would stand in a report.
    key_sha256: Type.Optional(
      Secret({
        sentAs: "text",
        minLength: 0,
        pattern: "^([0-9a-fA-F]{64})?$",
        title: "a SHA-256 hash of 64 hexadecimal digits",
        description:
          "The key's SHA-256 hash, in place of `key`. When it is empty the whole entry is left out.",
      }),
    ),
    models: Type.Optional({
      ...patterns("What the key may ask for: names and patterns, in which `*` stands for any characters."),
      default: ["*"],
    }),
    limits: Limits("The key's own limits; those left out are the ones of `key_defaults`."),
    budget: Type.Optional(Budget),
    expires: Type.Optional(
      Moment({
        description:
          "Until when the key is good: `2027-01-01` (from 0:00 UTC no more) or `2027-01-01T12:00:00Z`.",
      }),
    ),
  },
  strict,
);

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

const Upstream = Type.Object(
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
          "Encrypts what plugins store; at least 16 characters, such as `openssl rand -hex 32` makes. Without it a random one is made at the first start and kept beside the database.",
      }),
    ),
    retention: Duration({
      default: "90d",
      minimum: 3_600_000,
      description: "How long the ledger keeps what was asked, by whom and at what cost; at least `1h`.",
    }),
  },
  { ...strict, default: {}, description: "What outlives a restart." },
);

const Telemetry = Type.Object(
  {
    log: Type.Union([Type.Literal("pretty"), Type.Literal("json")], {
      default: "pretty",
      description: "How log lines look.",
    }),
    level: Type.Union(
      [Type.Literal("debug"), Type.Literal("info"), Type.Literal("warn"), Type.Literal("error")],
      {
        default: "info",
        description:
          "The least important level that is logged. At `debug` upstreams' own words are, too, which may repeat a prompt.",
      },
    ),
  },
  { ...strict, default: {}, description: "What the gateway says about itself." },
);

/** The shape of gateway.yaml. Its descriptions become config/reference.md, its whole config/schema.json. */
export const GatewaySchema = Type.Object(
  {
    server: Server,
    keys: Type.Array(Key, {
      default: [],
      description:
        "Who may call the gateway. Without a usable entry a key is made at the first start and printed once.",
    }),
    key_defaults: KeyDefaults,
    upstreams: Type.Record(Type.String({ pattern: "^(?!\\d+$)[a-z0-9][a-z0-9_-]*$" }), Upstream, {
      ...strict,
      default: {},
      propertyNames: {
        description: "small letters, digits, - and _, with a letter or a digit first and not digits alone",
      },
      description: "Who answers: each upstream is a plugin with its options, under a name of your own.",
    }),
    routes: Type.Array(Route, {
      default: [],
      description:
        "Which model leads to which upstreams. Without a route a model leads to the upstreams that list it, in the order of this file.",
    }),
    retry: Retry,
    health: Health,
    cache: Cache,
    storage: Storage,
    prices: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          "A file of your own prices in USD per million tokens, in the form of Modelyard's `config/prices.yaml`, before which they go; the path is from this file's folder.",
      }),
    ),
    telemetry: Telemetry,
  },
  strict,
);

/** gateway.yaml as it was checked: defaults filled in, durations in ms, sizes in bytes. */
export type GatewayFile = Static<typeof GatewaySchema>;
