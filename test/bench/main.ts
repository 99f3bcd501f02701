/**
 * `bun run bench [scenario…] [--rounds N] [--peers] [--json]`: what the gateway costs, beside others, on this
 * machine. The table goes to stdout, progress to stderr. Ends with 2 if it was not asked properly.
 * @module
 */
import { parseArgs } from "node:util";
import { NGINX } from "../support/nginx.ts";
import { json, markdown } from "./report.ts";
import { run } from "./run.ts";
import { SCENARIOS } from "./scenarios/index.ts";
import { FULL } from "./settings.ts";
import { WRK } from "./wrk.ts";

const USAGE = `usage: bun run bench [scenario…] [--rounds N] [--peers] [--json]

  scenario     ${SCENARIOS.map(({ name }) => name).join(" ")} (all)
  --rounds N   how often each contender is measured (3)
  --peers      Portkey's gateway too, which npm installs into a temporary folder
  --json       every round of every figure as JSON instead of a table`;

const asked = argumentsIn(process.argv.slice(2));
if (NGINX === null) console.error("nginx is not installed (apt-get install nginx-light): it is left out");
if (WRK === null)
  console.error("wrk is not installed (apt-get install wrk): our own, slower client asks instead");
const begun = performance.now();
const result = await run(
  asked.scenarios,
  { sizes: FULL, rounds: asked.rounds, peers: asked.peers, usesTools: true },
  (name) => console.error(`${Math.round((performance.now() - begun) / 1e3)} s: ${name}`),
);
console.log(asked.json ? json(result) : markdown(result));

/** What the arguments ask for; ends the process where they make no sense. */
function argumentsIn(argv: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h", default: false },
        rounds: { type: "string", default: "3" },
        peers: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    return { ...values, rounds: roundsIn(values.rounds), scenarios: scenariosNamed(positionals) };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

function roundsIn(text: string): number {
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new RangeError(`--rounds is a number from 1 to 999, not "${text}"`);
  return Number(text);
}

function scenariosNamed(names: readonly string[]) {
  const unknown = names.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined) throw new RangeError(`there is no scenario "${unknown}"`);
  return SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name));
}
