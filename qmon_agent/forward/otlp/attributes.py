"""Names and values as OpenTelemetry's semantic conventions have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from qmon_agent.domain.identity import INSTANCE, called
from qmon_agent.domain.routing import speaker_of
from qmon_sdk.protocol.frames import Frame
from qmon_sdk.protocol.signals import Labels

Value = str | int | float | bool

SCOPE = InstrumentationScope(name="qmon")
# Beyond so many a cache of attributes is begun anew: ids are attributes too.
_REMEMBERED = 4096
_RESOURCE = {
    "service": "service.name",
    "release": "service.version",
    "environment": "deployment.environment.name",
    "host": "host.name",
    "sdk": "telemetry.distro.name",
}


class Attributes:
    """Makes attributes; what is repeated is made once, which halves the price of a span."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], KeyValue] = {}

    def of(self, labels: Labels, *further: tuple[str, Value]) -> list[KeyValue]:
        """Those of a signal, and further ones as far as they say something."""
        known = self._known
        made = [known.get(pair) or self._remember(pair) for pair in labels.items()]
        made += [attribute(key, value) for key, value in further if value != ""]
        return made

    def _remember(self, pair: tuple[str, str]) -> KeyValue:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        made = self._known[pair] = attribute(*pair)
        return made


def attribute(key: str, value: Value) -> KeyValue:
    return KeyValue(key=key, value=any_value(value))


def any_value(value: Value) -> AnyValue:
    # A flag is a whole number to Python, so it is asked for first.
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(string_value=value)


def resource_of(frame: Frame) -> Resource:
    """Who speaks; the process instance is what OpenTelemetry calls a service instance."""
    told = frame.resource.as_dict()
    named: dict[str, Value] = {theirs: told[ours] for ours, theirs in _RESOURCE.items()}
    fixed: Mapping[str, Value] = {
        "telemetry.sdk.name": "qmon",
        "telemetry.sdk.language": "python",
        "service.instance.id": called(frame).get(INSTANCE) or speaker_of(frame).hex(),
        "process.pid": frame.resource.pid,
    }
    return Resource(attributes=[*_told({**frame.resource.attributes, **fixed, **named}.items())])


def _told(pairs: Iterable[tuple[str, Value]]) -> Iterator[KeyValue]:
    return (attribute(key, value) for key, value in pairs if value not in {"", 0})


def id_of(text: str) -> bytes:
    """The bytes of a hexadecimal id; none for what is no id, which the other side may reject."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
