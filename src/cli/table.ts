/** Lines of cells as text, each column as wide as its widest cell; all but the first can be put to the right. */
export function formatTable(
  lines: readonly (readonly string[])[],
  { numbers = false }: { readonly numbers?: boolean } = {},
): string {
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  const padded = (cell: string, column: number) => {
    const width = widths[column] ?? 0;
    return numbers && column > 0 ? cell.padStart(width) : cell.padEnd(width);
  };
  return lines.map((line) => line.map(padded).join("  ").trimEnd()).join("\n");
}
