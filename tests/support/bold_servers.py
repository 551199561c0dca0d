"""Servers that send measured BOLD as a scanner's computer would: TCP lines, and TBV's.

The second is written from the published description of Turbo-BrainVoyager's network
interface, as the reader is; it is no test against that program.
"""

import socket
import struct
import threading


class Server:
    """Listens on a free port; each connection is served in a thread of its own."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            thread = threading.Thread(target=self._serve_one, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve_one(self, connection):
        try:
            self.serve(connection)
        except OSError:
            pass  # it was hung up

    def serve(self, connection):
        """Serve one connection until it ends."""

    def hang_up(self):
        """Close all connections; the port stays open."""
        for connection in self.connections:
            shut(connection)
        self.connections.clear()

    def close(self):
        shut(self._listener)
        self.hang_up()
        for thread in self._threads:
            thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def shut(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it was shut already
    connection.close()


class LineServer(Server):
    """Sends what it is told to whoever is connected."""

    def send(self, data):
        for connection in self.connections:
            connection.sendall(data)


class FakeTbv(Server):
    """Answers requests as the network interface is described; `points` grows."""

    def __init__(self, n_rois):
        self.points = []  # one tuple of ROI means per time point
        self.n_rois = n_rois
        self.asked = []
        super().__init__()

    def serve(self, connection):
        while True:
            (n,) = struct.unpack(">q", receive(connection, 8))
            body = receive(connection, n)
            (n_name,) = struct.unpack(">i", body[:4])
            name = body[4 : 4 + n_name].rstrip(b"\0").decode()
            repeated = body[4 + n_name :]
            numbers = struct.unpack(f">{len(repeated) // 4}i", repeated)
            self.asked.append((name, *numbers))
            self.answer(connection, name, numbers, repeated)

    def answer(self, connection, name, numbers, repeated):
        result = {
            "Request Socket": lambda: b"",
            "tGetCurrentTimePoint": lambda: struct.pack(">i", len(self.points)),
            "tGetNrOfROIs": lambda: struct.pack(">i", self.n_rois),
            "tGetMeanOfROIAtTimePoint": lambda: self.mean(*numbers),
        }.get(name)
        fields = result() if result else None
        if fields is None:
            reply(connection, "Wrong request!", b"NrOfROI out of range\0")
        else:
            reply(connection, name, repeated + fields)

    def mean(self, roi, point):
        if not (roi < self.n_rois and point < len(self.points)):
            return None
        return struct.pack(">f", self.points[point][roi])


def reply(connection, name, fields):
    text = name.encode() + b"\0"
    body = struct.pack(">i", len(text)) + text + fields
    connection.sendall(struct.pack(">q", len(body)) + body)


def receive(connection, n):
    data = b""
    while len(data) < n:
        more = connection.recv(n - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data
