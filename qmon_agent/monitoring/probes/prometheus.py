"""Whether a question to Prometheus has the answer it should have."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec

from qmon_agent.domain.errors import ConfigError, InvalidThresholdError
from qmon_agent.domain.thresholds import Threshold, parse_threshold

from . import Checked, Number, UnknownError
from ._link import Stopwatch
from ._web import Ask, check_url, fetch, plain_url

_OK = 200


class _Series(msgspec.Struct):
    value: tuple[float, str]


class _Data(msgspec.Struct):
    resultType: str = ""  # noqa: N815 - Prometheus's word
    result: msgspec.Raw = msgspec.Raw(b"[]")


class _Document(msgspec.Struct):
    status: str
    data: _Data = msgspec.field(default_factory=_Data)


class PrometheusProbe(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Asks a server that answers like Prometheus, and compares every series with a line."""

    url: str
    """The server, without `/api/v1/query`."""
    query: str
    """The question, in PromQL."""
    down_if: str | float
    """The line that no series may cross, as `> 5`."""
    headers: dict[str, str] = {}
    """What is sent along, such as a token."""
    _line: Threshold = Threshold(bound=0.0)

    def __post_init__(self) -> None:
        check_url(self.url)
        try:
            self._line = parse_threshold(self.down_if)
        except InvalidThresholdError as problem:
            raise ConfigError("down_if", str(problem)) from None

    @property
    def target(self) -> str:
        """The server."""
        return plain_url(self.url)

    def check(self, timeout_s: float) -> Checked:
        """A server that does not answer, or knows nothing, is no answer to the question."""
        watch = Stopwatch(timeout_s)
        url = f"{self.url.rstrip('/')}/api/v1/query?{urlencode({'query': self.query})}"
        try:
            answer = fetch(Ask(url=url, headers=self.headers), watch)
        except OSError as problem:
            raise UnknownError(f"{self.target}: {problem}") from problem
        if answer.status != _OK:
            raise UnknownError(f"{self.target}: status {answer.status}")
        values = _values(answer.body)
        if not values:
            raise UnknownError("no series answers the question")
        worst = next((value for value in values if self._line.crossed_by(value)), None)
        number = Number(
            metric="probe.prometheus.value", value=values[0] if worst is None else worst
        )
        if worst is not None:
            return Checked(problem=f"the value is {worst}", type="value", numbers=(number,))
        return Checked(numbers=(number,))


def _values(body: bytes) -> list[float]:
    try:
        data = msgspec.json.decode(body, type=_Document).data
        if data.resultType == "scalar":
            found = [msgspec.json.decode(data.result, type=tuple[float, str])]
        else:
            found = [each.value for each in msgspec.json.decode(data.result, type=list[_Series])]
        return [float(value) for _, value in found]
    except (msgspec.DecodeError, ValueError) as problem:
        raise UnknownError(f"the answer is not Prometheus's: {problem}") from problem
