/**
 * When an answer says that the upstream may be asked again, in milliseconds from now: `retry-after-ms`, else
 * `retry-after` in seconds or as a date (RFC 9110 section 10.2.3). Undefined if it says nothing sensible.
 */
export function retryAfterMs(headers: Headers): number | undefined {
  return (
    positive(headers.get("retry-after-ms"), 1) ??
    positive(headers.get("retry-after"), 1000) ??
    untilDate(headers)
  );
}

function positive(value: string | null, factor: number): number | undefined {
  const text = value?.trim() ?? "";
  return /^\d{1,12}(\.\d+)?$/.test(text) ? Math.ceil(Number(text) * factor) : undefined;
}

function untilDate(headers: Headers): number | undefined {
  const date = headers.get("retry-after") ?? "";
  const until = Date.parse(date);
  // Date.parse also makes something of "-1".
  if (Number.isNaN(until) || !date.endsWith("GMT")) return undefined;
  // The upstream's own clock, where it tells it: ours may differ.
  const sent = Date.parse(headers.get("date") ?? "");
  return Math.max(0, until - (Number.isNaN(sent) ? Date.now() : sent));
}
