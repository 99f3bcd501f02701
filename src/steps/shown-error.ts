import type { UpstreamErrorCode } from "../contract/index.ts";
import { optionsOf } from "../contract/error.ts";
import { UpstreamError } from "../contract/index.ts";

/**
 * An error as a client may see it: secrets and pages removed. What is wrong with the gateway's own credentials and
 * connections is said in the gateway's words; the upstream's are for the log.
 */
export function shown(
  error: UpstreamError,
  upstream: string,
  redact: (text: string) => string,
): UpstreamError {
  const own = OWN_WORDS[error.code]?.(upstream);
  const options = optionsOf(error);
  const { param, upstreamCode, detail = own && error.message } = options;
  return new UpstreamError(error.code, own ?? withoutPage(redact(error.message)), {
    ...options,
    param: param && redact(param),
    upstreamCode: upstreamCode && redact(upstreamCode),
    detail: detail && redact(detail),
  });
}

const OWN_WORDS: Partial<Record<UpstreamErrorCode, (upstream: string) => string>> = {
  rejected: (id) => `the gateway's key for "${id}" was refused`,
  "out-of-credit": (id) => `the credit of the gateway's key for "${id}" is spent`,
  "no-credential": (id) => `no credential for "${id}" can be used at present`,
  unreachable: (id) => `the upstream "${id}" can't be reached`,
};

/** A message up to where a page begins in it. */
function withoutPage(message: string): string {
  const start = message.search(/<(!doctype|html|head|body|\?xml)\b/i);
  return start < 0 ? message : `${message.slice(0, start)}(a page)`;
}
