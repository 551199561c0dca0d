"""A double of CUDA that keeps a record. It runs on no GPU and proves nothing about one.

"Device" memory is host memory, a stream is a list of work to do, a graph the list that
was captured. So an engine's sequence of calls can be driven, and made to fail anywhere.
"""

import ctypes

import numpy as np

from rtbold.engine.tensorrt_cuda import CudaError
from rtbold.errors import EngineError


class CudaDouble:
    """`CudaDriver`; the call whose number is `fail_at` (from 0) is refused."""

    def __init__(self, fail_at=None, refuse=()):
        self.calls = []
        self.held = []  # ("stream" | "host" | "device" | "graph" | "program", handle)
        self._fail_at, self._refuse = fail_at, refuse
        self._buffers, self._graphs = {}, {}
        self._queued, self._drawing = [], None

    def called(self, name):
        n = len(self.calls)
        self.calls.append(name)
        if n == self._fail_at or name in self._refuse:
            raise CudaError(f"CUDA refused {name} (call {n})")

    def hold(self, kind, handle):
        self.held.append((kind, handle))
        return handle

    def drop(self, kind, handle):
        self.held.remove((kind, handle))

    def do(self, work):
        (self._queued if self._drawing is None else self._drawing).append(work)

    def new_stream(self):
        self.called("new_stream")
        return self.hold("stream", 7)

    def free_stream(self, stream):
        self.drop("stream", stream)
        self.called("free_stream")

    def reserve(self, n_bytes, place):
        self.called(f"reserve {place}")
        buffer = ctypes.create_string_buffer(n_bytes)
        address = ctypes.addressof(buffer)
        self._buffers[address] = buffer
        return self.hold(place, address)

    def release(self, address, place):
        self.drop(place, address)
        del self._buffers[address]
        self.called(f"release {place}")

    def copy(self, source, target, *, n, to, stream):
        self.called(f"copy to {to}")
        assert (stream, len(self._buffers[source]), len(self._buffers[target])) == (
            7,
            n,
            n,
        )
        self.do(lambda: ctypes.memmove(target, source, n))

    def wait(self, stream):
        self.called("wait")
        for work in self._queued:
            work()
        self._queued.clear()

    def capture(self, stream, work):
        self.called("capture")
        self._drawing = []
        try:
            work()
            graph = len(self._graphs) + 100
            self._graphs[graph] = self._drawing
        finally:
            self._drawing = None
        return self.hold("graph", graph)

    def launch(self, graph, stream):
        self.called("launch")
        self._queued.extend(self._graphs[graph])

    def free_graph(self, graph):
        self.drop("graph", graph)
        self.called("free_graph")


class ProgramDouble:
    """`Program` that answers twice the first samples of the first channel."""

    def __init__(self, cuda, shapes, *, capturable=True):
        self._cuda, self._shapes, self._capturable = cuda, shapes, capturable
        cuda.called("load")
        cuda.hold("program", 1)

    def bind(self, eeg_uv, bold):
        self._cuda.called("bind")
        self._addresses = (eeg_uv, bold)

    def queue(self, stream):
        self._cuda.called("queue")
        self._cuda.do(self._run)

    def _run(self):
        eeg_uv, bold = (
            np.ctypeslib.as_array(
                (ctypes.c_float * int(np.prod(shape))).from_address(address)
            )
            for address, shape in zip(self._addresses, self._shapes, strict=True)
        )
        bold[:] = 2 * eeg_uv[: len(bold)]

    def capturable(self, stream):
        self._cuda.called("capturable")
        return self._capturable

    def close(self):
        self._cuda.drop("program", 1)
        self._cuda.called("close")


def failing_program():
    raise EngineError("no engine")
