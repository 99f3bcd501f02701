import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import {
  computedImportViolations,
  contractPackageViolations,
  importCycles,
  LAYERS,
  layerViolations,
  logViolations,
  pluginViolations,
  storageViolations,
  unusedSteps,
} from "./support/architecture/layers.ts";
import { mentions } from "./support/architecture/specifiers.ts";
import type { SourceTree } from "./support/architecture/tree.ts";
import { isUnder, readTree } from "./support/architecture/tree.ts";
import {
  confinedPackageViolations,
  consoleViolations,
  environmentViolations,
  exportedNames,
  nameViolations,
  roomViolations,
  sizeViolations,
} from "./support/architecture/words.ts";

/** What plugins may lean on. A name that leaves is a new `apiVersion`; one that comes is for ever: think twice. */
const CONTRACT = `
  Duration FAILURES HeaderMap HeaderValue LosslessNumber Secret Type UpstreamError definePlugin foldExtra isNumber promptsOf
  type Batches, type Blame, type Call, type CanonicalEvent, type Capabilities, type ChatEvent, type ChatRequest, type ChatStream, type CompletionRequest,
  type ContentPart, type EmbedInput, type EmbedRequest, type EmbedResult, type ExtraEvent, type Failure, type FinishEvent,
  type FinishReason, type FoldedFields, type Host, type Json, type JsonObject, type KeyValue, type Logger,
  type Message, type Model, type NativeDialect, type NativeErrorWords, type NativeEvent, type NativeRequest, type NextBatch, type Prompt, type ReasoningEvent, type SecretOptions, type SetOptions, type Static, type StoredValue, type TSchema, type TextEvent,
  type ToolCallEvent, type Upstream, type UpstreamErrorCode, type UpstreamErrorOptions, type UpstreamPlugin,
  type Usage, type UsageEvent`;

const KIT = `
  asArray asNumber asObject asObjects asString isAbsent isObject member otherMembers type MaybeJson,
  answerStream Channel SseParser ToolNames cleanBase64 describeLimits errorFromBody errorFromFetch errorFromResponse get
  isBlankContent openaiStream parseAsWritten parseJson post readConversation readInlineData readJson readModelList readFinishReason sse stringifyJson systemClock wellFormedSchema
  type AnswerPiece, type AnswerReader, type ChannelOptions, type Clock, type ConversationMessage, type ConversationOptions,
  type GetOptions, type InlineData, type InlineDataOptions, type OpenAiStreamOptions, type PostOptions,
  type ReasoningForm,
  type SseEvent, type SseOptions, type SseParserOptions, type ToolCall, type ToolNameRule, type WellFormedSchema`;

const CREDENTIALS = `
  ApiKeys CredentialExclusions apiKeyOption credentialPool withOtherCredential
  type ApiKey, type CredentialAccount, type CredentialPool, type CredentialSource, type Lease, type LeaseCall,
  type LeaseOptions, type PoolOptions`;

const CONFORMANCE = `
  LEVELS RULES SCENARIOS describeUpstream httpFixtures httpUpstream messageOf reportText testUpstream unknownNames
  type Answer, type AnswerEvent, type Fixtures, type NativeFixtures, type NativeSetup, type HttpReply, type HttpRequest, type HttpSetup,
  type HttpUpstreamSetup, type Level, type Report, type Result, type Rule, type RuleId, type RuleOutcome, type Scenario,
  type ScenarioName, type TestOptions, type TestUpstream`;

const RULES: Readonly<Record<string, (tree: SourceTree) => string[]>> = {
  "imports go one way, from the top of the table to its bottom": layerViolations,
  "the contract leans on no package but TypeBox": contractPackageViolations,
  "the log imports only types": logViolations,
  "plugins import what a stranger's plugin could, and the core imports no plugin": pluginViolations,
  "only openStorage knows which database is used": storageViolations,
  "only the loader of plugins imports a computed path": computedImportViolations,
  "no import comes back to where it began": importCycles,
  "each step is one that the pipeline takes": unusedSteps,
  "packages stay in their own part of the tree": confinedPackageViolations,
  "the environment is read in one place": environmentViolations,
  "nothing but the log and the commands writes to the console": consoleViolations,
  "the core says no plugin's name": nameViolations,
  "a file can be read in one go": sizeViolations,
  "a room has one subject": roomViolations,
};

