import type { Call, ChatEvent, ChatRequest } from "modelyard/plugin";
import { countWords, lastUserText } from "./conversation.ts";
import { parametersOf } from "./parameters.ts";

const NOTHING_SAID = "There is no user message to repeat.";

/** How many words are said between two turns of the event loop, so that a long echo holds nobody up. */
const WORDS_PER_TURN = 1000;

/** The last user message, word by word, as far as `stop` and the bound on tokens allow. */
export async function* echo(request: ChatRequest, call: Call): AsyncGenerator<ChatEvent, void> {
  const { choices, maxWords, stops } = parametersOf(request);
  const said = lastUserText(request) ?? NOTHING_SAID;
  const { text, stopSequence } = upToStop(said, stops);
  let [words, isCut] = [0, false];
  // White space before the first word stands alone; any other goes with the word before it.
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

/** What comes before the first of the stop sequences, and which one that is; empty if none occurs. */
function upToStop(text: string, stops: readonly string[]): { text: string; stopSequence: string } {
  let [end, stopSequence] = [text.length, ""];
  for (const stop of stops) {
    const place = text.indexOf(stop);
    if (place !== -1 && place < end) [end, stopSequence] = [place, stop];
  }
  return { text: text.slice(0, end), stopSequence };
}
