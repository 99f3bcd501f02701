import { describe, expect, test } from "bun:test";
import type { JsonObject } from "modelyard/plugin";
import { mapped } from "../../../test/support/anthropic-upstream.ts";

const enabled = (budget_tokens: number) => ({ thinking: { type: "enabled", budget_tokens } });
const adaptive = (effort: string) => ({
  thinking: { type: "adaptive", display: "summarized" },
  output_config: { effort },
});
const disabled = { thinking: { type: "disabled" } };

test.each([
  ["claude-sonnet-4-5", "minimal", enabled(2048)],
  ["claude-sonnet-4-5", "low", enabled(2048)],
  ["claude-3-7-sonnet-20250219", "medium", enabled(6553)],
  ["claude-haiku-4-5", "high", enabled(16_384)],
  ["claude-opus-4-5-20251101", "xhigh", enabled(32_768)],
  ["claude-sonnet-4-5", "none", {}],
  ["kimi-k2", "low", enabled(2048)],
  ["claude-opus-4-6", "minimal", adaptive("low")],
  ["claude-opus-4-6", "xhigh", adaptive("high")],
  ["claude-opus-4-6", "max", adaptive("max")],
  ["claude-opus-4-6", "none", {}],
  ["claude-opus-4-8", "xhigh", adaptive("xhigh")],
  ["claude-sonnet-5", "none", disabled],
  ["claude-haiku-5-5", "none", disabled],
  ["claude-opus-5-5", "high", adaptive("high")],
])("%s, asked for %s effort, is told %j", (model, effort, expected) => {
  const { body, ignored } = mapped({ reasoning_effort: effort }, model);
  const { thinking, output_config } = body;
  expect(JSON.parse(JSON.stringify({ thinking, output_config }))).toEqual(expected);
  expect(ignored).toEqual([]);
});

describe("an effort that can't be followed is named", () => {
  test("where the model doesn't think", () => {
    const { body, ignored } = mapped({ reasoning_effort: "high" }, "claude-3-haiku-20240307");
    expect(body["thinking"]).toBeUndefined();
    expect(ignored).toEqual(["reasoning_effort"]);
  });

  test("where it always does: then it is asked for little", () => {
    expect(mapped({ reasoning_effort: "none" }, "claude-fable-5")).toMatchObject({
      body: { output_config: { effort: "low" } },
      ignored: ["reasoning_effort"],
    });
  });

  test("where max_tokens leaves no room; where it leaves little, the budget is less", () => {
    const asked = (max_tokens: number) => mapped({ reasoning_effort: "high", max_tokens });
    expect(asked(1279).ignored).toEqual(["reasoning_effort"]);
    expect(asked(1280).body["thinking"]).toEqual({ type: "enabled", budget_tokens: 1024 });
    expect(asked(10_000).body["thinking"]).toEqual({ type: "enabled", budget_tokens: 8000 });
  });

  test("where a tool call is demanded, except of a model that thinks anyway", () => {
    const tools = [{ type: "function", function: { name: "now" } }];
    const asked = (model: string) =>
      mapped({ reasoning_effort: "high", tools, tool_choice: "required" }, model);
    expect(asked("claude-sonnet-4-5")).toMatchObject({ ignored: ["reasoning_effort"] });
    expect(asked("claude-opus-4-6")).toMatchObject({
      body: { output_config: { effort: "high" } },
      ignored: ["reasoning_effort"],
    });
    for (const model of ["claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-5"]) {
      expect(asked(model).body).not.toHaveProperty("thinking");
    }
    expect(asked("claude-opus-5")).toMatchObject({
      body: { output_config: { effort: "high" } },
      ignored: [],
    });
  });

  test("where the results of a turn come without its thoughts, which only older models need", () => {
    const tool_calls = [{ id: "t", type: "function", function: { name: "now", arguments: "{}" } }];
    const asked = (turn: JsonObject, model: string) =>
      mapped(
        {
          reasoning_effort: "high",
          messages: [
            { role: "user", content: "When?" },
            { role: "assistant", content: "Let me see.", tool_calls, ...turn },
            { role: "tool", tool_call_id: "t", content: "noon" },
          ],
        },
        model,
      );
    const reasoning_details = [{ type: "reasoning.encrypted", data: "x", index: 0 }];
    expect(asked({}, "claude-sonnet-4-5").ignored).toEqual(["reasoning_effort"]);
    expect(asked({ reasoning_details }, "claude-sonnet-4-5").ignored).toEqual([]);
    expect(asked({}, "claude-opus-4-6").ignored).toEqual([]);
  });

  test("where the request's own thinking decides", () => {
    const thinking = { type: "enabled", budget_tokens: 5000 };
    expect(mapped({ reasoning_effort: "low", thinking })).toMatchObject({
      body: { thinking },
      ignored: ["reasoning_effort"],
    });
  });
});

test("an effort of another name is for another upstream", () => {
  expect(() => mapped({ reasoning_effort: "enormous" })).toThrow(
    expect.objectContaining({ code: "unsupported", param: "reasoning_effort" }),
  );
});

test("the request's own output_config goes before what is made of the other fields", () => {
  const { body } = mapped(
    { reasoning_effort: "high", output_config: { effort: "low", task_budget: { type: "tokens", total: 9 } } },
    "claude-opus-5",
  );
  expect(body["output_config"]).toEqual({ effort: "low", task_budget: { type: "tokens", total: 9 } });
});
