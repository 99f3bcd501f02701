import { open } from "node:fs/promises";

/** Limit of a configuration file in bytes, as a wrong path may lead to anything. */
const LARGEST = 1024 * 1024;

/** The text of a file, or the reason why it can't be read. */
export type ReadResult =
  | { readonly text: string }
  | { readonly message: string; readonly hint: string; readonly line?: number };

/** Reads a file as UTF-8 without its byte-order mark; an error is returned and never thrown. */
export async function readText(file: string): Promise<ReadResult> {
  if (file === "") return { message: "no file is named", hint: "write --config PATH" };
  try {
    const bytes = await readBytes(file);
    if (bytes.length > LARGEST) {
      return {
        message: "larger than 1 MiB",
        hint: "is this the right file? Name another with --config PATH",
      };
    }
    return decode(bytes);
  } catch (error) {
    return describeReadError((error as NodeJS.ErrnoException).code ?? String(error));
  }
}

/** Reads at most one byte more than allowed: the file may be a pipe or have no end. */
async function readBytes(file: string): Promise<Uint8Array> {
  await using handle = await open(file, "r");
  const buffer = new Uint8Array(LARGEST + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

function decode(bytes: Uint8Array): ReadResult {
  const mark = `${bytes[0]} ${bytes[1]}`;
  if (mark === "255 254" || mark === "254 255") {
    return { message: "written in UTF-16", hint: "save it as UTF-8" };
  }
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { message: "not UTF-8 text", hint: "save it as UTF-8", line: firstBadLine(bytes) };
  }
}

function firstBadLine(bytes: Uint8Array): number {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let [line, start] = [1, 0];
  for (;;) {
    const end = bytes.indexOf(0x0a, start);
    try {
      decoder.decode(bytes.subarray(start, end === -1 ? bytes.length : end));
    } catch {
      return line;
    }
    if (end === -1) return line;
    line++;
    start = end + 1;
  }
}

/** Describes an error code of the system for a configuration file. */
export function describeReadError(code: string): { readonly message: string; readonly hint: string } {
  const other = "name another file with --config PATH or GATEWAY_CONFIG";
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return {
        message: "there is no such file",
        hint: `${other}; one to start from is gateway.yaml of Modelyard`,
      };
    case "EISDIR":
      return { message: "a directory, not a file", hint: "name the file in it, such as gateway.yaml" };
    case "EACCES":
    case "EPERM":
      return { message: "this user may not read it", hint: `change its permissions, or ${other}` };
    default:
      return { message: `can't be read (${code})`, hint: other };
  }
}
