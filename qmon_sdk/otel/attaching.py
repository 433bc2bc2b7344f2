"""Attach qmon to a provider of OpenTelemetry's SDK: it records what that one records, too.

Only what is reached from here may import `opentelemetry.sdk`, which is there if somebody uses it.
"""

from __future__ import annotations

from qmon_sdk.client import guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@guarded
def attach(provider: Any) -> bool:
    """Have qmon record what a provider of the SDK records: spans, metrics or logs; say whether."""
    if hasattr(provider, "add_span_processor"):
        from .attached_spans import QmonSpanProcessor
        from .context import take_over

        take_over()
        provider.add_span_processor(QmonSpanProcessor())
    elif hasattr(provider, "add_log_record_processor"):
        from .attached_logs import QmonLogRecordProcessor

        provider.add_log_record_processor(QmonLogRecordProcessor())
    elif hasattr(provider, "add_metric_reader"):
        from .attached_metrics import QmonMetricReader

        provider.add_metric_reader(QmonMetricReader(provider))
    else:
        return False
    return True
