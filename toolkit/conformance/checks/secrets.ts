import { UpstreamError } from "../../../src/contract/index.ts";
import type { Harness, OpenedUpstream } from "../harness/harness.ts";
import type { Check } from "./check.ts";
import { ERROR_MESSAGE, scenarioOf } from "../upstreams/scenarios.ts";
import type { ScenarioName } from "../upstreams/scenarios.ts";
import { RuleViolation, NotApplicable } from "../harness/verdict.ts";

const SHORTEST_SECRET = 6;

/** Level 5: secrets are never shown. */
export const SECRETS: readonly Check[] = [
  { rule: "5.6 unseen", scenarios: [], run: unseen },
  { rule: "5.9 uncut", scenarios: ["broken"], run: uncut },
];

const TELLING: readonly ScenarioName[] = ["text", "failing", "broken", "refused", "limited"];

async function unseen(harness: Harness): Promise<void> {
  for (const name of TELLING.filter((each) => harness.fixtures.unsupported?.[each] === undefined)) {
    await harness.play(name, async ({ ask, opened, played }) => {
      const { error } = await ask().readAll();
      const listed = await opened.models(MODELS_MS);
      const secrets = [...opened.optionSecrets, ...opened.host.secrets, ...(played.secrets ?? [])];
      for (const [place, said] of Object.entries(placesOf(opened, [error, listed]))) {
        const secret = secrets.find((each) => each.length >= SHORTEST_SECRET && said.includes(each));
        if (secret === undefined) continue;
        throw new RuleViolation(`in the scenario \`${name}\` the secret ${masked(secret)} is in ${place}`);
      }
    });
  }
}

const MODELS_MS = 1_000;

/**
 * Has the upstream's error message repeat a credential, so that any truncation cuts through one. The gateway removes
 * complete secrets only.
 */
async function uncut(harness: Harness): Promise<void> {
  const secret = await keptSecret(harness);
  for (const name of REPEATING.filter((each) => harness.fixtures.unsupported?.[each] === undefined)) {
    // With half a secret of padding a cut falls within a secret in at least one of the two.
    for (const padding of [0, Math.ceil(secret.length / 2)]) {
      const repeated = `${secret} `.repeat(Math.ceil(ECHO_CHARACTERS / secret.length));
      const errorMessage = `${ERROR_MESSAGE}:${"-".repeat(padding)} ${repeated}`;
      await harness.play({ ...scenarioOf(name), errorMessage }, async ({ ask, opened }) => {
        const { error } = await ask().readAll();
        requireWhole(secret, placesOf(opened, [error]), name);
      });
    }
  }
}

function requireWhole(secret: string, places: Readonly<Record<string, string>>, name: ScenarioName): void {
  const parts = [secret.slice(0, SHORTEST_SECRET), secret.slice(-SHORTEST_SECRET)];
  for (const [place, said] of Object.entries(places)) {
    const rest = said.replaceAll(secret, "");
    if (!parts.some((part) => rest.includes(part))) continue;
    throw new RuleViolation(
      `in the scenario \`${name}\` a part of the secret ${masked(secret)} is in ${place}: it was cut`,
    );
  }
}

const REPEATING: readonly ScenarioName[] = ["broken", "failing", "refused", "limited"];
const ECHO_CHARACTERS = 1_500;

/** Returns the longest secret of the options that is the same at each start of the upstream. */
async function keptSecret(harness: Harness): Promise<string> {
  const secrets = async (): Promise<readonly string[]> => {
    await using played = await harness.startUpstream("broken");
    return harness.checkOptions(played.options).secrets;
  };
  const again = await secrets();
  const [secret] = (await secrets())
    .filter((each) => each.length > SHORTEST_SECRET && again.includes(each))
    .toSorted((one, other) => other.length - one.length);
  if (secret === undefined)
    throw new NotApplicable("its options hold no secret that an upstream could repeat");
  return secret;
}

function placesOf({ host, upstream }: OpenedUpstream, errors: readonly unknown[]): Record<string, string> {
  return {
    "a log line": host.lines.join("\n"),
    "an error": errors.map(messagesOf).join("\n"),
    "the status": JSON.stringify(upstream.status?.()) ?? "",
  };
}

function masked(secret: string): string {
  return `"${secret.slice(0, 4)}…" (${secret.length} characters)`;
}

/** Returns the messages of an error and its causes. */
function messagesOf(error: unknown): string {
  const said: string[] = [];
  for (let each = error; each instanceof Error && said.length < 10; each = each.cause)
    said.push(each.message, (UpstreamError.is(each) && each.detail) || "");
  return said.join("\n");
}
