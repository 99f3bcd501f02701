/** Runs the gateway, which ends its process itself when it is told to or can't start. */
export async function serve(): Promise<never> {
  await import("../main.ts");
  return new Promise<never>(() => undefined);
}
