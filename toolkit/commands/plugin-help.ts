/** Whether an argument asks how a command is used. */
export function isHelp(argument: string): boolean {
  return argument === "--help" || argument === "-h";
}

/** Prints what was asked for with --help; gives 0, as nothing went wrong. */
export function printHelp(usage: string): number {
  console.log(usage);
  return 0;
}
