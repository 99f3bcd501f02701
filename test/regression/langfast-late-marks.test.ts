import { expect, test } from "bun:test";
import { startLangfast } from "../support/langfast-gateway.ts";
import { generatedText } from "../support/langfast-emulator/index.ts";

/**
 * A service that names no executions ends each run with both marks, the second a moment later, when the user's next run
 * may have begun on another socket.
 * @module
 */
test.each([true, false])("a late end mark of a user's run ends no other, streamed %p", async (stream) => {
  await using langfast = await startLangfast({ credentials: "{ min: 0, max: 4 }" });
  const { emulator, gateway } = langfast;
  let late = 0;
  emulator.script = {
    namesExecution: false,
    namesJob: false,
    end: "status",
    // The mark of the run before arrives in the middle of the next one.
    before(event, { userId, runId }) {
      const runs = emulator.runs.filter((run) => run.userId === userId);
      if (event !== 1 || runs[0]?.runId === runId) return undefined;
      emulator.emit(userId, "completion_finished");
      late++;
      return undefined;
    },
  };
  const seeds = Array.from({ length: 12 }, (_, index) => index + 1);
  const answers = await Promise.all(
    seeds.map(async (seed) => {
      const messages = [{ role: "user", content: `#gen ${seed} 200` }];
      return (await gateway.chat({ model: "gpt-4o-mini", stream, messages })).text();
    }),
  );
  for (const [index, answer] of answers.entries()) {
    // Of a character that the length cuts a plain answer has U+FFFD.
    const text = generatedText(seeds[index]!, 200).toWellFormed();
    expect({ seed: seeds[index], text: textOf(answer).toWellFormed() }).toEqual({ seed: seeds[index], text });
  }
  expect(late).toBeGreaterThan(4);
});

function textOf(answer: string): string {
  const pieces = answer.startsWith("data: ")
    ? answer.split("\n\n").flatMap((frame) => (frame.startsWith("data: {") ? [frame.slice(6)] : []))
    : [answer];
  return pieces
    .map((piece) => JSON.parse(piece) as { choices: { delta?: Said; message?: Said }[] })
    .map(({ choices }) => choices[0]?.delta?.content ?? choices[0]?.message?.content ?? "")
    .join("");
}

interface Said {
  readonly content?: string;
}
