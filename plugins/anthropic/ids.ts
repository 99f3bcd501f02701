/** A tool call's id as the Messages API takes it: other upstreams make ids with other characters. */
export function toolUseId(id: string): string {
  return id.replaceAll(/[^a-zA-Z0-9_-]/g, "_");
}

/** The id of a legacy function call, which had none: the place of its message names it. */
export function functionCallId(index: number): string {
  return `function_call_${index}`;
}
