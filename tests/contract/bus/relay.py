"""A way to a server that can be cut, fall silent, and be there again."""

import asyncio
import contextlib


class Relay:
    """Listens on a port of its own and passes bytes on to `server`, both ways."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()
        self.port = 0

    async def open(self) -> None:
        """Takes connections, on the same port each time."""
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Ends every connection and takes no more."""
        if self._listener is not None:
            self._listener.close()
        self.hush()
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def hush(self) -> None:
        """The connections there are stay open, and nothing goes through them any more."""
        for pump in self._pumps:
            pump.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._server)
        self._writers += [writer, back]
        for source, sink in ((reader, back), (there, writer)):
            pump = asyncio.create_task(_pass_on(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(1 << 16):
            sink.write(data)
    sink.close()
