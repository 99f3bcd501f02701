import { parseArgs } from "node:util";
import { messageOf } from "../log.ts";
import type { UsageGrouping, UsageQuery, UsageRow } from "../ledger/ledger-store.ts";
import { withLedger } from "./ledger-file.ts";
import { formatTable } from "./table.ts";

const USAGE = `usage: bun run modelyard usage [--by key|model|day|upstream] [--since 7d|2026-01-31] [--json] [--config PATH]`;
const GROUPINGS: readonly UsageGrouping[] = ["key", "model", "day", "upstream"];
const DAY_MS = 86_400_000;

/** Runs `usage`, which prints requests, tokens and costs from the daily sums (UTC), which outlive the rows. */
export async function usage(argv: readonly string[]): Promise<number> {
  const command = parseArguments(argv);
  if (typeof command === "string") {
    console.error(`${command}\n${USAGE}`);
    return 2;
  }
  const rows = (await withLedger(argv, (ledger) => ledger.usage(command.query))) ?? [];
  if (command.json) console.log(JSON.stringify(rows, null, 2));
  else if (rows.length === 0) console.log("No request has ended yet in that time.");
  else
    console.log(
      formatTable([[command.query.by, ...Object.keys(COUNTS), "USD"], ...rows.map(formatRow)], {
        numbers: true,
      }),
    );
  return 0;
}

/** Parses the arguments, or returns what is wrong with them. */
function parseArguments(
  argv: readonly string[],
): { readonly query: UsageQuery; readonly json: boolean } | string {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        config: { type: "string" },
        by: { type: "string", default: "key" },
        since: { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
    const by = GROUPINGS.find((grouping) => grouping === values.by);
    if (!by) return `--by ${values.by}: it goes by ${GROUPINGS.join(", ")}`;
    const since = values.since === undefined ? undefined : parseTime(values.since);
    if (Number.isNaN(since)) return `--since ${values.since}: write days, as 7d, or a date, as 2026-01-31`;
    return { query: { by, since }, json: values.json };
  } catch (error) {
    return messageOf(error);
  }
}

/** Returns milliseconds since 1970, or NaN for an invalid time. */
function parseTime(text: string): number {
  const days = /^(\d{1,5})d$/.exec(text)?.[1];
  if (days !== undefined) return Date.now() - Number(days) * DAY_MS;
  const at = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  // There is no 30th of February, though it can be parsed.
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text) ? at : Number.NaN;
}

/** The columns of counts: the member of a row by its heading. */
const COUNTS = {
  requests: "requests",
  ok: "ok",
  aborted: "client_abort",
  failed: "upstream_error",
  cut: "truncated",
  crashed: "crashed",
  hits: "hits",
  saved: "saved",
  input: "input",
  cached: "cachedInput",
  output: "output",
  reasoning: "reasoning",
} as const satisfies Record<string, keyof UsageRow>;

function formatRow(row: UsageRow): string[] {
  const counts = Object.values(COUNTS).map((member) => String(row[member]));
  const unpriced = row.unpriced > 0 ? ` + ${row.unpriced} unpriced` : "";
  return [row.name === "" ? "(none)" : row.name, ...counts, `${row.cost.toFixed(4)}${unpriced}`];
}
