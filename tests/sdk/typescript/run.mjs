// Runs the suites with the SDK below SANDBOX_TEST_MODULES, and tells each result to the file that SANDBOX_TEST_REPORT
// names, a line of JSON each. Words on the command line choose the cases that have one of them in their titles.

import { control } from './control.mjs';
import { Place } from './harness.mjs';
import { run } from './runner.mjs';

import './process.mjs';
import './code.mjs';
import './sessions.mjs';
import './ptys.mjs';
import './interpreter.mjs';
import './charts.mjs';
import './files.mjs';
import './quirks.mjs';

// So that nothing is left.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

const place = await Place.open();
let isWell = false;
try {
  isWell = await run(place, process.argv.slice(2));
  // It has a server of its own.
  if (!process.env.SANDBOX_TEST_URL) {
    isWell = (await control(place.title, await place.equipment(place.manners[0]))) && isWell;
  }
} finally {
  await place.close();
}
process.exit(isWell ? 0 : 1);
