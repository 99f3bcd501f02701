import type { GatewayFile } from "./schema/gateway.ts";

type Immutable<Part> = Part extends object ? { readonly [Name in keyof Part]: Immutable<Part[Name]> } : Part;
type File = Immutable<GatewayFile>;
type WrittenRoute = File["routes"][number];

/** What the gateway is built from: gateway.yaml after all checks, with durations in ms and sizes in bytes. */
export interface Settings extends Omit<File, "routes"> {
  readonly routes: readonly RouteSettings[];
}

/** Where the gateway listens, with durations in ms and sizes in bytes. */
export type ServerSettings = File["server"];

/** A client's key; exactly one of `key` and `key_sha256`, in lower case, is set, and `expires` is in ms since 1970. */
export type KeySettings = File["keys"][number];

/** How much may be asked; a limit that is left out is none, and all others are whole numbers of at least 1. */
export type LimitSettings = KeySettings["limits"];

/** What may be spent within a calendar day, week (from Monday) or month, in UTC; `usd`, `tokens` or both are set. */
export type BudgetSettings = NonNullable<KeySettings["budget"]>;

/** One upstream; its `options` are expanded but not yet checked by the plugin's schema. */
export type UpstreamSettings = File["upstreams"][string];

/** The deadlines of one attempt in ms, all of them more than 0 and within a timer's reach. */
export type TimeoutSettings = UpstreamSettings["timeouts"];

/** A model's name or pattern, and the targets it leads to; a target's upstream may be disabled. */
export interface RouteSettings extends Omit<WrittenRoute, "targets"> {
  readonly targets: readonly Exclude<WrittenRoute["targets"][number], string>[];
}

/** When a request is tried again, with the budget as a share from 0 to 1. */
export type RetrySettings = File["retry"];

/** Which answers are cached; a `max_size` of 0 turns the cache off. */
export type CacheSettings = File["cache"];

/** What is kept between the requests of a conversation; a `max_size` of 0 keeps nothing. */
export type ResponsesSettings = File["responses"];

/** What outlives a restart, with the database as `sqlite:PATH`, the path as written. */
export type StorageSettings = File["storage"];

/** Brings a checked file into the shape that the gateway is built from. */
export function toSettings(file: GatewayFile): Settings {
  // Without a prototype, looking up an upstream called `constructor` finds one or nothing.
  const upstreams = Object.assign(Object.create(null) as Settings["upstreams"], file.upstreams);
  const { max_entry, max_size } = file.cache;
  return {
    ...file,
    // No entry is larger than the whole cache, unless there is none.
    cache: { ...file.cache, max_entry: max_size === 0 ? max_entry : Math.min(max_entry, max_size) },
    keys: file.keys.flatMap(toKey),
    upstreams,
    routes: file.routes.map((route) => ({ ...route, targets: route.targets.map(toTarget) })),
  };
}

/** Leaves out an entry whose key is empty. */
function toKey({ key: written = "", key_sha256, ...rest }: KeySettings): KeySettings[] {
  const key = written.trim();
  if (key !== "") return [{ ...rest, key }];
  return key_sha256 ? [{ ...rest, key_sha256: key_sha256.toLowerCase() }] : [];
}

function toTarget(target: WrittenRoute["targets"][number]): RouteSettings["targets"][number] {
  return typeof target === "string" ? { upstream: target, weight: 1 } : target;
}
