// Runs one file of tests: node run.mjs NAME.test.mjs. Status 77 says that what they import is not there.
import {existsSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
if (!existsSync(path.join(here, 'node_modules'))) {
  console.log(`${here}/node_modules is not there; scripts/test makes it`);
  process.exit(77);
}
await import(pathToFileURL(path.join(here, process.argv[2])));
