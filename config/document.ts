/** A place in a document: the keys and list positions that lead to it. */
export type Path = readonly (string | number)[];

/** A line and a column, both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A configuration file as it was read: plain values, and for each of them where it stands and where it came from. */
export class ConfigDocument {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }
}
