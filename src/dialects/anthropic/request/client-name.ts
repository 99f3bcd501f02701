/** The names that Messages clients know for members of a chat request. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ["max_completion_tokens", "max_tokens"],
  ["stop", "stop_sequences"],
  ["parallel_tool_calls", "tool_choice.disable_parallel_tool_use"],
  ["safety_identifier", "metadata.user_id"],
  ["reasoning_effort", "thinking"],
  ["response_format", "output_config.format"],
  ["messages[].reasoning_details", "messages[].thinking"],
  ["messages[].reasoning_content", "messages[].thinking"],
]);

/** Returns what a client calls a member of its request that has this name, or path, in the chat request made of it. */
export function clientName(member: string): string {
  return NAMES.get(member) ?? member;
}
