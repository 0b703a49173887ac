// What the tests of both clients for Node.js share: small checks, values of any bytes, and the death of the server.
'use strict';
const assert = require('assert');
const readline = require('readline');

// All bytes, among them those that the protocol is made of.
const anyBytes = Buffer.concat([Buffer.from([...Array(256).keys()]), Buffer.from('\r\n$-1\r\n*0\r\n')]);

// Ends when the server has been killed and started again: whoever started this is asked for it.
function restartServer() {
  return new Promise((resolve) => {
    const lines = readline.createInterface({ input: process.stdin });
    lines.once('line', () => { lines.close(); resolve(); });
    console.log('restart');
  });
}

// The next time that `emitter` says `event`.
function heard(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

// Until it holds; the test that runs this gives up for it.
async function until(condition) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

// Runs main, says "ok" or what was wrong, and leaves nothing behind.
function run(main) {
  main().then(() => { console.log('ok'); process.exit(0); },
              (error) => { console.log(error.stack || error); process.exit(1); });
}

module.exports = { assert, anyBytes, restartServer, heard, until, run };
