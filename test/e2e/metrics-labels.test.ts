import { expect, test } from "bun:test";
import { HELLO, startScripted } from "../support/scripted-gateway.ts";

const JUNK = 1_200;
const KEYS = `
keys:
  - { name: junk, key: sk-junk-0123456789 }
  - { name: newbie, key: sk-newbie-0123456789 }
`;

test("names that clients make up share one label, and real models and new keys keep theirs", async () => {
  await using gateway = await startScripted({ hello: HELLO }, { yaml: KEYS });
  const ask = async (key: string, model: string): Promise<number> => {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({ model, messages: [{ role: "user", content: "Hi" }] }),
    });
    await response.text();
    return response.status;
  };
  for (let from = 0; from < JUNK; from += 50) {
    const statuses = await Promise.all(
      Array.from({ length: 50 }, (_, index) => ask("sk-junk-0123456789", `scripted/junk-${from + index}`)),
    );
    // What the scripted upstream says to a model that it has no script for.
    expect(new Set(statuses)).toEqual(new Set([502]));
  }
  expect(await ask("sk-newbie-0123456789", "hello")).toBe(200);
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(metrics).toMatch(/^modelyard_requests_total\{outcome="ok",[^}]*model="hello",key="newbie"\} 1$/m);
  expect(metrics).toMatch(
    new RegExp(`^modelyard_requests_total\\{[^}]*model="unknown",key="junk"\\} ${JUNK}$`, "m"),
  );
  expect(metrics.includes("junk-")).toBe(false);
});
