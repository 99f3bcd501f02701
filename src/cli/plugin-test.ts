/** `plugin test PATH`: puts a plugin to the conformance kit. */
export async function pluginTest(argv: readonly string[]): Promise<number> {
  console.error(`no rules yet for ${argv.join(" ")}`);
  return 2;
}
