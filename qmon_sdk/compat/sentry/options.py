"""What `init` is told in Sentry's words, in qmon's."""

from __future__ import annotations

from .bridge import Bridge
from .spans import SAMPLING
from .telemetry import log_hook, metric_hook, span_hook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

TOKEN = "qmon_"  # noqa: S105 - what the agent's tokens begin with
_SAME = ("release", "environment", "sample_rate", "max_breadcrumbs", "include_local_variables")
_SAME_IF_TOLD = ("send_default_pii", "max_value_length", "shutdown_timeout")
_RENAMED = {"server_name": "host", "dist": "dist"}
_HEARD = frozenset(
    (
        *("dsn", "before_send", "before_breadcrumb", "before_send_transaction", "before_send_log"),
        *("before_send_metric", "before_send_span", "error_sampler", "ignore_errors"),
        *("integrations", "disabled_integrations", "default_integrations", "enable_tracing"),
        *("auto_enabling_integrations", "traces_sample_rate", "traces_sampler", "enable_logs"),
        *("enable_metrics", "event_scrubber", "_experiments", "attach_stacktrace"),
        *("include_source_context", "server_name", "dist", *_SAME, *_SAME_IF_TOLD),
    )
)
"""Options that do something here."""

OURS = frozenset({"service", "transport", "spool_dir", "socket", "scrub", "on_drop"})
"""Options of qmon's own `init` that may be given along."""


def settled(options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Write Sentry's options as qmon's, and name those that have no effect."""
    told = {name: value for name, value in options.items() if value is not None}
    ours: dict[str, Any] = {name: told[name] for name in (*_SAME, *_SAME_IF_TOLD) if name in told}
    ours |= {there: told[here] for here, there in _RENAMED.items() if here in told}
    ours |= {name: told[name] for name in OURS if name in told and _is_ours(name, told[name])}
    dsn = _dsn(told.get("dsn"))
    if dsn:
        ours["dsn"] = dsn
    ours |= _tracing(told) | _hooks(told)
    ours |= _integrations(told)
    if "event_scrubber" in told and "scrub" not in ours:
        ours["scrub"] = tuple(getattr(told["event_scrubber"], "denylist", ()) or ()) or True
    idle = [name for name in told if name not in _HEARD and name not in ours]
    if told.get("dsn") and not dsn:
        idle.append("dsn")
    return ours, idle


def _is_ours(name: str, value: Any) -> bool:
    """Tell qmon's transport from Sentry's, which has the same name."""
    return name != "transport" or hasattr(value, "poll")


def _dsn(dsn: Any) -> str:
    """Take a DSN of an agent; one of Sentry's own is left alone, and the agent's socket is used."""
    text = str(dsn or "")
    scheme, _, rest = text.partition("://")
    if scheme not in {"http", "https"}:
        return text if scheme in {"unix", "tcp", "tls", "memory"} or text == "memory:" else ""
    token, at, place = rest.partition("/")[0].rpartition("@")
    return f"{scheme}://{token}@{place}" if at and token.startswith(TOKEN) else ""


def _tracing(told: Mapping[str, Any]) -> dict[str, Any]:
    """Keep traces only when asked to, as Sentry does."""
    rate = told.get("traces_sample_rate", 1.0 if told.get("enable_tracing") else 0.0)
    chosen = told.get("traces_sampler")
    if not callable(chosen):
        return {"traces_sample_rate": rate}
    return {"traces_sample_rate": rate, "traces_sampler": _sampler(chosen)}


def _sampler(chosen: Callable[[dict[str, Any]], Any]) -> Callable[[Mapping[str, Any]], float]:
    def choose(root: Mapping[str, Any]) -> float:
        name = root.get("name", "")
        context: dict[str, Any] = {
            "transaction_context": {"name": name, "op": "", "source": "custom"},
            "parent_sampled": None,
            **(SAMPLING.get() or {}),
        }
        return float(chosen(context))

    return choose


def _hooks(told: Mapping[str, Any]) -> dict[str, Any]:
    hooks: dict[str, Any] = {"before_send": Bridge(dict(told))}
    experiments = told.get("_experiments") or {}
    names = ("transaction", "span", "log", "metric")
    given = {name: f"before_send_{name}" for name in names}
    found = {name: told.get(full, experiments.get(full)) for name, full in given.items()}
    if found["transaction"] or found["span"]:
        hooks["before_send_span"] = span_hook(found["transaction"], found["span"])
    if found["log"]:
        hooks["before_send_log"] = log_hook(found["log"])
    if found["metric"]:
        hooks["before_send_metric"] = metric_hook(found["metric"])
    return hooks


def _integrations(told: Mapping[str, Any]) -> dict[str, Any]:
    """Watch what qmon watches anyway; only what is named, if Sentry was to find nothing itself."""
    from qmon_sdk.integrations import names

    known = frozenset(names())
    refused = {_name(one) for one in told.get("disabled_integrations") or ()}
    given = {_name(one): one for one in told.get("integrations") or ()}
    is_default = told.get("default_integrations", True)
    if is_default and told.get("auto_enabling_integrations", True):
        wanted = known
    else:
        wanted = known & ({"logging", *given} if is_default else given.keys())
    wanted -= refused
    if "logging" not in wanted:
        return {"integrations": tuple(sorted(wanted))}
    from .logging import events_of

    return {"integrations": (*sorted(wanted), events_of(given.get("logging")))}


def _name(integration: Any) -> str:
    name = getattr(integration, "identifier", "")
    return name if isinstance(name, str) else ""
