import type { ConfigDocument, Path } from "./document/document.ts";
import { nearestName } from "./nearest.ts";
import { matchesPattern } from "./pattern.ts";
import { formatPath } from "./problem.ts";
import type { Problem } from "./problem.ts";
import type { GatewayFile } from "./schema/gateway.ts";
import { isMap } from "./schema/walk.ts";

/** A file whose shape was checked; values whose path isn't in `invalid` can be relied on. */
export interface CheckedFile {
  readonly document: ConfigDocument;
  readonly value: Partial<GatewayFile>;
  /** The paths that have a problem at them or inside them, as `invalidPaths` returns them. */
  readonly invalid: ReadonlySet<string>;
}

/** Returns the paths of problems and of the values around them. */
export function invalidPaths(problems: readonly Problem[]): ReadonlySet<string> {
  const ends = (path: string) => [...path.matchAll(/[.[]/g)].map(({ index }) => path.slice(0, index));
  return new Set(problems.flatMap(({ path }) => [path, ...ends(path)]));
}

/** Checks what the schema can't express: how the parts of the file go together. Invalid parts are skipped. */
export function checkRules(file: CheckedFile): Problem[] {
  const size = [...checkBodies(file), ...checkCache(file)];
  return [...size, ...checkKeys(file), ...checkBudgets(file), ...checkUpstreams(file), ...checkRoutes(file)];
}

/** Returns whether there is a value at a path without a problem at it or inside it. */
export function isValid(file: CheckedFile, path: Path): boolean {
  return !file.invalid.has(formatPath(path)) && file.document.node(path) !== undefined;
}

function checkBodies({ document, value, invalid }: CheckedFile): Problem[] {
  const { max_body, max_bodies } = value.server ?? {};
  if (typeof max_body !== "number" || typeof max_bodies !== "number" || max_body <= max_bodies) return [];
  if (invalid.has("server.max_body") || invalid.has("server.max_bodies")) return [];
  const message = `one request may be larger (${max_body} bytes) than all together (max_bodies, ${max_bodies} bytes)`;
  return [document.problem(["server", "max_body"], { message, hint: "raise max_bodies, or lower max_body" })];
}

function checkCache(file: CheckedFile): Problem[] {
  const { document, value, invalid } = file;
  const { max_size, max_entry } = value.cache ?? {};
  if (typeof max_size !== "number" || typeof max_entry !== "number") return [];
  if (invalid.has("cache.max_size") || invalid.has("cache.max_entry")) return [];
  // What nobody wrote is the default, which is cut to the whole cache.
  if (max_size === 0 || max_entry <= max_size || !isValid(file, ["cache", "max_entry"])) return [];
  const message = `one entry may be larger (${max_entry} bytes) than the whole cache (max_size, ${max_size} bytes)`;
  return [document.problem(["cache", "max_entry"], { message, hint: "raise max_size, or lower max_entry" })];
}

function checkBudgets(file: CheckedFile): Problem[] {
  return entriesOf(file.value.keys).flatMap(([index, entry]) => {
    const at = ["keys", index, "budget"];
    if (!isValid(file, at) || !isMap(entry?.budget)) return [];
    const { usd, tokens } = entry.budget;
    if (usd !== undefined || tokens !== undefined) return [];
    const hint = "give one of them or both, such as  budget: { usd: 20, per: month }";
    return [file.document.problem(at, { message: "neither usd nor tokens is given", hint })];
  });
}

function checkKeys(file: CheckedFile): Problem[] {
  const { document, value } = file;
  // A name is taken whatever else is wrong with its entry.
  const named = entriesOf(value.keys).filter(([index]) => isValid(file, ["keys", index, "name"]));
  const names = new Map<string, number>();
  const secrets = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [index, entry] of named) {
    const at = ["keys", index];
    const same = names.get(entry.name);
    if (same !== undefined) {
      const message = `the name is taken by keys[${same}]`;
      problems.push(document.problem([...at, "name"], { message, hint: "give each key its own name" }));
    }
    names.set(entry.name, same ?? index);
    if (isValid(file, at)) problems.push(...checkSecret(file, index, secrets));
  }
  return problems;
}

