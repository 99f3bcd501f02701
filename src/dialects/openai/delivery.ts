import { Type } from "@sinclair/typebox";
import { Nullable } from "../explain.ts";
import type { Delivery } from "../model-request.ts";

/** The members of a request that say how its answer is delivered. */
export const DELIVERY = {
  stream: Nullable(Type.Boolean({ description: "Server-sent events instead of one JSON answer" })),
  stream_options: Nullable(
    Type.Object({
      include_usage: Nullable(Type.Boolean({ description: "One more chunk, with the usage, before [DONE]" })),
    }),
  ),
};

interface Delivered {
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean | null } | null;
}

/** A plain answer always tells its usage, a streamed one when asked. */
export function deliveryOf({ stream, stream_options: options }: Delivered): Delivery {
  return { stream: stream === true, includeUsage: stream !== true || options?.include_usage === true };
}
