"""Everything about a configuration that can be known before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import msgspec

from qmon_agent.alerting.braking import NO_BRAKE, make_brake
from qmon_agent.alerting.declaring import check_alerts_of, check_circles
from qmon_agent.alerting.doubts import names_of
from qmon_agent.alerting.maintenance import make_windows
from qmon_agent.alerting.page_plan import make_page
from qmon_agent.alerting.routing_plan import Plan as RoutingPlan
from qmon_agent.alerting.routing_plan import make_plan
from qmon_agent.alerting.usual import check_usual, usual_of
from qmon_agent.app.routes import lost_routes
from qmon_agent.domain.alarms.components import Page
from qmon_agent.domain.alarms.storms import Brake
from qmon_agent.domain.alarms.windows import Window
from qmon_agent.domain.errors import (
    ConfigError,
    QmonError,
    UnknownPluginError,
    nearest_to,
    raise_all,
)
from qmon_agent.domain.plugins import options_of, refuse_negative
from qmon_agent.forward.sinks import Sink, make_sinks
from qmon_agent.ingest.declared import Step, make_steps
from qmon_agent.ingest.listening import address_of
from qmon_agent.ingest.sources import SOURCES, Source, make_sources
from qmon_agent.ingest.trials import make_trials
from qmon_agent.monitoring import make_probes
from qmon_agent.monitoring.probing import Watched
from qmon_agent.monitoring.samplers import SAMPLERS, Sampler
from qmon_agent.notify.channels import CHANNELS, Channel
from qmon_agent.notify.heartbeat import check_heartbeat
from qmon_agent.notify.wording import with_words
from qmon_agent.settings import Http, Settings, Store, check_settings
from qmon_agent.settings.addresses import check_public_url
from qmon_agent.settings.certificates import serving_context
from qmon_agent.settings.oncall import OncallOptions
from qmon_agent.settings.retention import policy_of
from qmon_agent.settings.room import check_room
from qmon_agent.store.telemetry import places_of

P = ParamSpec("P")
T = TypeVar("T")
_OF_CHANNELS = ("kind", "templates")  # of each, whatever its kind
_NUMBERED = ("http", "admission", "cardinality", "journal", "store", "samplers", "heartbeat")


class Plugins(msgspec.Struct, frozen=True, kw_only=True):
    """What the sections of a configuration make."""

    sources: dict[str, Source]
    samplers: dict[str, Sampler]
    channels: dict[str, Channel]
    sinks: dict[str, Sink]
    probes: dict[str, Watched] = {}
    processors: tuple[Step, ...] = ()
    routing: RoutingPlan | None = None
    windows: tuple[Window, ...] = ()
    storm: Brake = NO_BRAKE
    page: Page | None = None


def make_plugins(settings: Settings) -> Plugins:
    """Builds every plug-in that is configured; raises ConfigError or UnknownPluginError."""
    plugins, problems = check_plugins(settings)
    raise_all(problems)
    return plugins


def check_plugins(settings: Settings) -> tuple[Plugins, list[QmonError]]:
    """What can be built of the plug-ins that are configured, and everything that is wrong."""
    look = _Look()
    channels = {
        name: channel
        for name, table in settings.channels.items()
        if (channel := look.at(f"channels.{name}", make_channel, name, table)) is not None
    }
    look.problems += _strange_channels(settings)
    look.at("alerts", check_alerts_of, settings.alerts, usual_of(settings))
    look.problems += check_circles(settings.alerts)
    look.problems += check_usual(settings)
    look.at("retention", _check_retention, settings)
    for name in _NUMBERED:
        look.at(name, refuse_negative, getattr(settings, name), name)
    look.at("samplers", _check_interval, settings)
    look.at("heartbeat", check_heartbeat, settings.heartbeat)
    look.at("http", _check_http, settings.http)
    look.at("store", _check_telemetry, settings)
    look.at("store", _check_state, settings.store)
    look.at("store", check_room, settings)
    sources = _sources(look, settings)
    samplers = look.at("samplers.only", _samplers, settings) or {}
    sinks = look.at("sinks", make_sinks, settings.sinks) or {}
    probes = look.at("probes", make_probes, settings.probes) or {}
    processors = look.at("processors", make_steps, settings.processors) or ()
    look.problems += lost_routes(settings)
    look.at("tests", make_trials, settings.tests)
    windows = look.at("maintenance", make_windows, settings.maintenance) or ()
    plugins = Plugins(
        sources=sources,
        samplers=samplers,
        channels=channels,
        sinks=sinks,
        probes=probes,
        processors=processors,
        routing=look.at("routing", _routing, settings),
        windows=windows,
        storm=look.at("storm", make_brake, settings.storm) or NO_BRAKE,
        page=look.at("status_page", _page, settings),
    )
    return plugins, look.problems


def _sources(look: _Look, settings: Settings) -> dict[str, Source]:
    sources = look.at("sources", make_sources, settings.sources) or {}
    for name, source in sources.items():
        look.at("sources", _check_door, source, f"sources.{name}")
    for name, listen in _listens(settings):
        if name not in sources:
            look.at("sources", _check_address, listen, f"sources.{name}.listen")
    return sources


class _Look:
    """One look at everything, which a problem does not end."""

    def __init__(self) -> None:
        self.problems: list[QmonError] = []

    def at(self, path: str, check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return check(*args, **kwargs)
        except (ConfigError, UnknownPluginError) as problem:
            found = [problem, *problem.others]
            for one in found:
                one.path, one.others = one.path or path, ()
            self.problems += found
            return None


def load_plugins(
    file: Path | None, *, also: Callable[[Settings], Iterable[QmonError]] = lambda _: ()
) -> tuple[Settings, Plugins]:
    """The settings in a file and what they make; what is wrong is told with the file's name.

    `also` finds what takes longer to find.
    """
    settings, wrong = check_settings(file)
    known = {problem.path for problem in wrong}
    plugins, more = check_plugins(settings)
    more += also(settings)
    problems = [*wrong, *(one for one in more if not _is_told(one.path, known))]
    for problem in problems:
        problem.file = str(file or "")
    raise_all(problems)
    return settings, plugins


def _is_told(path: str, known: set[str]) -> bool:
    """Whether it is about what was found wrong, or about what that was left out of."""
    return any(
        f"{path}.".startswith((f"{other}.", f"{other}["))
        or other.startswith((f"{path}.", f"{path}["))
        for other in known
    )


def _strange_channels(settings: Settings) -> Iterator[ConfigError]:
    for alert in settings.alerts:
        for number, name in enumerate(alert.channels):
            if name not in settings.channels:
                path = f"alerts.{alert.name}.channels[{number}]"
                yield ConfigError(path, f"no channel {name!r}", nearest_to(name, settings.channels))


def _routing(settings: Settings) -> RoutingPlan | None:
    if not settings.routing.is_said:
        if settings.oncall != OncallOptions():
            raise ConfigError("oncall", "nobody is called by it: it needs [routing]")
        return None
    return make_plan(settings.routing, settings.channels, settings.oncall)


def _page(settings: Settings) -> Page | None:
    return make_page(
        settings.status_page,
        alerts=names_of(settings),
        windows=[each.name for each in settings.maintenance],
    )


def _check_interval(settings: Settings) -> None:
    if not settings.samplers.interval_s:
        raise ConfigError("samplers.interval_s", "has to be more than nothing")


def _check_http(http: Http) -> None:
    check_public_url(http.public_url)
    _check_address(http.listen, "http.listen")
    serving_context(http.certificate, http.key, http.client_authority, path="http")


def _check_address(listen: str, path: str) -> None:
    address_of(listen, path=path)


def _listens(settings: Settings) -> Iterator[tuple[str, str]]:
    """Where sources are to listen, as the file says; those that are off, too."""
    for name, table in settings.sources.items():
        listen = table.get("listen")
        is_known = name in SOURCES.names() and "listen" in options_of(SOURCES.find(name))
        if isinstance(listen, str) and listen and is_known:
            yield name, listen


def _check_door(source: Source, path: str) -> None:
    if listen := getattr(source, "listen", ""):
        _check_address(listen, f"{path}.listen")
    if certificate := getattr(source, "certificate", ""):
        key, authority = getattr(source, "key", ""), getattr(source, "client_authority", "")
        serving_context(certificate, key, authority, path=path)


def make_channel(name: str, table: Mapping[str, Any]) -> Channel:
    """`[channels.pager] kind = "webhook"`; the kind is the name where it is not said."""
    options = {key: value for key, value in table.items() if key not in _OF_CHANNELS}
    kind = str(table.get("kind", name))
    channel = CHANNELS.build(kind, options, path=f"channels.{name}", beside=_OF_CHANNELS)
    if "templates" not in table:
        return channel
    path = f"channels.{name}.templates"
    if not isinstance(table["templates"], dict):
        raise ConfigError(path, "is a table with `title` and `text`")
    return with_words(channel, table["templates"], path)


def _check_telemetry(settings: Settings) -> None:
    places_of(settings.store.telemetry, Path())


def _check_retention(settings: Settings) -> None:
    policy_of(settings.retention)


def _check_state(section: Store) -> None:
    if not section.state:
        return
    # Imported only then: its engine takes longer than all the rest of a start.
    from qmon_agent.store.state import home_of

    home_of(section.state, section.state_password)


def _samplers(settings: Settings) -> dict[str, Sampler]:
    if not settings.samplers.enabled:
        return {}
    names = settings.samplers.only or SAMPLERS.names()
    options = settings.samplers.options
    problems: list[QmonError] = []
    made: dict[str, Sampler] = {}
    wanted = {f"samplers.only[{number}]": name for number, name in enumerate(names)}
    wanted |= {f"samplers.options.{name}": name for name in options}
    for path, name in wanted.items():
        table = f"samplers.options.{name}"
        try:
            made.setdefault(name, SAMPLERS.build(name, options.get(name, {}), path=table))
        except ConfigError as problem:
            problems += [problem, *problem.others]
        except UnknownPluginError as problem:
            problem.path = path
            problems.append(problem)
    raise_all(problems)
    return {name: made[name] for name in names}
