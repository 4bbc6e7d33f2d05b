"""Clients on real sockets that ask for something and then read slowly, or nothing at all."""

import asyncio
import socket
from urllib.parse import urlsplit

SMALL = 4096
"""Bytes: the kernel holds little of what is not read."""


class SlowReader:
    """Has sent a request and read the beginning of the response."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    async def read_to_end(self) -> bytes:
        """What the server still sends, until it ends the connection."""
        received = bytearray()
        try:
            while data := await asyncio.get_running_loop().sock_recv(self._connection, 65536):
                received += data
        except ConnectionError:
            pass
        return bytes(received)

    def close(self) -> None:
        self._connection.close()


async def ask_slowly(url: str) -> tuple[SlowReader, bytes]:
    """``GET url``, and the response's first line; the rest is not read."""
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    connection.setblocking(False)
    await loop.sock_connect(connection, (parts.hostname, parts.port))
    await loop.sock_sendall(connection, f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    line = bytearray()
    while not line.endswith(b"\r\n"):
        line += await loop.sock_recv(connection, 1)
    return SlowReader(connection), bytes(line.strip())
