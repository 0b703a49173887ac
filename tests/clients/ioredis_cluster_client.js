// Drives a cluster through ioredis. usage: ioredis_cluster_client.js KEYS HOST:PORT...
'use strict';
const Redis = require('ioredis');
const { assert, restartServer, until, run } = require('./clients.js');

const [keys, ...nodes] = process.argv.slice(2);

function all(what) {
  return Promise.all([...Array(Number(keys)).keys()].map(what));
}

run(async () => {
  const client = new Redis.Cluster(nodes.map((node) => {
    const [host, port] = node.split(':');
    return { host, port: Number(port) };
  }));
  client.on('error', () => {});
  const values = (value) => Array(Number(keys)).fill(value);
  assert.deepStrictEqual(await all((i) => client.set(`key${i}`, 'one')), values('OK'));
  assert.strictEqual(client.nodes('master').length > 1, true);
  assert.deepStrictEqual(await all((i) => client.get(`key${i}`)), values('one'));
  assert.deepStrictEqual(await client.mset('{t}1', 'a', '{t}2', 'b'), 'OK');
  assert.deepStrictEqual(await client.mget('{t}1', '{t}2'), ['a', 'b']);
  await assert.rejects(client.incr('n'), /not supported in a cluster/);
  await restartServer();  // it is only killed
  // Once without an error, then it has heard of it.
  await until(() => all((i) => client.set(`key${i}`, 'two')).then(() => true, () => false));
  assert.deepStrictEqual(await all((i) => client.get(`key${i}`)), values('two'));
  client.disconnect();
});
