import { mutant } from "./mutants.ts";
import type { Mutant } from "./mutants.ts";

/** Faults of the plugin over WebSockets that signs its users up. */
export const LINE: readonly Mutant[] = [
  mutant("the waiting doesn't see the abort", "4.3 mid-stream", "still waits", [
    ["signal: call.signal,\n        onCancel", "onCancel"],
  ]),
  mutant("a run isn't closed when its reader leaves", "4.6 return", "still working", [
    ["  socket.close();\n        sockets.delete(socket);", "  if (false) sockets.delete(socket);"],
    ["onCancel: () => socket.close()", "onCancel: () => undefined"],
  ]),
  mutant("what is heard is kept without bound", "2.9 bounded", "took", [
    ["maxItems: 1_000", "maxItems: Infinity"],
  ]),
  mutant("sockets stay open after closing", "4.12 closed", "still open after closing", [
    ["  socket.close();\n        sockets.delete(socket);", "  if (false) sockets.delete(socket);"],
    ["onCancel: () => socket.close()", "onCancel: () => undefined"],
    ["host.defer(() => sockets.forEach((socket) => socket.close()));", ""],
  ]),
  mutant("what comes is no sign of life", "2.11 alive", "`call.alive()` was not called", [
    ["call.alive();", ""],
  ]),
  mutant("the wait for a user isn't told", "5.7 queued", "`call.queued()` was not called", [
    ["{ ...asking, queued: () => call.queued() }", "asking"],
  ]),
  mutant("a lease isn't given back", "4.3 mid-stream", "cancelled requests", [
    ["using lease = await", "const lease = await"],
  ]),
  mutant("the state is lost at a restart", "5.4 restart", "sign-ups", [
    [
      "      host,\n    );",
      "      { ...host, storage: { get: async () => undefined, set: async () => 1, delete: async () => undefined, keys: async () => [] } },\n    );",
    ],
  ]),
  mutant("what it signed up with isn't announced", "5.5 announced", "were not passed", [
    ["secrets: ({ key }) => [key],", "secrets: () => [],"],
  ]),
  mutant("what a refresh gave isn't announced", "5.5 announced", "1 were not passed", [
    ["secrets: ({ key }) => [key],", "secrets: ({ key }) => (announced++ === 0 ? [key] : []),"],
    ["type User =", "let announced = 0;\n\ntype User ="],
  ]),
  mutant("a credential that was just refreshed is given up", "5.3 refresh", "was abandoned", [
    [
      "refresh: ({ name }, giveUp) =>",
      "refresh: async ({ name }, giveUp) => refreshes++ > 0 ? Promise.reject(new UpstreamError('rejected', 'no more')) :",
    ],
    ["type User =", "let refreshes = 0;\n\ntype User ="],
  ]),
  mutant("an expired credential is used for ever", "5.3 refresh", "still fail", [
    ["if (!call.signal.aborted) lease.failed(error);", ""],
  ]),
  mutant("a signing-up in open", "4.8 open-network", "open() used the network", [
    [
      "const exclusions = new CredentialExclusions();",
      "const exclusions = new CredentialExclusions();\n    users.start();",
    ],
    ["min: 0", "min: 1"],
  ]),
  mutant("a user that was waited for is used, whoever has left", "4.16 late", "while a credential was made", [
    [
      "const except = exclusions.of(call);",
      "call.signal.throwIfAborted();\n        const except = exclusions.of(call);",
    ],
    ["signal: AbortSignal.any([call.signal, signal])", "signal"],
    [
      `onCancel: () => socket.close(),
      });`,
      "});",
    ],
    ["        signal: call.signal,\n", ""],
  ]),
  mutant("it can't be opened twice", "4.7 reopen", "the second time", [
    [
      "const sockets = new Set",
      'if (wasOpen) throw new Error("it is open already");\n    wasOpen = true;\n    const sockets = new Set',
    ],
    ["type User =", "let wasOpen = false;\n\ntype User ="],
  ]),
];

/** A fault that `bun test` would itself take for a failure of whatever test runs. */
export const REJECTING = mutant(
  "a rejection is left to nobody",
  "4.13 rejections",
  "a rejection was unhandled",
  [
    [
      "socket.onclose = () =>",
      'socket.addEventListener("close", () => void Promise.reject(new Error("closed")));\n      socket.onclose = () =>',
    ],
  ],
);
