/** All suites, in the order of the table of targets. */
import { s6 } from "./connections.js";
import { e6 } from "./delay.js";
import { g1, g2, g3, h, m1, m3, m4 } from "./engine.js";
import { large } from "./large.js";
import { e4, e5 } from "./memory.js";
import { m2 } from "./resident.js";
import { s1, s2, s3 } from "./server.js";
import { s5 } from "./server-latency.js";
import { s4 } from "./server-threads.js";
import { e8 } from "./single-flight.js";
import { e1, e2, e3 } from "./speed.js";
import { storm } from "./storm.js";
import { e7 } from "./threads.js";

const inTheProcess = [e1, e2, e3, e4, e5, e6, e7, e8, g1, g2, g3, m1, m2, m3, m4, h];
const overTcp = [s1, s2, s3, s4, s5, s6, large, storm];

/**
 * A suite: `id`, `title`, `peers` it cannot do without, `run(size)` which resolves with `{ rows }` (and a title of its
 * own, if it knows better), and optionally `chart`, which draws a report as SVG.
 */
export const suites = [...inTheProcess, ...overTcp];
