/**
 * What tests see of a page: the pixels of its plots, and the files that it saves.
 *
 * Code for the page is text, as it is typed for a browser and these files for Node.
 */

import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { decodeFrame, encodeFrame, type Frame } from '../../server/api/frame.ts';
import type { Topic } from '../../server/api/socket.ts';

/** Farther from a colour in red, green and blue together than this is another one. */
const NEAR = 40;

/** Of a canvas, in pixels of it. */
export interface Area {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

/**
 * How many pixels of a plot's canvas have a colour of the page, by the name of its variable; around
 * one place, or in all.
 */
export function coloured(
  page: Page,
  name: `--${string}`,
  plot = '.plot',
  area?: Area,
): Promise<number> {
  return page.evaluate<number>(`(() => {
    const canvas = document.querySelector(${JSON.stringify(`${plot} canvas`)});
    const context = canvas?.getContext('2d');
    if (!context || canvas.width === 0) return 0;
    const paper = new OffscreenCanvas(1, 1).getContext('2d');
    paper.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('${name}').trim();
    paper.fillRect(0, 0, 1, 1);
    const [r, g, b] = paper.getImageData(0, 0, 1, 1).data;
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const area = ${JSON.stringify(area ?? null)};
    const isIn = (k) => area === null ||
      (Math.abs(((k / 4) % canvas.width) - area.x) <= area.radius &&
        Math.abs(Math.floor(k / 4 / canvas.width) - area.y) <= area.radius);
    let count = 0;
    for (let k = 0; k < data.length; k += 4) {
      if (!isIn(k)) continue;
      const away = Math.abs(data[k] - r) + Math.abs(data[k + 1] - g) + Math.abs(data[k + 2] - b);
      if (data[k + 3] > 60 && away < ${NEAR}) count++;
    }
    return count;
  })()`);
}

/** Frames that the page gets instead of the daemon's of these topics, thirty times a second. */
export async function feed(
  page: Page,
  topics: readonly Topic[],
  frames: () => readonly Frame[],
): Promise<void> {
  await page.routeWebSocket(/\/ws/u, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => {
      const frame = typeof message === 'string' ? undefined : decodeFrame(message);
      if (frame === undefined || !topics.includes(frame.topic)) socket.send(message);
    });
    socket.onMessage((message) => server.send(message));
    const timer = setInterval(() => {
      if (page.isClosed()) clearInterval(timer);
      else for (const frame of frames()) socket.send(Buffer.from(encodeFrame(frame)));
    }, 33);
    page.on('close', () => clearInterval(timer));
  });
}

/** What the first button of this name saves, a byte a letter. */
export async function saved(page: Page, name: string | RegExp): Promise<string> {
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name }).first().click(),
  ]);
  return readFileSync(await file.path(), 'latin1');
}
