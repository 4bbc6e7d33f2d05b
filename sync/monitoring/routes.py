"""The HTTP endpoints for machines, in every process: liveness, readiness, and metrics in Prometheus's format."""

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from core.coalescing import Cached
from sync.monitoring.readiness import ReadinessProbe

READY_SECONDS, METRICS_SECONDS = 2.0, 5.0
"""How old the answers may be: however often they are requested, the database is asked no more often than this."""


def liveness_route() -> web.RouteDef:
    """``/healthz`` answers 200 while the process runs. It costs nothing and says nothing else."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    return web.get("/healthz", healthz)


def operations_routes(probe: ReadinessProbe, registry: CollectorRegistry) -> list[web.RouteDef]:
    """``/healthz``, ``/metrics``, and ``/readyz``: 200, or 503 while the process cannot do its work."""

    async def exposed() -> bytes:
        await probe.refresh_gauges()
        return generate_latest(registry)

    is_ready, body = Cached(probe.ready, READY_SECONDS), Cached(exposed, METRICS_SECONDS)

    async def readyz(_: web.Request) -> web.Response:
        ready = await is_ready.get()
        return web.Response(text="ready\n" if ready else "not ready\n", status=200 if ready else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await body.get(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [liveness_route(), web.get("/readyz", readyz), web.get("/metrics", metrics)]
