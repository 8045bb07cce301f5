/** A program of its own: starts an engine, prints its process id, and waits to be killed. */
import { supervise } from './supervised.ts';

const { supervisor } = await supervise();
console.log(supervisor.status.pid);
