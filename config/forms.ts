import { Type } from "@sinclair/typebox";
import type { SchemaOptions, TSchema, TUnsafe } from "@sinclair/typebox";

const FORM = "x-modelyard-form";

/** A size in gateway.yaml, written `512KiB`, `64MiB`, `10MB` or as a number of bytes; read as bytes. */
export function Size(options: SchemaOptions = {}): TUnsafe<number> {
  return Type.Unsafe<number>({
    ...options,
    type: ["integer", "string"],
    pattern: "^\\d+(\\.\\d+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$",
    [FORM]: "size",
  });
}

/** A moment in gateway.yaml, written `2027-01-01` or `2027-01-01T12:00:00Z`; read as milliseconds since 1970. */
export function Moment(options: SchemaOptions = {}): TUnsafe<number> {
  return Type.Unsafe<number>({
    ...options,
    type: "string",
    pattern: "^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2}(\\.\\d+)?)?(Z|[+-]\\d{2}:\\d{2})?)?$",
    [FORM]: "moment",
  });
}

/** The form made by `Size()` or `Moment()`, if the schema was. */
export function formOf(schema: TSchema): unknown {
  return schema[FORM];
}
