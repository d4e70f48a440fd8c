// A process that does nothing: what Node alone takes to start.
import { writeSync } from 'node:fs';

writeSync(1, `${process.hrtime.bigint()}`);
process.exit();
