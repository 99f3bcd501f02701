import { afterAll, beforeAll, test } from "bun:test";
import { installPackage, KINDS, PATIENCE_MS, tryPlugin } from "../support/stranger.ts";
import type { Stranger } from "../support/stranger.ts";

/**
 * Every kind of plugin that `plugin new` writes, tried as test/package tries one of them.
 * @module
 */
let stranger: Stranger;
beforeAll(async () => {
  stranger = await installPackage();
}, PATIENCE_MS);
afterAll(() => stranger[Symbol.dispose](), PATIENCE_MS);

test.each(KINDS.filter((kind) => kind !== "sse"))(
  "from nothing, a plugin of the kind %s is written, passes its test, is served and answers",
  (kind) => tryPlugin(kind, stranger),
  PATIENCE_MS,
);
