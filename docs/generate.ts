/**
 * Writes what is made from the source, `bun run docs`: config/schema.json and config/reference.md from the schema,
 * docs/plugin-reference.md from the types. With `--check` it writes nothing and fails if they are stale.
 * @module
 */
import { join } from "node:path";
import { GatewaySchema } from "../config/schema/gateway.ts";
import { editorSchema, referencePage } from "./gateway-yaml.ts";
import { pluginReferencePage } from "./plugin-reference.ts";

const ROOT = join(import.meta.dir, "..");
const FILES = {
  "config/schema.json": `${JSON.stringify(editorSchema(GatewaySchema), null, 2)}\n`,
  "config/reference.md": referencePage(GatewaySchema),
  "docs/plugin-reference.md": await pluginReferencePage(),
};

const stale: string[] = [];
for (const [name, text] of Object.entries(FILES)) {
  const file = Bun.file(join(ROOT, name));
  const old = (await file.exists()) ? await file.text() : "";
  if (old === text) continue;
  if (process.argv.includes("--check"))
    stale.push(`${name} is stale, first in line ${firstDifference(old, text)}`);
  else await Bun.write(file, text);
}
if (stale.length > 0) {
  console.error(`${stale.join("\n")}\nRun: bun run docs`);
  process.exitCode = 1;
}

function firstDifference(old: string, text: string): number {
  const lines = old.split("\n");
  const index = text.split("\n").findIndex((line, position) => line !== lines[position]);
  return (index === -1 ? text.split("\n").length : index) + 1;
}
