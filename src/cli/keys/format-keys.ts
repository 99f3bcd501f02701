import type { BudgetSettings, LimitSettings } from "../../../config/settings.ts";
import type { Spent } from "../../ledger/ledger-row.ts";
import type { KnownKey } from "./known-keys.ts";
import { formatTable } from "../table.ts";
import { formatBudget, formatLimits } from "./format-limits.ts";

/** The usage of a key since a day such as `2027-01-01`, 0:00 UTC. */
export interface SpentSince extends Spent {
  readonly since: string;
}

/** A key as `--json` prints it, with times such as `2027-01-01T00:00:00.000Z`. */
export interface KeyJson {
  readonly name: string;
  readonly from: "gateway.yaml" | "database";
  readonly prefix: string | null;
  readonly made: string | null;
  readonly expires: string | null;
  readonly models: readonly string[];
  readonly limits: LimitSettings;
  readonly budget: BudgetSettings | null;
}

/** Converts a key to its JSON form. */
export function toKeyJson({ name, prefix, made, expires, models, limits, budget }: KnownKey): KeyJson {
  return {
    name,
    from: prefix === undefined ? "gateway.yaml" : "database",
    prefix: prefix ?? null,
    made: iso(made) ?? null,
    expires: iso(expires) ?? null,
    models,
    limits,
    budget: budget ?? null,
  };
}

/** Formats keys as a table with headings. */
export function formatKeyTable(keys: readonly KnownKey[]): string {
  return formatTable([
    ["name", "key", "made", "expires", "limits", "budget", "models"],
    ...keys.map((key) => [
      key.name,
      formatPrefix(key),
      iso(key.made)?.slice(0, 10) ?? "",
      formatExpiry(key.expires),
      formatLimits(key.limits),
      formatBudget(key.budget),
      key.models.join(", "),
    ]),
  ]);
}

/** Formats a key as lines, with the usage of its budget if it has one. */
export function formatKey(key: KnownKey, spent: SpentSince | undefined): string {
  const made = iso(key.made);
  return [
    `name     ${key.name}`,
    `key      ${formatPrefix(key)}${made === undefined ? "" : `, made ${formatTime(made)}`}`,
    `expires  ${formatExpiry(key.expires)}`,
    `models   ${key.models.join(", ")}`,
    `limits   ${formatLimits(key.limits)}`,
    `budget   ${formatBudget(key.budget)}`,
    ...(spent
      ? [`spent    ${spent.usd.toFixed(4)} USD and ${spent.tokens} tokens since ${spent.since}`]
      : []),
  ].join("\n");
}

function formatPrefix({ prefix }: KnownKey): string {
  return prefix === undefined ? "in gateway.yaml" : `${prefix}…`;
}

function formatExpiry(expires: number | undefined): string {
  const at = iso(expires);
  if (expires === undefined || at === undefined) return "never";
  return expires <= Date.now() ? `expired ${formatTime(at)}` : formatTime(at);
}

/** Formats a time, without the time of day where it is midnight, as people write it in gateway.yaml. */
function formatTime(time: string): string {
  return time.endsWith("T00:00:00.000Z") ? time.slice(0, 10) : `${time.slice(0, 16).replace("T", " ")} UTC`;
}

function iso(time: number | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString();
}
