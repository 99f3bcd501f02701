import type { ChaosRequest } from "./chaos-request.ts";
import { PIECE } from "./chaos-upstream.ts";

/** Sends a request to the gateway at `url`, reads until the answer ends or its client leaves, and notes what it saw. */
export async function send(request: ChaosRequest, url: string): Promise<void> {
  const { seen, leaves, endpoint } = request;
  const leaving = new AbortController();
  const timer = leaves.at === "time" ? setTimeout(() => leaving.abort(), leaves.after) : undefined;
  try {
    const response = await fetch(`${url}/v1/${endpoint}`, {
      method: "POST",
      headers: { authorization: `Bearer ${keyOf(request.key)}`, "x-request-id": request.id },
      body: JSON.stringify(bodyOf(request)),
      signal: leaving.signal,
    });
    seen.status = response.status;
    if (leaves.at === "headers") leaving.abort();
    const isWhole = await read(response, request, leaving);
    seen.end = isWhole ? "read" : "lost";
  } catch {
    seen.end = leaving.signal.aborted ? "left" : "lost";
  } finally {
    clearTimeout(timer);
    seen.endedAt = performance.now();
  }
}

/** The secret of a key, by its name. */
export function keyOf(name: string): string {
  return `sk-chaos-${name}-0123456789`;
}

function bodyOf({ endpoint, model, stream, includeUsage, id, shared }: ChaosRequest): object {
  const streamed = { stream, ...(stream && includeUsage && { stream_options: { include_usage: true } }) };
  // By `user` the upstream knows whose script to play. Vectors are cached by their input.
  if (endpoint === "embeddings") {
    return { model, input: shared === undefined ? `words of ${id}` : `words of prompt ${shared}`, user: id };
  }
  const prompt = shared === undefined ? "some words" : `words of prompt ${shared}`;
  const rest = { ...streamed, ...(shared !== undefined && { temperature: 0 }), user: id };
  if (endpoint === "completions") return { model, prompt, max_tokens: 20, ...rest };
  return { model, messages: [{ role: "user", content: prompt }], max_completion_tokens: 20, ...rest };
}

/** True when the answer came to an end of its own. */
async function read(
  response: Response,
  { seen, leaves, stream }: ChaosRequest,
  leaving: AbortController,
): Promise<boolean> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    leaving.signal.throwIfAborted();
    // A frame that is not whole has not been read.
    const frames = stream ? text.slice(0, text.lastIndexOf("\n\n") + 1) : text;
    seen.received = frames.match(PIECE)?.length ?? 0;
    if (leaves.at === "piece" && seen.received >= leaves.after) leaving.abort();
  }
  leaving.signal.throwIfAborted();
  const told = /"completion_tokens":(\d+)/.exec(text)?.[1];
  if (told !== undefined) seen.told = Number(told);
  return !stream || response.status !== 200 || /data: \[DONE\]|"error":/.test(text);
}
