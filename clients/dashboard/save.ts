/**
 * Files for the person at the page: made here, of what is here; nothing is asked of the host.
 */

export function save(name: string, content: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Columns of the same length under their names; what is unknown is left empty. */
export function csvOf(columns: Readonly<Record<string, ArrayLike<number>>>): string {
  const names = Object.keys(columns);
  const count = Math.max(0, ...names.map((name) => columns[name]?.length ?? 0));
  const rows = Array.from({ length: count }, (_, k) =>
    names
      .map((name) => columns[name]?.[k] ?? NaN)
      .map((value) => (Number.isFinite(value) ? String(value) : ''))
      .join(','),
  );
  return `${[names.join(','), ...rows].join('\n')}\n`;
}

/** A picture of a canvas on a ground, which the canvas itself lets show through. */
export async function pictureOf(canvas: HTMLCanvasElement, ground: string): Promise<Blob> {
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext('2d');
  if (context === null) throw new Error('this browser draws no pictures');
  context.fillStyle = ground;
  context.fillRect(0, 0, copy.width, copy.height);
  context.drawImage(canvas, 0, 0);
  return copy.convertToBlob({ type: 'image/png' });
}
