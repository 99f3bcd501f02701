import { UpstreamError, definePlugin } from "modelyard/plugin";
import type { Call, ChatRequest, ChatStream, ChatEvent } from "modelyard/plugin";
import { options } from "./options.ts";
import { reportIgnored, parametersOf } from "./parameters.ts";
import { play, ruleFor } from "./script.ts";
import { countWords, lastUserText } from "./conversation.ts";

/** Repeats the last user message, or answers by a script. Needs no network. */
export default definePlugin({
  apiVersion: 1,
  name: "echo",
  options,
  open: ({ models, script }) => ({
    alwaysStreams: true,
    models: async () => models.map((id) => ({ id, ownedBy: "echo" })),
    chat(request: ChatRequest, call: Call): ChatStream {
      if (!models.includes(request.model)) {
        throw new UpstreamError("no-such-model", `there is no model "${request.model}" here`);
      }
      call.connected();
      const rule = ruleFor(script, request);
      if (rule) return play(rule, request, call);
      reportIgnored(request, call);
      return echo(request, call);
    },
  }),
});

const NO_USER_MESSAGE = "There is no user message to repeat.";

/** Number of words between two turns of the event loop, so that a long echo doesn't block it. */
const WORDS_PER_TURN = 1000;

/** Yields the last user message word by word, up to a stop sequence or the token limit. */
async function* echo(request: ChatRequest, call: Call): AsyncGenerator<ChatEvent, void> {
  const { choices, maxWords, stops } = parametersOf(request);
  const userText = lastUserText(request) ?? NO_USER_MESSAGE;
  const { text, stopSequence } = upToStop(userText, stops);
  let [words, isCut] = [0, false];
  // White space belongs to the word before it, except at the start.
  for (const [piece] of text.matchAll(/^\s+|\S+\s*/g)) {
    const isWord = piece.trim() !== "";
    isCut = isWord && words === maxWords;
    if (isCut) break;
    call.signal.throwIfAborted();
    if (isWord && ++words % WORDS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let choice = 0; choice < choices; choice++) yield { type: "text", text: piece, choice };
  }
  for (let choice = 0; choice < choices; choice++) {
    if (isCut) yield { type: "finish", reason: "length", choice };
    else yield { type: "finish", reason: "stop", choice, ...(stopSequence === "" ? {} : { stopSequence }) };
  }
  yield { type: "usage", usage: { input: countWords(request.messages), output: words * choices } };
}

/** Returns the text before the first stop sequence, and that sequence, empty if there is none. */
function upToStop(text: string, stops: readonly string[]): { text: string; stopSequence: string } {
  let [end, stopSequence] = [text.length, ""];
  for (const stop of stops) {
    const place = text.indexOf(stop);
    if (place !== -1 && place < end) [end, stopSequence] = [place, stop];
  }
  return { text: text.slice(0, end), stopSequence };
}
