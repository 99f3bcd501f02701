/** Why the gateway can't start, in words for the person who started it. */
export class StartupError extends Error {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "StartupError";
  }
}
