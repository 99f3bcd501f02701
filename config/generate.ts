/**
 * Writes config/schema.json and config/reference.md from the schema: `bun run docs`. With `--check` it writes nothing
 * and fails if they are stale.
 * @module
 */
import { editorSchema } from "./editor-schema.ts";
import { referencePage } from "./reference.ts";
import { GatewaySchema } from "./schema.ts";

const FILES = {
  "schema.json": `${JSON.stringify(editorSchema(GatewaySchema), null, 2)}\n`,
  "reference.md": referencePage(GatewaySchema),
};

const stale: string[] = [];
for (const [name, text] of Object.entries(FILES)) {
  const file = Bun.file(`${import.meta.dir}/${name}`);
  const old = (await file.exists()) ? await file.text() : "";
  if (old === text) continue;
  if (process.argv.includes("--check"))
    stale.push(`config/${name} is stale, first in line ${firstDifference(old, text)}`);
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
