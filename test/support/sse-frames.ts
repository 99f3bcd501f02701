import type { ChatCompletionChunk } from "openai/resources/chat/completions";

/** What a stream said, frame by frame, and how it ended. */
export interface Frames {
  /** The whole text. */
  readonly text: string;
  /** Each `data:` line's rest, `[DONE]` among them. */
  readonly data: readonly string[];
  /** The JSON of each data line but `[DONE]`. */
  readonly chunks: readonly ChatCompletionChunk[];
}

/** Reads a stream to its end, as a line-by-line parser does; throws where a frame is not one `data:` line. */
export async function readFrames(response: Response): Promise<Frames> {
  return parseFrames(await response.text());
}

/** The same for a text that is already there. */
export function parseFrames(text: string): Frames {
  if (!text.endsWith("\n\n"))
    throw new Error(`the stream ends within a frame: ${JSON.stringify(text.slice(-80))}`);
  const frames = text.slice(0, -2).split("\n\n");
  const data = frames.filter((frame) => !frame.startsWith(":")).map(dataOf);
  const chunks = data
    .filter((line) => line !== "[DONE]")
    .map((line) => JSON.parse(line) as ChatCompletionChunk);
  return { text, data, chunks };
}

function dataOf(frame: string): string {
  if (!/^data: [^\n]+$/.test(frame)) throw new Error(`not one data line: ${JSON.stringify(frame)}`);
  return frame.slice("data: ".length);
}

/** The deltas' text, put together. */
export function textOf({ chunks }: Frames): string {
  return chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
}
