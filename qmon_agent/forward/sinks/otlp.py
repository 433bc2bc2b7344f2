"""An OpenTelemetry collector, or whoever else takes OTLP by HTTP as protobuf."""

from __future__ import annotations

from collections.abc import Iterator

from qmon_agent.forward.batch import Batch

from . import Delivery
from ._http import Answer, EndpointSink, Post, judged


class OtlpSink(EndpointSink, kw_only=True, forbid_unknown_fields=True):
    """Spans become traces, points metrics, and everything else log records, many of them events."""

    endpoint: str
    """Where to, as `http://collector:4318`; `/v1/traces` and its like are added."""

    def posts(self, batch: Batch) -> Iterator[Post]:
        # Here, since protobuf is 10 MB that an agent without this sink need not carry.
        from qmon_agent.forward.otlp.requests import requests_of

        for request in requests_of(batch):
            yield Post(
                path=f"/{request.lane.path}",
                body=request.body,
                content_type=request.content_type,
                key=request.key,
                rows=request.rows,
                problem=request.problem,
            )

    def judge(self, post: Post, answer: Answer) -> Delivery:
        """A part that is not taken is counted, and not sent again, as OTLP wants it."""
        from qmon_agent.forward.otlp.requests import LANES, rejected_by

        if not answer.is_well:
            return judged(post, answer, self.endpoint)
        [lane] = [each for each in LANES if post.path == f"/{each.path}"]
        rejected, why = rejected_by(lane, answer.body)
        return Delivery(outcome="delivered", detail=why, rejected=rejected)
