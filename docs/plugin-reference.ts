import { LEVELS, RULES, SCENARIOS } from "modelyard/conformance";
import { FAILURES } from "modelyard/plugin";
import { declarationsOf } from "./declarations.ts";
import { exportedBy } from "./exported.ts";
import type { Exported } from "./exported.ts";

const ENTRIES = {
  "modelyard/plugin": {
    file: "src/contract/index",
    about: "The contract: all that a plugin sees of the gateway.",
  },
  "modelyard/kit": { file: "src/kit/index", about: "What authors of plugins need twice." },
  "modelyard/credentials": {
    file: "src/kit/credentials/index",
    about: "Several API keys, and a pool of credentials that are made, refreshed and kept over restarts.",
  },
  "modelyard/conformance": {
    file: "toolkit/conformance/index",
    about: "The suite that anybody's plugin can be put to, offline.",
  },
};

const INTRODUCTION = `# Plugin reference

Every name that a plugin can import, as the types declare it, and the tables of the conformance kit. Made by \`bun run docs\` from the source; how it all fits together is in [plugins.md](plugins.md).`;

// What is longer is a table of values, and stands below as one.
const MOST_LINES_OF_A_CONSTANT = 12;

/** The page docs/plugin-reference.md. */
export async function pluginReferencePage(): Promise<string> {
  const declarations = await declarationsOf(Object.values(ENTRIES).map(({ file }) => `${file}.ts`));
  const entries = Object.entries(ENTRIES).map(([name, { file, about }]) =>
    [`## ${name}`, about, ...exportedBy(file, declarations).map(section)].join("\n\n"),
  );
  return `${[INTRODUCTION, ...entries, failures(), scenarios(), rules()].join("\n\n")}\n`;
}

function section({ name, comment, code, package: origin }: Exported): string {
  const words = origin === undefined ? comment : `Re-exported from \`${origin}\`.`;
  const block = code === undefined ? "" : `\`\`\`ts\n${shortened(code)}\n\`\`\``;
  return [`### ${name}`, words, block].filter(Boolean).join("\n\n");
}

function shortened(code: string): string {
  const plain = code
    .replaceAll(/^export (declare )?/gm, "")
    .replaceAll(/^ +#private;\n/gm, "")
    .replaceAll(/import\("[^"]+"\)\./g, "")
    .replaceAll(/^( +)/gm, (spaces: string) => spaces.slice(spaces.length / 2));
  const isLong = plain.split("\n").length > MOST_LINES_OF_A_CONSTANT;
  return isLong ? plain.replace(/^(const \w+: )[^]*$/, "$1…;") : plain;
}

function failures(): string {
  const rows = Object.entries(FAILURES).map(([code, failure]) => [
    `\`${code}\``,
    String(failure.status),
    `\`${failure.wire}\``,
    failure.mayTryNext ? "yes" : "no",
    failure.blame,
    failure.counts,
    failure.meaning,
  ]);
  const heads = ["code", "status", "for the client", "next target", "blamed", "counts", "when to throw it"];
  return `## Failures\n\n${table(heads, rows)}`;
}

function scenarios(): string {
  const rows = Object.entries(SCENARIOS).map(([name, what]) => [`\`${name}\``, what]);
  return `## Scenarios\n\nWhat the fixtures' upstream is asked to do.\n\n${table(["scenario", "the upstream"], rows)}`;
}

function rules(): string {
  const levels = Object.entries(LEVELS).map(([level, about]) => {
    const own = RULES.filter((rule) => rule.level === Number(level));
    const rows = own.map(({ id, title, why, look }) => {
      const [, anchor = ""] = look.split("#");
      return [`\`${id}\``, title, why, `[${anchor.replaceAll("-", " ")}](plugins.md#${anchor})`];
    });
    return `### Level ${level}: ${about}\n\n${table(["rule", "what must hold", "why", "look"], rows)}`;
  });
  return `## Rules\n\n${levels.join("\n\n")}`;
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}
