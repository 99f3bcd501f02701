import { NATIVE } from "./parameters.ts";
import { NATIVE_MEMBERS as OF_PARTS } from "./parts.ts";
import { NATIVE_MEMBERS as OF_TOOLS } from "./tools.ts";

/** What the mapping of requests understands beyond OpenAI's chat completions. */
export const EXTENSIONS: readonly string[] = [
  ...NATIVE,
  "thinking",
  "output_config",
  "top_k",
  "betas",
  ...OF_PARTS,
  // Blocks of the Messages API as parts.
  "document",
  "image",
  "search_result",
  "container_upload",
  // Members of messages.
  "is_error",
  "reasoning_details",
  "content_blocks",
  "extra_content",
  "tool_media",
  ...OF_TOOLS,
  "server_tools",
];
