/** Why a plugin can't be loaded, in words for whoever wrote `plugin:`. */
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
