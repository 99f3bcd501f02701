import type { JsonObject, UpstreamError } from "modelyard/plugin";

interface Streamable extends JsonObject {
  readonly stream?: boolean | null;
  readonly stream_options?: JsonObject | null;
}

/** A request for a streamed answer, with its usage asked for; the core strips it for clients who didn't ask. */
export function askingForUsage(request: Streamable): Streamable {
  if (request.stream_options?.["include_usage"] === true) return request;
  return { ...request, stream_options: { ...request.stream_options, include_usage: true } };
}

/** The request for a server that won't be asked for the usage: such servers (Mistral) tell it unasked. */
export function notAskingForUsage(request: Streamable): Streamable {
  const { stream_options: options, ...rest } = request;
  const { include_usage: _, ...others } = options ?? {};
  return Object.keys(others).length === 0 ? rest : { ...rest, stream_options: others };
}

/** True if a server says that it doesn't know the field by which the usage is asked for. */
export function refusesToTellUsage({ code, message, param = "" }: UpstreamError): boolean {
  return code === "bad-request" && /stream_options|include_usage/.test(`${param} ${message}`);
}
