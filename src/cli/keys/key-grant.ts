import type { Static } from "@sinclair/typebox";
import { checkValue } from "../../../config/check.ts";
import { ConfigDocument } from "../../../config/document/document.ts";
import { Key } from "../../../config/schema/keys.ts";
import type { Grant } from "../../keys/keyring.ts";

/** The path of each option of `keys create` in an entry of `keys`. */
const CONFIG_PATHS = {
  models: "models",
  "requests-per-minute": "limits.requests_per_minute",
  "requests-per-day": "limits.requests_per_day",
  "tokens-per-minute": "limits.tokens_per_minute",
  "concurrent-requests": "limits.concurrent_requests",
  "budget-usd": "budget.usd",
  "budget-tokens": "budget.tokens",
  "budget-per": "budget.per",
  expires: "expires",
} as const;

/** An option of `keys create`. */
export type GrantOption = keyof typeof CONFIG_PATHS;

/** All options of `keys create`, in the order of an entry of `keys`. */
export const GRANT_OPTIONS = Object.keys(CONFIG_PATHS) as readonly GrantOption[];

/**
 * What the options of `keys create` say a key may do, by the rules for `keys` in gateway.yaml; or what is wrong with
 * them, a line each.
 */
export function parseGrant(
  name: string,
  options: Readonly<Partial<Record<GrantOption, string>>>,
): Grant | readonly string[] {
  const { value, problems } = checkValue(Key, entryOf(name, options), {
    document: new ConfigDocument("", undefined),
    path: [],
  });
  if (problems.length > 0) {
    return problems.map(
      ({ path, message, hint }) => `${optionAt(path)}: ${message}${hint ? ` (${hint})` : ""}`,
    );
  }
  const grant = value as Static<typeof Key>;
  if (grant.budget && grant.budget.usd === undefined && grant.budget.tokens === undefined) {
    return ["--budget-per: of what? give --budget-usd, --budget-tokens or both"];
  }
  if (grant.expires !== undefined && grant.expires <= Date.now()) {
    return ["--expires: that time is over already"];
  }
  return grant;
}

/** Returns the options as an entry of `keys`. */
function entryOf(
  name: string,
  options: Readonly<Partial<Record<GrantOption, string>>>,
): Record<string, unknown> {
  const entry: Record<string, unknown> = { name };
  for (const option of GRANT_OPTIONS) {
    const text = options[option];
    if (text === undefined) continue;
    const [section = "", key] = CONFIG_PATHS[option].split(".");
    if (key === undefined)
      entry[section] = option === "models" ? text.split(",").map((model) => model.trim()) : text;
    else entry[section] = { ...(entry[section] as object | undefined), [key]: numberIn(text) };
  }
  return entry;
}

/** Converts a text to a number; any other text stays, for the check to report. */
function numberIn(text: string): string | number {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function optionAt(path: string): string {
  const option = GRANT_OPTIONS.find((name) => CONFIG_PATHS[name] === path.replace(/\[\d+\]$/, ""));
  return option === undefined ? path.toUpperCase() : `--${option}`;
}