const tree = await readTree(join(import.meta.dir, ".."), ["src", "toolkit", "config", "plugins", "test"]);

describe("the sources", () => {
  test.each(Object.entries(RULES))("%s", (_, violations) => {
    expect(violations(tree)).toEqual([]);
  });

  test("export to plugins what was reviewed", () => {
    expect(exportedNames(tree.get("src/contract/index.ts") ?? "")).toEqual(listed(CONTRACT));
    expect(exportedNames(tree.get("src/kit/index.ts") ?? "")).toEqual(listed(KIT));
    expect(exportedNames(tree.get("src/kit/credentials/index.ts") ?? "")).toEqual(listed(CREDENTIALS));
    expect(exportedNames(tree.get("toolkit/conformance/index.ts") ?? "")).toEqual(listed(CONFORMANCE));
  });
});

function listed(names: string): string[] {
  return (names.match(/(?:type )?\w+/g) ?? []).sort();
}

function planted(files: Readonly<Record<string, string>>): SourceTree {
  return new Map(Object.entries(files));
}

describe("the reader of imports", () => {
  const forms: Readonly<Record<string, string>> = {
    "a plain import": `import { a } from "./x.ts";`,
    "an import over several lines": `import {\n  a,\n  type B, // why\n} from './x.ts';`,
    "a default and a namespace": `import a, * as b from "./x.ts";`,
    "an import for its effect": `import "./x.ts";`,
    "an import behind another statement": `const a = 1; import { b } from "./x.ts";`,
    "a type-only import": `import type { A } from "./x.ts";`,
    "inline types": `import { type A } from "./x.ts";`,
    "a re-export": `export { a } from "./x.ts";`,
    "a re-export of types": `export type { A } from "./x.ts";`,
    "a re-export of everything": `export * as a from "./x.ts";`,
    "a dynamic import": `const a = await import("./x.ts");`,
    "a dynamic import with a comment": "await import(/* webpack: no */ `./x.ts`);",
    "a type from an import": `type A = import("./x.ts").A;`,
    "a require": `const a = require("./x.ts");`,
    "an import by require": `import a = require("./x.ts");`,
    "a resolved module": `import.meta.resolve("./x.ts");`,
    "a worker": `new Worker(new URL("./x.ts", import.meta.url));`,
  };

  test.each(Object.entries(forms))("sees %s", (_, text) => {
    expect(mentions(`const before = 1;\n\n${text}\n`).map(({ specifier }) => specifier)).toEqual(["./x.ts"]);
  });

  test("says on which line, and whether only types are imported", () => {
    const text = `import type { A } from "./a.ts";\nimport { b } from "./b.ts";\n\nimport("./c.ts");\n`;
    expect(mentions(text)).toEqual([
      { specifier: "./a.ts", line: 1, typeOnly: true },
      { specifier: "./b.ts", line: 2, typeOnly: false },
      { specifier: "./c.ts", line: 4, typeOnly: false },
    ]);
  });

  test("sees that a path is computed", () => {
    const text = "await import(file);\nawait import(`./${name}.ts`);\n";
    expect(mentions(text).map(({ specifier }) => specifier)).toEqual([undefined, undefined]);
  });

  test("takes nothing else for an import", () => {
    const text = `/**\n * import { a } from "elysia";\n */\nexport const text = "from";\nexport function important(from: string) {\n  return Array.from("abc");\n}\n`;
    expect(mentions(text)).toEqual([]);
  });
});

