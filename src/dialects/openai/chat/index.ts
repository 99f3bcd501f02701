import type { Dialect } from "../../dialect.ts";
import { collect } from "./message.ts";
import { ChunkWriter, COMMENT_FRAME } from "./stream.ts";

/** OpenAI's chat completions. */
export const openaiChat: Dialect = {
  name: "openai-chat",
  comment: COMMENT_FRAME,
  writer: (options) => new ChunkWriter(options),
  collect,
};
