"""Expressions in a whole agent: a page of Prometheus's own client is scraped, and judged."""

import asyncio
import json

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

CONFIG = """
[samplers]
enabled = false
[sources.prometheus]
targets = [{{ url = "http://127.0.0.1:{port}/metrics", service = "shop", interval_s = 0.1 }}]
[[alerts]]
name = "asked"
rule = "promql"
[alerts.options]
expr = {expr}
interval = "200ms"
"""


@pytest.fixture
def shop():
    """A program with Prometheus's own client; `work` makes its numbers go on."""
    registry = CollectorRegistry()
    shop = {
        "orders": Counter("orders", "n", ["kind"], registry=registry),
        "queue": Gauge("queue_length", "n", registry=registry),
        "took": Histogram("took_seconds", "n", registry=registry),
    }
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    yield {**shop, "port": server.server_port}
    server.shutdown()
    thread.join()
    server.server_close()


async def standing(agent, shop, expr):
    """The labels of the first incident that fires, while the shop is at work."""
    file = agent._plan.locations.config
    file.write_text(CONFIG.format(port=shop["port"], expr=json.dumps(expr)))
    await agent.services.reload()
    alerting = agent.parts.judged.alerting
    async with asyncio.timeout(30):
        while True:
            shop["orders"].labels(kind="book").inc()
            shop["queue"].set(7)
            shop["took"].observe(0.3)
            for each in alerting.standings():
                if each.state == "firing":
                    return json.loads(each.instance)
            await asyncio.sleep(0.02)


class TestExpressionsOfAnAgent:
    @pytest.mark.parametrize(
        ("expr", "labels"),
        [
            ('sum by (kind, job) (rate(orders_total{job="shop"}[5s])) > 0', ["job", "kind"]),
            ("queue_length > 5", ["instance", "job"]),
            ("up == 1", ["instance", "job"]),
            ("histogram_quantile(0.9, sum by (le) (rate(took_seconds_bucket[5s]))) > 0.2", []),
        ],
    )
    async def test_see_what_is_scraped(self, agent, shop, expr, labels):
        found = await standing(agent, shop, expr)

        assert labels == sorted(found)
        assert found.get("job", "shop") == "shop"
