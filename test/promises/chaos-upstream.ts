import type { JsonObject } from "../../src/contract/json.ts";
import type { Exchange, FaultUpstream } from "../support/fault-upstream.ts";
import { jsonAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import { until } from "../support/until.ts";
import type { ChaosRequest, Script } from "./chaos-request.ts";
import { PROMPT_TOKENS } from "./chaos-request.ts";

/**
 * Each is one token of o200k wherever it stands, and of four characters, so that the rough count of a gateway that is
 * too busy for an exact one says the same.
 */
const PIECES = [" cat", " dog", " sun", " map"];
/** Finds them in an answer. */
export const PIECE: RegExp = / (?:cat|dog|sun|map)\b/g;

const FAILED = { error: { message: "the engine caught fire", type: "server_error" } };

/** An upstream that speaks OpenAI's API and does with each request what its script says. */
export async function startChaosUpstream(
  requests: ReadonlyMap<string, ChaosRequest>,
): Promise<FaultUpstream> {
  const upstream = await startFaultUpstream();
  const calls = new Map<string, number>();
  upstream.respond = async (exchange) => {
    const { user: id } = exchange.json() as { readonly user: string };
    const request = requests.get(id);
    if (!request) throw new Error(`nobody has sent the request ${id}`);
    const call = calls.get(id) ?? 0;
    calls.set(id, call + 1);
    request.seen.asked = true;
    if (request.script.delay > 0) await Bun.sleep(request.script.delay);
    if (call < request.script.failures) return exchange.send(jsonAnswer(FAILED, 500));
    if (request.stream) return stream(exchange, request);
    plain(exchange, request);
  };
  return upstream;
}

async function stream(exchange: Exchange, { endpoint, script, seen }: ChaosRequest): Promise<void> {
  const say = (chunk: JsonObject) => exchange.chunk(`data: ${JSON.stringify(chunk)}\n\n`);
  let isGone = false;
  void exchange.closed.then(() => (isGone = true));
  exchange.head(200, { "content-type": "text/event-stream" });
  for (let nth = 0; nth < script.pieces && !isGone; nth++) {
    seen.sent += 1;
    say({ choices: [choice(endpoint, pieceOf(nth))] });
    const isRead = () => seen.received > nth || isGone;
    if (script.inStep) await until(isRead, "the client to read a piece", 20_000);
  }
  if (script.end === "reset") return exchange.reset();
  if (script.end === "error") say(FAILED);
  if (script.end === "whole" || script.end === "untold") {
    say({ choices: [choice(endpoint, "", "stop")] });
    if (script.end === "whole") say({ choices: [], usage: usageOf(script.pieces) });
    exchange.chunk("data: [DONE]\n\n");
  }
  exchange.end();
}

function plain(exchange: Exchange, { endpoint, script, seen }: ChaosRequest): void {
  if (script.end === "error") return exchange.send(jsonAnswer(FAILED, 500));
  const isEmbedding = endpoint === "embeddings";
  const answer = jsonAnswer({
    ...(isEmbedding ? { data: [{ index: 0, embedding: [0.5] }] } : { choices: [whole(endpoint, script)] }),
    ...(script.end !== "untold" && { usage: usageOf(isEmbedding ? 0 : script.pieces) }),
  });
  if (script.end === "reset") return exchange.reset();
  if (script.end === "cut") {
    exchange.send(answer.subarray(0, answer.byteLength - 5));
    return exchange.close();
  }
  if (!isEmbedding) seen.sent += script.pieces;
  exchange.send(answer);
}

function choice(endpoint: string, text: string, finish: string | null = null): JsonObject {
  const said = endpoint === "completions" ? { text } : { delta: { content: text } };
  return { index: 0, finish_reason: finish, ...said };
}

function whole(endpoint: string, { pieces }: Script): JsonObject {
  const text = Array.from({ length: pieces }, (_, nth) => pieceOf(nth)).join("");
  const said = endpoint === "completions" ? { text } : { message: { role: "assistant", content: text } };
  return { index: 0, finish_reason: "stop", ...said };
}

function pieceOf(nth: number): string {
  return PIECES[nth % PIECES.length] ?? "";
}

function usageOf(output: number): JsonObject {
  return {
    prompt_tokens: PROMPT_TOKENS,
    completion_tokens: output,
    total_tokens: PROMPT_TOKENS + output,
  };
}
