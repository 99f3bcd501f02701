/** Returns whether an argument asks for help. */
export function isHelp(argument: string): boolean {
  return argument === "--help" || argument === "-h";
}

/** Prints what is wrong with the arguments of a command. Returns the exit code 2. */
export function usageError(why: string): number {
  console.error(why);
  return 2;
}

/** Prints the usage of a command. Returns the exit code 0. */
export function printHelp(usage: string): number {
  console.log(usage);
  return 0;
}
