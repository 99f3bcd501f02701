/** Formats rows of cells as text with aligned columns; `numbers` aligns all but the first to the right. */
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
