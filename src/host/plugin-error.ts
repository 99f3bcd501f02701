/** Thrown if a plugin can't be loaded. The message is for the author of the `plugin:` line in gateway.yaml. */
export class PluginError extends Error {
  readonly hint: string | undefined;

  constructor(
    message: string,
    options: { readonly hint?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "PluginError";
    this.hint = options.hint;
  }
}
