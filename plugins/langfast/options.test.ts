import { describe, expect, test } from "bun:test";
import { areOptions, filledOptions } from "../../test/support/langfast-upstream.ts";
import { testHost } from "../../test/support/plugin-host.ts";
import plugin from "./index.ts";
import type { Options } from "./options.ts";

function filled(given: object): Options {
  return filledOptions({ anon_key: "key", ...given });
}

describe("options", () => {
  test("have the service's known values as defaults", () => {
    const given = filled({});
    expect(areOptions(given)).toBe(true);
    expect(given.credentials).toEqual({ min: 3, max: 10 });
    expect(given.anonymous).toBe(true);
    expect(given.prompt_id).toBe("6456df9f-f4fd-42b3-97ff-df29af7188b7");
  });

  test.each([
    { anon_keys: "x" },
    { anon_key: "" },
    { prompt_id: "mine" },
    { socket_url: "ftp://example.org" },
    { accounts: [{}] },
    { credentials: { min: 1, max: 2, more: 3 } },
  ])("are not %j", (given) => {
    expect(areOptions(filled(given))).toBe(false);
  });

  test.each([
    { given: { credentials: { min: 4, max: 3 } }, message: "min (4) is greater than max (3)" },
    { given: { anonymous: false }, message: "nothing to sign in with" },
    { given: { supabase_url: "https://x y" }, message: "supabase_url: https://x y is no valid URL" },
    { given: { socket_url: "https://[bad" }, message: "socket_url: https://[bad is no valid URL" },
    { given: { socket_url: "https://example.org/runner" }, message: "socket_url: leave out the path" },
  ])("that can't be right are refused on opening: $message", async ({ given, message }) => {
    const host = testHost();
    expect(() => plugin.open(filled(given), host.host)).toThrow(message);
    await host.close();
  });

  test("open an upstream without using the network", async () => {
    const network = (): never => {
      throw new Error("the network was used");
    };
    const host = testHost({ fetch: Object.assign(network, { preconnect: network }) });
    const upstream = await plugin.open(filled({ prompt_id: "auto" }), host.host);
    expect((await upstream.models(host.host.signal)).length).toBe(17);
    await host.close();
  });
});