/** Checks the key or hash of one entry; `secrets` maps the hashes of earlier entries to their names. */
function checkSecret(file: CheckedFile, index: number, secrets: Map<string, string>): Problem[] {
  const { document, value } = file;
  const entry = value.keys?.[index];
  const at = ["keys", index];
  const written = ["key", "key_sha256"].some((name) => document.node([...at, name]) !== undefined);
  if (entry === undefined) return [];
  if (!written) {
    const message = "neither key nor key_sha256 is given";
    return [document.problem(at, { message, hint: "give one of them; both empty leave the entry out" })];
  }
  const key = entry.key?.trim();
  if (key && entry.key_sha256) {
    return [document.problem(at, { message: "both key and key_sha256 are given", hint: "give one of them" })];
  }
  const hash = key ? sha256(key) : entry.key_sha256?.toLowerCase();
  if (!hash) return [];
  const same = secrets.get(hash);
  secrets.set(hash, same ?? entry.name);
  if (same === undefined) return [];
  const path = [...at, key ? "key" : "key_sha256"];
  const message = `the same key as that of ${JSON.stringify(same)}`;
  return [document.problem(path, { message, hint: "give each entry its own key" })];
}

function checkUpstreams({ document, value, invalid }: CheckedFile): Problem[] {
  const upstreams = Object.entries(value.upstreams ?? {});
  // A wrong upstream may have been meant to be enabled.
  if (invalid.has("upstreams") || upstreams.some(([, upstream]) => upstream.enabled)) return [];
  const position = document.keyPosition(["upstreams"]);
  if (upstreams.length === 0) {
    const hint = "the smallest one is:  upstreams: { demo: { plugin: echo } }";
    return [document.problem(["upstreams"], { message: "no upstream is given", hint, position })];
  }
  const reasons = upstreams.map(([name]) => {
    const node = document.node(["upstreams", name, "enabled"]);
    return `${name} (enabled: ${(node?.kind === "scalar" && node.expanded?.source) || "false"})`;
  });
  const hint = `enable one of ${reasons.join(", ")}`;
  return [document.problem(["upstreams"], { message: "no upstream is enabled", hint, position })];
}

function checkRoutes(file: CheckedFile): Problem[] {
  const sound = entriesOf(file.value.routes).filter(([index]) => isValid(file, ["routes", index, "model"]));
  const exact = new Map<string, Numbered>();
  const patterns: Numbered[] = [];
  const problems: Problem[] = [];
  for (const numbered of sound) {
    const [index, { model }] = numbered;
    // An exact name is looked up before all patterns, so no pattern hides it.
    const before = model.includes("*")
      ? patterns.find(([, earlier]) => matchesPattern(earlier.model, model))
      : exact.get(model);
    if (before) problems.push(unreachableRoute(file, index, before));
    else if (model.includes("*")) patterns.push(numbered);
    else exact.set(model, numbered);
  }
  return [...problems, ...checkTargets(file)];
}

type Numbered = readonly [number, { readonly model: string }];

function unreachableRoute(file: CheckedFile, index: number, before: Numbered): Problem {
  const path = ["routes", index, "model"];
  const [first, { model }] = before;
  const { line } = file.document.valuePosition(["routes", first, "model"]);
  const same = model === file.value.routes?.[index]?.model;
  const message = same
    ? `the same as routes[${first}] in line ${line}`
    : `never reached: routes[${first}] in line ${line} takes all that it could`;
  const hint = same ? "put all targets into one route" : "put the narrower pattern first";
  return file.document.problem(path, { message, hint });
}

function checkTargets(file: CheckedFile): Problem[] {
  const { document, value } = file;
  const upstreams = document.node(["upstreams"]);
  const known = new Set(upstreams?.kind === "map" ? upstreams.entries.keys() : []);
  return entriesOf(value.routes).flatMap(([index, route]) =>
    entriesOf(route?.targets).flatMap(([position, target]) => {
      const at = ["routes", index, "targets", position];
      const path = typeof target === "string" ? at : [...at, "upstream"];
      const name = typeof target === "string" ? target : target?.upstream;
      if (!isValid(file, path) || typeof name !== "string" || known.has(name)) return [];
      return [
        document.problem(path, {
          message: "there is no upstream of this name",
          hint: unknownHint(name, known),
        }),
      ];
    }),
  );
}

function unknownHint(name: string, known: ReadonlySet<string>): string {
  const meant = nearestName(name, known);
  if (meant !== undefined) return `did you mean ${meant}?`;
  return known.size === 0 ? "no upstream is given" : `upstreams are ${[...known].join(", ")}`;
}

/** Returns the entries of a list with their positions, and none of any other value. */
function entriesOf<Entry>(list: readonly Entry[] | undefined): readonly (readonly [number, Entry])[] {
  return Array.isArray(list) ? list.map((entry: Entry, index) => [index, entry] as const) : [];
}

function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}
