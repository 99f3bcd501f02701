import { expect, test } from "bun:test";
import { startLangfast } from "../support/langfast-gateway.ts";

/** Runs that fail with words that quote the user's access token, by where the words stand. */
const FAILURES = {
  message: (said: string) => ({ status: "failed", content: "", error: { message: said } }),
  error: (said: string) => ({ status: "error", error: said }),
  content: (said: string) => ({ status: "failed", content: said }),
};
const LEAD = "the model exploded: ";

test.each([
  ["message", true],
  ["message", false],
  ["error", true],
  ["error", false],
  ["content", true],
  ["content", false],
] as const)(
  "nothing of a token that a failed run quotes reaches the client: %s, streamed %p",
  async (where, stream) => {
    await using langfast = await startLangfast();
    const { emulator, gateway } = langfast;
    emulator.script = { fault: { after: 0, how: "silence" } };
    // In front of it so many words that a cut at 500 characters would be within the token.
    for (const words of [0, 20, 60]) {
      const asked = gateway.chat({
        model: "gpt-4o-mini",
        stream,
        messages: [{ role: "user", content: "Hi" }],
      });
      const before = emulator.runs.length;
      await emulator.waitFor(() => emulator.runs.length > before, "the run");
      const run = emulator.runs.at(-1)!;
      const token = emulator.users.find(({ id }) => id === run.userId)!.accessToken;
      const said = `${LEAD}${"word ".repeat(words)}${token} and more`;
      emulator.emit(run.userId, "execution:chunk", { executionId: run.jobId, ...FAILURES[where](said) });
      const text = await (await asked).text();
      expect(text).toContain(LEAD);
      for (let at = 0; at + 12 <= token.length; at++) expect(text).not.toContain(token.slice(at, at + 12));
    }
  },
);
