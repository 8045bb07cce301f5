/**
 * What tests see of a page: the pixels of its plots, and the files that it saves.
 *
 * Code for the page is text, as it is typed for a browser and these files for Node.
 */

import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';

/** Farther from a colour in red, green and blue together than this is another one. */
const NEAR = 40;

/** How many pixels of a plot's canvas have a colour of the page, by the name of its variable. */
export function coloured(page: Page, name: `--${string}`, plot = '.plot'): Promise<number> {
  return page.evaluate<number>(`(() => {
    const canvas = document.querySelector(${JSON.stringify(`${plot} canvas`)});
    const context = canvas?.getContext('2d');
    if (!context || canvas.width === 0) return 0;
    const paper = new OffscreenCanvas(1, 1).getContext('2d');
    paper.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('${name}').trim();
    paper.fillRect(0, 0, 1, 1);
    const [r, g, b] = paper.getImageData(0, 0, 1, 1).data;
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let k = 0; k < data.length; k += 4) {
      const away = Math.abs(data[k] - r) + Math.abs(data[k + 1] - g) + Math.abs(data[k + 2] - b);
      if (data[k + 3] > 60 && away < ${NEAR}) count++;
    }
    return count;
  })()`);
}

/** What the first button of this name saves, a byte a letter. */
export async function saved(page: Page, name: string | RegExp): Promise<string> {
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name }).first().click(),
  ]);
  return readFileSync(await file.path(), 'latin1');
}
