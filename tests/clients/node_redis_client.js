// Drives a server through node-redis. usage: node_redis_client.js PROTOCOL SOCKET TLS_PORT CA_FILE
'use strict';
const fs = require('fs');
const redis = require('redis');
const { assert, anyBytes, restartServer, until, run } = require('./clients.js');

const [protocol, path, tlsPort, authority] = process.argv.slice(2);
const RESP = Number(protocol);

async function connect(options) {
  const client = redis.createClient({ RESP, ...options });
  client.on('error', () => {});  // while the server is away
  await client.connect();
  return client;
}

async function another(client) {
  const own = client.duplicate();
  own.on('error', () => {});
  await own.connect();
  return own;
}

async function strings(client) {
  assert.strictEqual(await client.set('a', '1', { EX: 100, NX: true }), 'OK');
  assert.strictEqual(await client.set('a', '2', { NX: true }), null);
  assert.strictEqual(await client.incrBy('a', 41), 42);
  assert.strictEqual(await client.incrByFloat('a', 0.5), '42.5');
  assert.strictEqual(await client.getDel('a'), '42.5');
  assert.strictEqual(await client.get('a'), null);
  const buffers = client.withTypeMapping({ [redis.RESP_TYPES.BLOB_STRING]: Buffer });
  await client.set(anyBytes, anyBytes);
  assert.ok(anyBytes.equals(await buffers.get(anyBytes)));
  const large = Buffer.alloc(4 << 20, 'x');
  await client.set('large', large);
  assert.ok(large.equals(await buffers.get('large')));
  assert.deepStrictEqual(await client.mGet(['a', 'nosuch']), [null, null]);
  assert.strictEqual(await client.del(['large', anyBytes]), 2);
  await client.set('text', 'x');
  await assert.rejects(client.incr('text'), /not an integer/);
  await assert.rejects(client.lPush('list', 'x'), /unknown command/);
  const config = await client.configGet('maxclients');
  assert.strictEqual(config.maxclients, '10000');
  assert.strictEqual((await client.sendCommand(['HELLO']))[RESP === 3 ? 'proto' : 5], RESP);
}

async function pipelines(client) {
  const replies = await Promise.all([...Array(5000).keys()].map((i) => client.set(`p${i}`, String(i))));
  assert.ok(replies.every((reply) => reply === 'OK'));
  const values = await Promise.all([...Array(5000).keys()].map((i) => client.get(`p${i}`)));
  assert.ok(values.every((value, i) => value === String(i)));
}

async function transactions(client) {
  await client.set('n', '1');
  assert.deepStrictEqual(await client.multi().incr('n').get('n').exec(), [2, '2']);
  const own = await another(client);
  await own.watch('n');
  await client.set('n', '10');
  await assert.rejects(own.multi().incr('n').exec(), redis.WatchError);
  await own.watch('n');
  assert.deepStrictEqual(await own.multi().incr('n').exec(), [11]);
  own.destroy();
}

async function publishing(client) {
  const listener = await another(client);
  const seen = [];
  await listener.subscribe('news', (message, channel) => seen.push(['s', message, channel]));
  await listener.pSubscribe('n*', (message, channel) => seen.push(['p', message, channel]));
  assert.strictEqual(await client.publish('news', 'hello'), 2);
  await until(() => seen.length === 2);
  assert.deepStrictEqual(seen.sort(), [['p', 'hello', 'news'], ['s', 'hello', 'news']]);
  // With version 3 a listener may go on asking.
  if (RESP === 3) assert.strictEqual(await listener.get('n'), '11');
  await listener.unsubscribe('news');
  await listener.pUnsubscribe('n*');
  assert.strictEqual(String(await listener.ping()), 'PONG');
  listener.destroy();
}

async function scans(client) {
  const seen = new Set();
  for await (const keys of client.scanIterator({ MATCH: 'p*', COUNT: 100 })) keys.forEach((key) => seen.add(key));
  assert.strictEqual(seen.size, 5000);
}

async function tls() {
  const socket = { host: '127.0.0.1', port: Number(tlsPort), tls: true };
  const client = await connect({ socket: { ...socket, ca: fs.readFileSync(authority) } });
  assert.strictEqual(await client.set('over tls', 'yes'), 'OK');
  assert.strictEqual(await client.get('over tls'), 'yes');
  client.destroy();
  // It does not know the authority.
  await assert.rejects(connect({ socket: { ...socket, reconnectStrategy: false } }));
}

// HELLO with AUTH and SETNAME, or AUTH alone, by both ways to the server.
async function users(client) {
  await client.sendCommand(['ACL', 'SETUSER', 'alice', 'on', '>secret', '~a:*', '+@all']);
  const ways = [{ path }];
  if (tlsPort) ways.push({ host: '127.0.0.1', port: Number(tlsPort), tls: true, ca: fs.readFileSync(authority) });
  for (const socket of ways) {
    const alice = await connect({ socket, username: 'alice', password: 'secret', name: 'hers' });
    assert.strictEqual(await alice.sendCommand(['ACL', 'WHOAMI']), 'alice');
    assert.strictEqual(await alice.sendCommand(['CLIENT', 'GETNAME']), 'hers');
    assert.strictEqual(await alice.set('a:1', 'x'), 'OK');
    await assert.rejects(alice.set('b:1', 'x'), /NOPERM/);
    alice.destroy();
    await assert.rejects(connect({ socket: { ...socket, reconnectStrategy: false }, username: 'alice', password: 'wrong' }),
                         /WRONGPASS/);
  }
}

// It keeps copies of what it reads, and the server tells it when they are out of date.
async function copies(client) {
  const keeper = await connect({ socket: { path }, clientSideCache: { ttl: 0, maxEntries: 100, evictPolicy: 'LRU' } });
  await client.set('copied', '1');
  assert.strictEqual(await keeper.get('copied'), '1');
  assert.strictEqual(await keeper.get('copied'), '1');
  await client.set('copied', '2');
  await until(async () => (await keeper.get('copied')) === '2');
  keeper.destroy();
}

async function reconnects(client) {
  const listener = await another(client);
  const seen = [];
  await listener.subscribe('again', (message) => seen.push(message));
  await client.set('kept', 'yes');
  await restartServer();
  let kept = null;
  // What it had sent when the connection broke is refused, and nothing else.
  await until(async () => { kept = await client.get('kept').catch(() => null); return kept !== null; });
  assert.strictEqual(kept, 'yes');
  // It subscribes by itself.
  await until(async () => { await client.publish('again', 'hello').catch(() => 0); return seen.length > 0; });
  listener.destroy();
}

run(async () => {
  const client = await connect({ socket: { path } });
  await strings(client);
  await pipelines(client);
  await transactions(client);
  await publishing(client);
  await scans(client);
  if (tlsPort) await tls();
  await users(client);
  if (RESP === 3) await copies(client);
  await reconnects(client);
  client.destroy();
});
