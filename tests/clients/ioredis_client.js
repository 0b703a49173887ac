// Drives a server through ioredis. usage: ioredis_client.js SOCKET TLS_PORT CA_FILE
'use strict';
const fs = require('fs');
const Redis = require('ioredis');
const { assert, anyBytes, restartServer, heard, until, run } = require('./clients.js');

const [path, tlsPort, authority] = process.argv.slice(2);

async function strings(client) {
  assert.strictEqual(await client.set('a', '1', 'EX', 100, 'NX'), 'OK');
  assert.strictEqual(await client.set('a', '2', 'NX'), null);
  assert.strictEqual(await client.incrby('a', 41), 42);
  assert.ok((await client.ttl('a')) > 90);
  assert.strictEqual(await client.getdel('a'), '42');
  assert.strictEqual(await client.get('a'), null);
  await client.set(anyBytes, anyBytes);
  assert.ok(anyBytes.equals(await client.getBuffer(anyBytes)));
  const large = Buffer.alloc(4 << 20, 'x');
  await client.set('large', large);
  assert.ok(large.equals(await client.getBuffer('large')));
  assert.strictEqual(await client.del('large', anyBytes), 2);
  await client.set('text', 'x');
  await assert.rejects(client.incr('text'), /not an integer/);
  await assert.rejects(client.lpush('list', 'x'), /unknown command/);
  assert.deepStrictEqual(await client.call('V.RANGE', 'text', ''), ['text', 'x']);
}

async function pipelines(client) {
  const pipeline = client.pipeline();
  for (let i = 0; i < 5000; i++) pipeline.set(`p${i}`, i).get(`p${i}`);
  const replies = await pipeline.exec();
  assert.strictEqual(replies.length, 10000);
  for (let i = 0; i < 5000; i++) assert.deepStrictEqual(replies[2 * i + 1], [null, String(i)]);
}

async function transactions(client) {
  await client.set('n', 1);
  assert.deepStrictEqual(await client.multi().incr('n').get('n').exec(), [[null, 2], [null, '2']]);
  const other = client.duplicate();
  await client.watch('n');
  await other.set('n', 10);
  assert.strictEqual(await client.multi().incr('n').exec(), null);
  await client.watch('n');
  assert.deepStrictEqual(await client.multi().incr('n').exec(), [[null, 11]]);
  other.disconnect();
}

async function publishing(client) {
  const listener = client.duplicate();
  assert.strictEqual(await listener.subscribe('news', 'other'), 2);
  assert.strictEqual(await listener.psubscribe('n*'), 3);
  const message = heard(listener, 'message');
  const pattern = heard(listener, 'pmessage');
  assert.strictEqual(await client.publish('news', 'hello'), 2);
  assert.deepStrictEqual(await message, ['news', 'hello']);
  assert.deepStrictEqual(await pattern, ['n*', 'news', 'hello']);
  assert.strictEqual(await listener.unsubscribe('news', 'other'), 1);
  listener.disconnect();
}

async function scans(client) {
  const seen = new Set();
  for await (const keys of client.scanStream({ match: 'p*', count: 100 })) keys.forEach((key) => seen.add(key));
  assert.strictEqual(seen.size, 5000);
}

// AUTH with a user's name, by both ways to the server.
async function users(client) {
  await client.call('ACL', 'SETUSER', 'alice', 'on', '>secret', '~a:*', '+@all');
  const ways = [{ path }];
  if (tlsPort) ways.push({ host: '127.0.0.1', port: Number(tlsPort), tls: { ca: fs.readFileSync(authority) } });
  for (const way of ways) {
    const alice = new Redis({ ...way, username: 'alice', password: 'secret', connectionName: 'hers' });
    assert.strictEqual(await alice.call('ACL', 'WHOAMI'), 'alice');
    assert.strictEqual(await alice.client('GETNAME'), 'hers');
    assert.strictEqual(await alice.set('a:1', 'x'), 'OK');
    await assert.rejects(alice.set('b:1', 'x'), /NOPERM/);
    alice.disconnect();
    const stranger = new Redis({ ...way, username: 'alice', password: 'wrong', retryStrategy: null });
    const told = new Promise((resolve) => stranger.on('error', resolve));
    assert.match((await told).message, /WRONGPASS/);
    stranger.disconnect();
  }
}

async function reconnects(client) {
  const listener = client.duplicate();
  listener.on('error', () => {});
  await listener.subscribe('again');
  await client.set('kept', 'yes');
  await restartServer();
  assert.strictEqual(await client.get('kept'), 'yes');
  // It subscribes by itself.
  await until(async () => (await client.pubsub('NUMSUB', 'again'))[1] === 1);
  const message = heard(listener, 'message');
  await client.publish('again', 'hello');
  assert.deepStrictEqual(await message, ['again', 'hello']);
  listener.disconnect();
}

async function tls() {
  const client = new Redis({ host: '127.0.0.1', port: Number(tlsPort), tls: { ca: fs.readFileSync(authority) } });
  assert.strictEqual(await client.set('over tls', anyBytes), 'OK');
  assert.ok(anyBytes.equals(await client.getBuffer('over tls')));
  client.disconnect();
  const careful = new Redis({ host: '127.0.0.1', port: Number(tlsPort), tls: {}, retryStrategy: null, lazyConnect: true });
  careful.on('error', () => {});
  await assert.rejects(careful.connect());  // it does not know the authority
}

run(async () => {
  const client = new Redis(path, { maxRetriesPerRequest: null });
  client.on('error', () => {});  // while the server is away
  await strings(client);
  await pipelines(client);
  await transactions(client);
  await publishing(client);
  await scans(client);
  if (tlsPort) await tls();
  await users(client);
  await reconnects(client);
  client.disconnect();
});