describe("a planted violation is found:", () => {
  const layered: readonly (readonly [string, string, string])[] = [
    ["src/contract/a.ts", "../kit/a.ts", "src/kit/a.ts"],
    ["src/contract/a.ts", "../../config/schema.ts", "config/schema.ts"],
    ["src/kit/a.ts", "../answer/a.ts", "src/answer/a.ts"],
    ["src/runtime/a.ts", "../contract/index.ts", "src/contract/index.ts"],
    ["src/runtime/http-client/a.ts", "../../kit/a.ts", "src/kit/a.ts"],
    ["src/kit/http/a.ts", "../sse/a.ts", "src/kit/sse/a.ts"],
    ["src/answer/a.ts", "modelyard/kit", "src/kit/index.ts"],
    ["src/dialects/chat/a.ts", "../../targets/a.ts", "src/targets/a.ts"],
    ["src/ledger/a.ts", "../storage/storage.ts", "src/storage/storage.ts"],
    ["src/storage/a.ts", "../host/a.ts", "src/host/a.ts"],
    ["src/limits/a.ts", "../targets/a.ts", "src/targets/a.ts"],
    ["src/attempts/a.ts", "../gateway.ts", "src/gateway.ts"],
    ["src/pipeline/a.ts", "../storage/a.ts", "src/storage/a.ts"],
    ["src/pipeline/a.ts", "../server/app.ts", "src/server/app.ts"],
    ["src/gateway.ts", "./pipeline/generate.ts", "src/pipeline/generate.ts"],
    ["src/build-gateway.ts", "./server/app.ts", "src/server/app.ts"],
    ["config/document/a.ts", "../schema/walk.ts", "config/schema/walk.ts"],
    ["config/schema/a.ts", "../check.ts", "config/check.ts"],
    ["config/load.ts", "../src/contract/index.ts", "src/contract/index.ts"],
    ["config/load.ts", "../src/log", "src/log.ts"],
    ["src/host/a.ts", "../../toolkit/conformance/index.ts", "toolkit/conformance/index.ts"],
    ["toolkit/conformance/upstreams/a.ts", "../harness/harness.ts", "toolkit/conformance/harness/harness.ts"],
    ["toolkit/capture/a.ts", "../commands/a.ts", "toolkit/commands/a.ts"],
  ];

  test.each(layered)("%s imports %s", (from, specifier, file) => {
    const empty = planted({ [file]: "" });
    for (const form of [`import type { A } from "${specifier}";`, `await import("${specifier}");`]) {
      const found = layerViolations(new Map([...empty, [from, `\n${form}`]]));
      expect(found).toEqual([expect.stringMatching(new RegExp(`^${from}:2: .* may not import ${file}$`))]);
    }
  });

  test("a database that is opened by name", () => {
    const text = `import { openSqlite } from "../storage/sqlite/sqlite.ts";`;
    const sqlite = {
      "src/storage/sqlite/sqlite.ts": "",
      "src/storage/sqlite/ledger/a.ts": `import "../sqlite.ts";`,
    };
    expect(storageViolations(planted(sqlite))).toEqual([]);
    expect(storageViolations(planted({ ...sqlite, "src/cli/a.ts": text }))).toEqual([
      "src/cli/a.ts:1: only src/storage/open-storage.ts may import src/storage/sqlite/sqlite.ts",
    ]);
  });

  test("a room that stands above what it may import", () => {
    const rooms = Object.keys(LAYERS);
    const isKnown = (file: string, index: number) =>
      rooms.slice(0, index).some((room) => isUnder(file, room));
    const free = ["src", "toolkit", "package.json"];
    const wrong = rooms.flatMap((room, index) =>
      (LAYERS[room] ?? [])
        .filter((file) => !free.includes(file) && !isKnown(file, index))
        .map((file) => `${room} → ${file}`),
    );
    expect(wrong).toEqual([]);
  });

  test("a file outside the table", () => {
    expect(layerViolations(planted({ "src/utils/a.ts": "" }))).toEqual(["src/utils/a.ts is in no layer"]);
  });

  test("a test may reach across layers", () => {
    const text = `import { listen } from "../server/app.ts";`;
    expect(layerViolations(planted({ "src/answer/a.test.ts": text }))).toEqual([]);
  });

  test("a package in the contract", () => {
    const text = `import type { A } from "node:http";\nimport { Type } from "@sinclair/typebox/value";`;
    expect(contractPackageViolations(planted({ "src/contract/a.ts": text }))).toHaveLength(1);
  });

  test("a value in the log", () => {
    const text = `import { a } from "./contract/index.ts";\nimport type { B } from "./contract/index.ts";`;
    expect(logViolations(planted({ "src/log.ts": text }))).toEqual([
      "src/log.ts:1: the log may import only types",
    ]);
  });

  test.each([
    "../../src/contract/index.ts",
    "../other/index.ts",
    "../../config/load.ts",
    "/plugins/mine/index.ts",
    "modelyard/host",
    "modelyard",
    "bun:sqlite",
    "bun",
  ])("a plugin that imports %s", (specifier) => {
    const tree = planted({ "plugins/mine/a.ts": `import type { A } from "${specifier}";` });
    expect(pluginViolations(tree)).toHaveLength(1);
  });

  test.each([
    "modelyard/plugin",
    "modelyard/kit",
    "modelyard/credentials",
    "./b.ts",
    "../mine/b.ts",
    "node:net",
    "net",
    "@scope/package/part",
  ])("but not a plugin that imports %s", (specifier) => {
    const tree = planted({ "plugins/mine/a.ts": `import type { A } from "${specifier}";` });
    expect(pluginViolations(tree)).toEqual([]);
  });

  test("the core that imports a plugin, in a test too", () => {
    const text = `import type { A } from "../../plugins/mine/index.ts";`;
    const tree = planted({ "src/host/a.ts": text, "src/host/a.test.ts": text });
    expect(pluginViolations(tree)).toHaveLength(2);
  });

  test("a computed import outside the loader of plugins", () => {
    const text = "await import(file);";
    const tree = planted({ "src/host/resolve.ts": text, "src/pipeline/a.ts": text });
    expect(computedImportViolations(tree)).toEqual(["src/pipeline/a.ts:1: imports a computed path"]);
  });

  test("a cycle of types", () => {
    const tree = planted({
      "src/answer/a.ts": `import type { B } from "./b.ts";`,
      "src/answer/b.ts": `export type { C } from "./c.ts";`,
      "src/answer/c.ts": `type A = import("./a.ts").A;`,
      "src/answer/d.ts": `import "./a.ts";`,
    });
    expect(importCycles(tree)).toEqual([
      "src/answer/a.ts > src/answer/b.ts > src/answer/c.ts > src/answer/a.ts",
    ]);
  });

  test("a step that the pipeline never takes", () => {
    const tree = planted({
      "src/pipeline/generate.ts": `import { a } from "./a.ts";`,
      "src/pipeline/a.ts": `import { b } from "./b.ts";`,
      "src/pipeline/b.ts": "",
      "src/pipeline/c.ts": `import { a } from "./a.ts";`,
    });
    expect(unusedSteps(tree)).toEqual(["src/pipeline/c.ts can't be reached from src/pipeline/generate.ts"]);
  });

  test("a package outside its part of the tree", () => {
    const tree = planted({
      "src/server/app.ts": `import { Elysia } from "elysia";`,
      "src/pipeline/a.ts": `import type { Context } from "elysia/types";`,
      "plugins/mine/a.ts": `import { io } from "socket.io-client";`,
      "plugins/langfast/socket.ts": `import { io } from "socket.io-client";`,
      "toolkit/scaffold/socketio/a.ts": `import { io } from "socket.io-client";`,
    });
    expect(confinedPackageViolations(tree)).toEqual([
      "src/pipeline/a.ts:1: elysia belongs in src/server",
      "plugins/mine/a.ts:1: socket.io-client belongs in plugins/langfast or toolkit/scaffold/socketio",
    ]);
  });

  test.each([
    "process.env.HOME",
    "process?.env",
    `process["env"]`,
    "Bun.env",
    "import.meta.env",
    "const { env } = process;",
  ])("%s", (use) => {
    const tree = planted({ "src/a.ts": use, "plugins/mine/a.ts": use, "config/environment.ts": use });
    expect(environmentViolations(tree)).toHaveLength(2);
  });

  test.each([`console.log("x")`, `console["log"]`, "console?.log", "const { log } = console"])(
    "%s",
    (use) => {
      const tree = planted({
        "src/a.ts": use,
        "plugins/mine/a.ts": use,
        "src/cli/a.ts": use,
        "src/log.ts": use,
      });
      expect(consoleViolations(tree)).toHaveLength(2);
    },
  );

  test("a comment about the console is none", () => {
    const text = "/**\n * console.log is for commands.\n */\n// console.log\nconst console_ = 1;";
    expect(consoleViolations(planted({ "src/a.ts": text }))).toEqual([]);
  });

  test("a plugin's name, in comments and tests too", () => {
    const tree = planted({
      "plugins/parrot/index.ts": "",
      "src/a.ts": "// as Parrot does",
      "src/a.test.ts": `const plugin = "parrot";`,
      "src/b.ts": "parroting",
    });
    expect(nameViolations(tree)).toEqual([
      "src/a.ts:1: the core says a plugin's name, parrot",
      "src/a.test.ts:1: the core says a plugin's name, parrot",
    ]);
  });

  test("but not OpenAI's parameter of the same name", () => {
    const files = {
      "plugins/echo/index.ts": "",
      "src/dialects/openai/completions/request.ts": `const NO = ["echo"];`,
    };
    expect(nameViolations(planted(files))).toEqual([]);
    expect(nameViolations(planted({ ...files, "src/pipeline/a.ts": `"echo"` }))).toHaveLength(1);
  });

  test("but not the name of a protocol, unless it is a text of its own", () => {
    const files = { "plugins/openai/index.ts": "", "src/a.ts": "// OpenAI's `openai-chat`" };
    expect(nameViolations(planted(files))).toEqual([]);
    expect(nameViolations(planted({ ...files, "src/b.ts": `plugin === "openai"` }))).toEqual([
      "src/b.ts:1: the core says a plugin's name, openai",
    ]);
  });

  test("a file that is too long", () => {
    const tree = planted({
      "src/pipeline/generate.ts": "\n".repeat(101),
      "src/a.ts": "\n".repeat(301),
      "src/b.ts": "\n".repeat(300),
      "src/a.test.ts": "\n".repeat(999),
    });
    expect(sizeViolations(tree)).toEqual([
      "src/pipeline/generate.ts has 101 lines, 100 at most",
      "src/a.ts has 301 lines, 300 at most",
    ]);
  });

  test("a room that has become a drawer", () => {
    const files = Array.from({ length: 15 }, (_, index) => [`src/host/${index}.ts`, ""] as const);
    const tree = planted({ ...Object.fromEntries(files), "src/host/0.test.ts": "", "src/host/in/a.ts": "" });
    expect(roomViolations(tree)).toEqual(["src/host has 15 files, 14 at most"]);
    expect(roomViolations(new Map(files.slice(1)))).toEqual([]);
  });

  test("an export that nobody can review", () => {
    expect(
      exportedNames(
        `/** All. */\nexport type { A, B as C } from "./a.ts";\nexport { type D, e } from "./b.ts";\n`,
      ),
    ).toEqual(["e", "type A", "type C", "type D"]);
    expect(() => exportedNames(`export * from "./a.ts";`)).toThrow("can be reviewed");
  });
});
