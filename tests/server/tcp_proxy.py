"""A TCP proxy between the nodes of a cluster: cuts, one-way cuts, delays, throttles and half-opens their links.

Each node has a port here, which the topology names; what comes to it goes on to the node's own port. Who has dialled is
read from the first frame (src/node/hello.h), so that each pair of nodes has a link of its own. One thread serves all.
Links carry both directions: `forwards` is from who dialled, with its messages; `backwards` are the answers to pings."""
import asyncio
import struct
import threading
import time

CHUNK = 1 << 16
# Of a frame's header and the fields of a hello before the node: magic, versions, nonce.
NODE_AT = 16 + 8 + 2 + 2 + 8
HELLO_BYTES = NODE_AT + 8


class Rules:
    """What happens to the bytes of one link. Changed by any thread, looked at for each chunk."""

    def __init__(self):
        self.is_cut = False        # connections end, and new ones are not taken
        self.stalls_forwards = False   # nothing goes on, and the connection stays
        self.stalls_backwards = False
        self.delay = 0.0           # seconds, each direction
        self.bytes_a_second = 0    # 0: as fast as may be


class Proxy:
    """Use as a context. Nodes are given by add()."""

    def __init__(self):
        self.links = {}
        self.connections = {}  # link -> writers
        self.lock = threading.Lock()
        self.loop = asyncio.new_event_loop()
        self.servers = []
        self.tasks = set()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def add(self, node, host, port, own_port):
        """What comes to `port` goes on to the node, at `own_port`."""
        async def serve():
            server = await asyncio.start_server(
                lambda reader, writer: self.accept(node, host, own_port, reader, writer), host, port)
            self.servers.append(server)
        asyncio.run_coroutine_threadsafe(serve(), self.loop).result(30)

    def rules(self, dialler, node):
        with self.lock:
            return self.links.setdefault((dialler, node), Rules())

    def set(self, dialler, node, **what):
        """Of the link by which `dialler` sends to `node`."""
        rules = self.rules(dialler, node)
        for name, value in what.items():
            assert hasattr(rules, name), name
            setattr(rules, name, value)
        if what.get("is_cut"):
            self.loop.call_soon_threadsafe(self.drop, (dialler, node))

    def drop(self, link):
        for writer in self.connections.pop(link, []):
            writer.transport.abort()

    def heal(self):
        with self.lock:
            links = list(self.links)
            for link in links:
                self.links[link].__init__()
        # What was stalled has holes in time only, not in its bytes; all goes on.

    def close(self):
        async def end():
            for server in self.servers:
                server.close()
            for link in list(self.connections):
                self.drop(link)
            for task in list(self.tasks):
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
        asyncio.run_coroutine_threadsafe(end(), self.loop).result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(30)
        self.loop.close()

    async def accept(self, node, host, own_port, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            await self.serve(node, host, own_port, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.tasks.discard(task)
            writer.transport.abort()

    async def serve(self, node, host, own_port, reader, writer):
        first = await reader.readexactly(HELLO_BYTES)
        dialler = struct.unpack_from("<Q", first, NODE_AT)[0]
        link = (dialler, node)
        rules = self.rules(*link)
        if rules.is_cut:
            return
        near, far = await asyncio.open_connection(host, own_port)
        ends = [writer, far]
        self.connections.setdefault(link, []).extend(ends)
        try:
            pumps = [asyncio.ensure_future(self.pump(reader, far, rules, "stalls_forwards", first)),
                     asyncio.ensure_future(self.pump(near, writer, rules, "stalls_backwards", b""))]
            self.tasks.update(pumps)
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self.tasks.difference_update(pumps)
        finally:
            far.transport.abort()
            kept = self.connections.get(link, [])
            self.connections[link] = [end for end in kept if end not in ends]

    async def pump(self, reader, writer, rules, stalls, data):
        """Bytes come with the time at which they did, so that a delay does not make less go through."""
        queue = asyncio.Queue(64)
        if data:
            queue.put_nowait((time.monotonic(), data))
        receiver = asyncio.ensure_future(self.receive(reader, queue))
        try:
            while True:
                came, data = await queue.get()
                if not data:
                    return
                while True:
                    wait = came + rules.delay - time.monotonic()
                    if wait > 0:
                        await asyncio.sleep(min(wait, 0.01))
                    elif getattr(rules, stalls):
                        await asyncio.sleep(0.01)
                    else:
                        break
                writer.write(data)
                await writer.drain()
                if rules.bytes_a_second:
                    await asyncio.sleep(len(data) / rules.bytes_a_second)
        finally:
            receiver.cancel()

    @staticmethod
    async def receive(reader, queue):
        while True:
            try:
                data = await reader.read(CHUNK)
            except OSError:
                data = b""
            await queue.put((time.monotonic(), data))
            if not data:
                return

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
