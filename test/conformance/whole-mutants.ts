import { mutant } from "./mutants.ts";
import type { Mutant } from "./mutants.ts";

const READ = "const { say, done, tokens } = (await readJson(response, call.signal)) as Said;";

/** Faults of the plugin whose answers come whole: most show only when one is given up with half of it read. */
export const WHOLE: readonly Mutant[] = [
  mutant("nobody gives up a body that has begun", "4.3 mid-stream", "still waits", [
    [
      "const response = await post(call, { ...to, body: request });",
      `const sending = new AbortController();
        const giveUp = () => sending.abort(call.signal.reason);
        call.signal.addEventListener("abort", giveUp);
        const response = await post({ ...call, signal: sending.signal }, { ...to, body: request });
        call.signal.removeEventListener("abort", giveUp);`,
    ],
  ]),
  mutant("the answer is given up, and its body read on", "4.5 plain", "still working", [
    [
      "const response = await post(call, { ...to, body: request });",
      `const response = post({ ...call, signal: host.signal }, { ...to, body: request });
        const { promise: left, reject } = Promise.withResolvers<never>();
        call.signal.addEventListener("abort", () => reject(call.signal.reason));`,
    ],
    [
      READ,
      "const { say, done, tokens } = (await Promise.race([left, response.then((whole) => readJson(whole, host.signal))])) as Said;",
    ],
  ]),
  mutant("a timer of an answer that is given up goes on", "4.10 timers", "are pending after closing", [
    [
      READ,
      `const slow = setTimeout(() => host.log.warn("slow"), 60_000);\n        ${READ}\n        clearTimeout(slow);`,
    ],
  ]),
  mutant("a file of an answer that is given up stays open", "4.11 descriptors", "are open", [
    [READ, `const file = openSync("/dev/null", "r");\n        ${READ}\n        closeSync(file);`],
    ["import { post", 'import { closeSync, openSync } from "node:fs";\nimport { post'],
  ]),
  mutant("a listener of an answer that is given up stays", "4.14 listeners", "listeners; there were", [
    [
      READ,
      `const closing = () => host.log.warn("closing within an answer");
        host.signal.addEventListener("abort", closing);
        ${READ}
        host.signal.removeEventListener("abort", closing);`,
    ],
  ]),
];
