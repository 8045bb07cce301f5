/**
 * The views that are loaded after the first one, together: apart they share too little, and weigh
 * more. The patch view is not among them: its editor weighs more than all else.
 */

export { Device } from './device.tsx';
export { History } from './history.tsx';
export { Schedule } from './schedule.tsx';
export { Signal } from './signal.tsx';
