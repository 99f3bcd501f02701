import type { YAMLError } from "yaml";

/** What a YAML syntax error is called in a report. */
export interface SyntaxMistake {
  readonly message: string;
  readonly hint?: string;
}

/**
 * Says a YAML syntax error in words. `line` is the file's line where it happened; neither it nor any other text of
 * the file is repeated, because a secret may stand there.
 */
export function syntaxMistake(error: YAMLError, line: string): SyntaxMistake {
  const hint = hintFor(error, line);
  return { message: `not valid YAML: ${text(error)}`, ...(hint === undefined ? {} : { hint }) };
}

function text(error: YAMLError): string {
  if (error.code === "MULTIPLE_DOCS") return "the file has more than one document";
  if (error.code === "TAB_AS_INDENT") return "a tab is used to indent";
  if (error.code === "BAD_DQ_ESCAPE") return 'unknown escape sequence after \\ in a "…" text';
  if (error.code === "TAG_RESOLVE_FAILED") return "unknown tag (a word that begins with !)";
  if (error.code === "RESOURCE_EXHAUSTION") return "nested too deeply";
  // What follows a colon in the parser's messages is text from the file.
  const [words = ""] = error.message.split(/: |: ?$/);
  return words.charAt(0).toLowerCase() + words.slice(1);
}

function hintFor(error: YAMLError, line: string): string | undefined {
  if (error.code === "MULTIPLE_DOCS") return "keep one, and remove the line ---";
  if (error.code === "TAB_AS_INDENT") return "indent with spaces";
  if (error.code === "BAD_DQ_ESCAPE") return "write \\\\ for a backslash, or use '…' instead of \"…\"";
  if (error.code === "BAD_ALIAS") return 'a value that begins with * needs quotes: "*"';
  if (error.code === "BAD_SCALAR_START") return "put the value in quotes";
  if (error.code === "TAG_RESOLVE_FAILED") return "a value that begins with ! needs quotes";
  if (/[{[].*\$\{/.test(line)) return 'inside { } and [ ] an expansion needs quotes: "${NAME}"';
  if (/compact mappings|implicit keys/i.test(error.message)) {
    return "check the indentation; a value that contains a colon and a space needs quotes";
  }
  if (/implicit key|indent|same (column|level)/i.test(error.message)) {
    return "check the indentation of this line and the one before";
  }
  return undefined;
}
