import type { Message } from "../../../src/contract/index.ts";

/** A conversation, and the marks that the upstream's request must contain. */
interface Conversation {
  readonly messages: readonly Message[];
  readonly marks: readonly string[];
}

const QUESTION = { role: "user", content: "What about the mark-user?" };

// A PNG of one pixel.
const PICTURE =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** The kinds of messages and parts that a conversation has. */
export const MESSAGES: Readonly<Record<string, Conversation>> = {
  "a user's message": { messages: [QUESTION], marks: ["mark-user"] },
  "a system message": {
    messages: [{ role: "system", content: "Be mark-system." }, QUESTION],
    marks: ["mark-system", "mark-user"],
  },
  "a developer's message": {
    messages: [{ role: "developer", content: "Be mark-developer." }, QUESTION],
    marks: ["mark-developer", "mark-user"],
  },
  "an assistant's message": {
    messages: [
      { role: "user", content: "Say mark-first." },
      { role: "assistant", content: "I said mark-assistant." },
      QUESTION,
    ],
    marks: ["mark-first", "mark-assistant", "mark-user"],
  },
  "several text parts": {
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "Here is mark-part-one" },
          { type: "text", text: "and mark-part-two." },
        ],
      },
    ],
    marks: ["mark-part-one", "mark-part-two"],
  },
  "a picture": {
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What is on the mark-picture?" },
          { type: "image_url", image_url: { url: `data:image/png;base64,${PICTURE}` } },
        ],
      },
    ],
    marks: ["mark-picture", PICTURE],
  },
  "a tool's result": {
    messages: [
      QUESTION,
      {
        role: "assistant",
        content: null,
        tool_calls: [
          {
            id: "call_mark1",
            type: "function",
            function: { name: "mark_tool", arguments: '{"city":"mark-argument"}' },
          },
        ],
      },
      { role: "tool", tool_call_id: "call_mark1", content: "It is mark-result." },
    ],
    marks: ["mark_tool", "mark-argument", "mark-result"],
  },
};
