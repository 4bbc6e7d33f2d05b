"""The servers of the tests leave nothing open for a later test to find."""

import asyncio
import gc
import socket

from aiohttp import web

from tests.support.services.servers import serving


async def test_a_connection_that_arrives_while_a_server_closes_is_closed() -> None:
    """An open one would be a warning, which is an error, when garbage is collected."""
    for passes in range(4):
        async with serving(web.Application()) as url:
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))):
                for _ in range(passes):
                    await asyncio.sleep(0)
    gc.collect()
