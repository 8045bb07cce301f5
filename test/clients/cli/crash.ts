/** A program that dies in the middle of drawing: what a mistake in `watch` would look like. */

import { Screen } from '../../../clients/cli/watch/screen.ts';

const nothing = (): void => {};
const screen = new Screen(process.stdout, process.stdin, {
  onKey: nothing,
  onResize: nothing,
  onQuit: nothing,
});
screen.open();
screen.draw(['about to fail']);
setTimeout(() => {
  throw new Error('a mistake while drawing');
}, 200);
