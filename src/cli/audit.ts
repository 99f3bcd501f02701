import { parseArgs } from "node:util";
import { messageOf } from "../log.ts";
import { withLedger } from "./ledger-file.ts";

const USAGE = `usage: bun run modelyard audit [--config PATH]`;

/** Runs `audit`, which proves that the usage accounting is consistent; returns exit code 1 where it isn't. */
export async function audit(argv: readonly string[]): Promise<number> {
  try {
    parseArgs({ args: [...argv], options: { config: { type: "string" } } });
  } catch (error) {
    console.error(`${messageOf(error)}\n${USAGE}`);
    return 2;
  }
  const report = await withLedger(argv, (ledger) => ledger.audit());
  if (!report) {
    console.log("There is no usage ledger yet: the gateway has not been started.");
    return 0;
  }
  for (const { claim, holds } of report.checks) console.log(`${holds ? "ok    " : "BROKEN"} ${claim}`);
  const { rows, pruned, running, dropped } = report;
  console.log(`${rows} rows, ${pruned} pruned, ${running} of running requests, ${dropped} without a row`);
  if (dropped > 0)
    console.log("Requests without a row were answered while the database couldn't be written.");
  const broken = report.checks.filter(({ holds }) => !holds).length;
  console.log(
    broken === 0 ? "The books balance." : `The books do NOT balance: ${broken} of the claims are broken.`,
  );
  return broken === 0 ? 0 : 1;
}
