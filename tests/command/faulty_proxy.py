"""A TCP proxy between a worker and its coordinator that cuts, stalls or slows a connection in mid-transfer.

It reads along in HTTP/2 just far enough to know that a transfer is under way: a Pull or a Deliver is a
stream of a connection that does not carry Work. Such a stream has begun once data of it has passed, and is
whole once the end that sends the tensor has ended it.
"""

import socket
import threading
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET = 0, 1, 3  # types of frames
END_STREAM, END_HEADERS = 1, 4  # flags
BEGUN = 1024  # bytes of a stream after which it is a transfer and not the request for one
PIECE = 16384


class Frames:
    """The frames of one direction of a connection, from pieces that end anywhere."""

    def __init__(self, on_head, on_bytes, on_end, skip=0):
        self.on_head, self.on_bytes, self.on_end = on_head, on_bytes, on_end
        self.skip, self.head, self.left = skip, b"", 0

    def feed(self, piece):
        at = min(self.skip, len(piece))
        self.skip -= at
        while at < len(piece):
            if self.left == 0:
                take = 9 - len(self.head)
                self.head += piece[at:at + take]
                at += take
                if len(self.head) < 9:
                    return
                self.left = int.from_bytes(self.head[:3], "big")
                self.kind, self.flags = self.head[3], self.head[4]
                self.stream = int.from_bytes(self.head[5:9], "big") & 0x7FFFFFFF
                self.head = b""
                self.on_head(self)
            else:
                part = piece[at:at + self.left]
                at += len(part)
                self.left -= len(part)
                self.on_bytes(self, part)
            if self.left == 0:
                self.on_end(self)


class Connection:
    """One connection of a worker, and ours to the coordinator."""

    def __init__(self, proxy, near, far):
        self.proxy, self.near, self.far = proxy, near, far
        self.open = threading.Event()  # cleared: nothing passes
        self.open.set()
        self.control = None  # whether it carries Work; unknown before the first stream
        self.lock = threading.Lock()
        self.moved = {}  # by stream that is not whole yet: [bytes up, bytes down]
        up = Frames(self.head_up, lambda f, part: self.count(f, part, 0), self.end_up, len(PREFACE))
        down = Frames(lambda f: None, lambda f, part: self.count(f, part, 1), self.end_down)
        self.threads = [threading.Thread(target=self.pump, args=arguments, daemon=True)
                        for arguments in ((near, far, up, 0), (far, near, down, 1))]
        for thread in self.threads:
            thread.start()

    def head_up(self, frame):
        if frame.kind == HEADERS and frame.stream not in self.moved:
            with self.lock:
                self.moved[frame.stream] = [0, 0]

    def count(self, frame, part, way):
        if frame.kind == HEADERS and way == 0 and self.control is None:
            self.control = b"/Work" in part  # the first path of a connection is sent as it is
        if frame.kind == DATA and frame.stream in self.moved:
            self.moved[frame.stream][way] += len(part)

    def end_up(self, frame):
        # The end of a Deliver; what asks for a Pull is ended, too, but only begins it.
        moved = self.moved.get(frame.stream, [0, 0])
        if frame.kind == RESET or frame.flags & END_STREAM and frame.kind == DATA and moved[0] >= BEGUN:
            self.whole(frame)

    def end_down(self, frame):
        if frame.kind == RESET or frame.kind == HEADERS and frame.flags & END_STREAM:
            self.whole(frame)

    def whole(self, frame):
        with self.lock:
            self.moved.pop(frame.stream, None)

    def transfer(self, way):
        """Bytes of the transfer that is under way upwards (0) or downwards (1), or 0."""
        if self.control is not False:
            return 0
        with self.lock:
            return max((moved[way] for moved in self.moved.values() if moved[way] >= BEGUN), default=0)

    def pump(self, source, sink, frames, way):
        try:
            while piece := source.recv(PIECE):
                self.open.wait()
                frames.feed(piece)
                self.proxy.slow_down(len(piece))
                self.proxy.try_trap(self, way)
                self.open.wait()
                sink.sendall(piece)
                self.proxy.bytes += len(piece)
        except OSError:
            pass
        self.cut()

    def cut(self):
        self.open.set()
        for end in (self.near, self.far):
            try:
                # No farewell: the kernel answers what still comes with a reset.
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
        self.proxy.connections.discard(self)


class Trap:
    """Waits until a transfer is in the midst of its bytes, and holds the link there."""

    def __init__(self, way, after):
        self.way, self.after = way, after
        self.sprung = threading.Event()
        self.connection, self.moved = None, 0


class Proxy:
    """Listens for one worker; what it forwards to may be started anew at the same address."""

    def __init__(self, target):
        self.target = target
        self.connections, self.trap, self.rate, self.bytes = set(), None, None, 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return  # closed
            try:
                far = socket.create_connection(self.target, timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.add(Connection(self, near, far))

    def slow_down(self, count):
        if rate := self.rate:
            time.sleep(count / rate)

    def set_trap(self, way, after):
        self.trap = Trap(way, after)
        return self.trap

    def try_trap(self, connection, way):
        """Springs where this transfer has come far enough: nothing more passes, on any connection."""
        with self.lock:
            trap = self.trap
            moved = connection.transfer(way)
            # Whoever comes late may have seen the last byte.
            if not trap or trap.way != way or not trap.after <= moved < trap.after + PIECE:
                return
            self.trap = None
            trap.connection, trap.moved = connection, moved
            self.stall()
            trap.sprung.set()

    def stall(self):
        for connection in list(self.connections):
            connection.open.clear()

    def go_on(self):
        for connection in list(self.connections):
            connection.open.set()

    def cut(self):
        for connection in list(self.connections):
            connection.cut()

    def close(self):
        self.listener.close()
        self.cut()
