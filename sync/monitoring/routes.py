"""The HTTP endpoints for machines, in every process: liveness, readiness, and metrics in Prometheus's format."""

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from sync.monitoring.readiness import ReadinessProbe


def monitoring_routes(probe: ReadinessProbe, registry: CollectorRegistry) -> list[web.RouteDef]:
    """``/healthz`` and ``/metrics`` answer 200; ``/readyz`` 200, or 503 while the process cannot do its work."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        ready = await probe.ready()
        return web.Response(text="ready\n" if ready else "not ready\n", status=200 if ready else 503)

    async def metrics(_: web.Request) -> web.Response:
        await probe.refresh_gauges()
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)]
