import type { OpenAI } from "openai";
import {
  CHAT_FIELDS,
  COMPANIONS as CHAT_COMPANIONS,
} from "../../toolkit/conformance/parameters/chat-fields.ts";

type Params = OpenAI.ChatCompletionCreateParams;
type Field = keyof Params;

/**
 * One sample value for each field of OpenAI's chat request: the compiler holds the conformance kit's list to the
 * fields that the `openai` package knows.
 */
export const CHAT_REQUEST_FIELDS = {
  model: "test-model",
  messages: [
    { role: "system", content: "Be brief." },
    { role: "user", content: "How is the weather in Lisbon?" },
  ],
  stream: true,
  ...CHAT_FIELDS,
} as const satisfies { readonly [F in Field]-?: DeepReadonly<NonNullable<Params[F]>> };

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** The fields without which another one means nothing, or is refused by OpenAI. */
const COMPANIONS: { readonly [F in Field]?: readonly Field[] } = {
  ...CHAT_COMPANIONS,
  stream_options: ["stream"],
};

/** A chat request with `model`, `messages`, the sample value of `field`, and what that one can't be without. */
export function chatRequestWith(field: Field): Record<string, unknown> {
  const names: readonly Field[] = ["model", "messages", ...(COMPANIONS[field] ?? []), field];
  return Object.fromEntries(names.map((name) => [name, CHAT_REQUEST_FIELDS[name]]));
}

/** The names of all fields of OpenAI's chat request. */
export const CHAT_REQUEST_FIELD_NAMES = Object.keys(CHAT_REQUEST_FIELDS) as readonly Field[];
