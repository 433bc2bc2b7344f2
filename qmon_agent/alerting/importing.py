"""A configuration of Alertmanager as our `[routing]`, and what is left of it, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from qmon_agent.domain.errors import ConfigError
from qmon_agent.settings.routing import RoutingOptions

from .importing_shapes import check
from .routing_plan import make_plan

Table = dict[str, Any]
_LONG_UNITS = {"w": 7, "y": 365}
_LONG = re.compile(r"(\d{1,9})([wy])")
_ROUTE = (
    "receiver",
    "continue",
    "group_by",
    "mute_time_intervals",
    "active_time_intervals",
)
_WAITS = ("group_wait", "group_interval", "repeat_interval")
_INTERVAL = ("times", "weekdays", "days_of_month", "months", "years", "location")
_KNOWN = {"route", "receivers", "inhibit_rules", "time_intervals", "mute_time_intervals"}
_KNOWN |= {"global", "templates"}


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What was not taken over."""

    path: str
    reason: str


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The sections, as tables, and what is not in them."""

    routing: Table
    channels: Table
    left: tuple[Left, ...]


def import_config(config: Mapping[str, Any]) -> Imported:
    """All that can be taken over; raises ConfigError when it is no such configuration at all."""
    if not isinstance(config.get("route"), Mapping):
        raise ConfigError("route", "there is none: this is no configuration of Alertmanager")
    check(config)
    return _Import(config).whole()


class _Import:
    """One look at a whole configuration."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._left: list[Left] = []

    def whole(self) -> Imported:
        config = self._config
        for key in config.keys() - _KNOWN:
            self._leave(key, "there is nothing like it")
        for key in (config.get("global") or {}).keys() - _of_channels():
            self._leave(f"global.{key}", "nothing here is made of it")
        if "templates" in config:
            self._leave("templates", "templates of messages are not those of Go")
        channels: Table = {}
        receivers: Table = {}
        for receiver in config.get("receivers") or ():
            made = dict(self._channels(receiver))
            channels |= {name: table for name, (table, _) in made.items()}
            hear_ends = {ends for _, ends in made.values()}
            if len(hear_ends) > 1:
                path = f"receivers.{receiver['name']}.send_resolved"
                # What stays open for ever at a pager is worse than a message too many.
                self._leave(path, "some of it hear of ends and some do not: here all of it does")
            receivers[receiver["name"]] = {
                "channels": [*made],
                "send_resolved": True in hear_ends or not hear_ends,
            }
        routing = self._route("route", config["route"])
        routing |= {"receivers": receivers}
        rules = config.get("inhibit_rules") or ()
        routing |= {"inhibit_rules": [self._rule(n, each) for n, each in enumerate(rules)]}
        routing |= {"time_intervals": self._intervals()}
        self._look_at(routing, channels)
        left = tuple(sorted(self._left, key=lambda each: each.path))
        return Imported(routing=routing, channels=channels, left=left)

    def _look_at(self, routing: Table, channels: Table) -> None:
        try:
            make_plan(msgspec.convert(routing, RoutingOptions), channels)
        except ConfigError as problem:
            for one in (problem, *problem.others):
                self._leave(one.path, f"it is refused: {getattr(one, 'reason', one)}")
        except msgspec.ValidationError as error:
            self._leave("route", f"it is refused: {error}")

    def _route(self, path: str, route: Mapping[str, Any]) -> Table:
        made: Table = {key: route[key] for key in _ROUTE if key in route}
        made |= {key: _duration(str(route[key])) for key in _WAITS if key in route}
        matchers = self._matchers(route, "match")
        made |= {"matchers": matchers} if matchers else {}
        children = route.get("routes") or ()
        known = {*_ROUTE, *_WAITS, "match", "match_re", "matchers", "routes"}
        for key in route.keys() - known:
            self._leave(f"{path}.{key}", "there is nothing like it")
        if children:
            made["routes"] = [
                self._route(f"{path}.routes[{n}]", each) for n, each in enumerate(children)
            ]
        return made

    def _rule(self, number: int, rule: Mapping[str, Any]) -> Table:
        known = {f"{side}_{how}" for side in ("source", "target") for how in _MATCHES}
        for key in rule.keys() - known - {"equal"}:
            self._leave(f"inhibit_rules[{number}].{key}", "there is nothing like it")
        return {
            "source_matchers": self._matchers(rule, "source_match"),
            "target_matchers": self._matchers(rule, "target_match"),
            "equal": list(rule.get("equal") or ()),
        }

    def _matchers(self, table: Mapping[str, Any], key: str) -> list[str]:
        """In all the forms there ever were."""
        return [
            *(_matcher(name, "=", value) for name, value in (table.get(key) or {}).items()),
            *(
                _matcher(name, "=~", value)
                for name, value in (table.get(f"{key}_re") or {}).items()
            ),
            *(table.get(f"{key}ers") or ()),
        ]

    def _intervals(self) -> Table:
        made: Table = {}
        for key in ("mute_time_intervals", "time_intervals"):
            for each in self._config.get(key) or ():
                made[each["name"]] = [
                    {name: inner[name] for name in _INTERVAL if name in inner}
                    for inner in each.get("time_intervals") or ()
                ]
        return made

    def _channels(self, receiver: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Table, bool]]]:
        """Each integration that there is a channel for, and whether it hears of ends."""
        for key, configs in receiver.items():
            if key == "name":
                continue
            kind = key.removesuffix("_configs")
            for number, config in enumerate(configs or ()):
                path = f"receivers.{receiver['name']}.{key}[{number}]"
                table = self._channel(path, kind, config)
                if table is not None:
                    name = f"{receiver['name']}-{kind}" + (f"-{number}" if number else "")
                    hears_ends = config.get("send_resolved", kind not in _HEARS_NO_ENDS)
                    yield name, (table, bool(hears_ends))

    def _channel(self, path: str, kind: str, config: Mapping[str, Any]) -> Table | None:
        if kind not in CHANNELS:
            self._leave(path, f"no channel is made of {kind} here; write one under [channels]")
            return None
        channel, keys = CHANNELS[kind]
        settings = {**_global(kind, self._config.get("global") or {}), **config}
        table = {ours: value for ours, key in keys.items() if (value := _text(settings, key))}
        needed = NEEDED - _USUAL.get(channel, frozenset())
        if missing := [key for ours, key in keys.items() if ours not in table and ours in needed]:
            self._leave(path, f"{' and '.join(missing)}: it is not said, so there is no channel")
            return None
        known = {name for key in keys.values() for name in (key, f"{key}_file")}
        for key in config.keys() - known - {"send_resolved"}:
            self._leave(
                f"{path}.{key}", "no option of the channel is made of it; look at its table"
            )
        return {"kind": channel, **_fitted(channel, table)}

    def _leave(self, path: str, reason: str) -> None:
        self._left.append(Left(path=path, reason=reason))


CHANNELS: dict[str, tuple[str, dict[str, str]]] = {
    "webhook": ("webhook", {"url": "url"}),
    "slack": ("slack", {"url": "api_url"}),
    "pagerduty": ("pagerduty", {"routing_key": "routing_key", "url": "url"}),
    "opsgenie": ("opsgenie", {"api_key": "api_key"}),
    "discord": ("discord", {"url": "webhook_url"}),
    "telegram": ("telegram", {"token": "bot_token", "chat": "chat_id"}),
    "msteamsv2": ("teams", {"url": "webhook_url"}),
    "email": (
        "email",
        {
            "host": "smarthost",
            "sender": "from",
            "to": "to",
            "user": "auth_username",
            "password": "auth_password",
            "security": "require_tls",
        },
    ),
}
"""Alertmanager's integration → our channel, and of each of its options the one it is made of."""
NEEDED = {"url", "routing_key", "api_key", "token", "chat", "host", "sender", "to"}
_HEARS_NO_ENDS = frozenset({"email", "slack"})  # unless `send_resolved` says so
_USUAL = {"pagerduty": frozenset({"url"})}  # what a channel knows by itself
_GLOBAL = {
    "slack": "slack_",
    "opsgenie": "opsgenie_",
    "email": "smtp_",
    "pagerduty": "pagerduty_",
}
_MATCHES = ("match", "match_re", "matchers")


def _global(kind: str, said: Mapping[str, Any]) -> Table:
    """What holds for all receivers of a kind, under the names that each of them has for it."""
    prefix = _GLOBAL.get(kind)
    if prefix is None:
        return {}
    return {key.removeprefix(prefix): said[key] for key in said if key.startswith(prefix)}


def _of_channels() -> set[str]:
    """What of `global` finds its way into a channel."""
    plain = {
        f"{prefix}{key}" for kind, prefix in _GLOBAL.items() for key in CHANNELS[kind][1].values()
    }
    return plain | {f"{key}_file" for key in plain}


def _text(settings: Mapping[str, Any], key: str) -> str:
    """As it stands there, or as a reference to the file that it stands in."""
    if f"{key}_file" in settings:
        return f"file:{settings[key + '_file']}"
    return str(settings.get(key, ""))


def _fitted(channel: str, table: Table) -> Table:
    if channel != "email":
        return table
    host, _, port = table["host"].rpartition(":")
    fitted = {
        **table,
        "host": host or port,
        "to": [each.strip() for each in table["to"].split(",")],
    }
    fitted["security"] = "none" if table.get("security") == "False" else "starttls"
    return fitted | ({"port": int(port)} if host and port.isdecimal() else {})


def _matcher(name: str, operator: str, value: object) -> str:
    # Not by way of `Matcher`: one that is refused is shown, and told of with its place.
    quoted = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}{operator}"{quoted}"'


def _duration(text: str) -> str:
    """Weeks and years as days, which are the longest we know."""
    return _LONG.sub(lambda found: f"{int(found[1]) * _LONG_UNITS[found[2]]}d", text)


def to_toml(imported: Imported) -> str:
    """The sections as text of a configuration file."""
    lines: list[str] = []
    for name, table in imported.channels.items():
        lines += ["", f"[channels.{_key(name)}]", *_plain(table)]
    lines += ["", *_tables("routing", imported.routing)]
    return "\n".join(lines).strip() + "\n"


def _tables(path: str, table: Mapping[str, Any], *, listed: bool = False) -> Iterator[str]:
    plain = [*_plain(table)]
    if plain or listed:
        yield f"[[{path}]]" if listed else f"[{path}]"
        yield from plain
    for key, value in table.items():
        inside = f"{path}.{_key(key)}"
        if isinstance(value, Mapping) and value:
            yield ""
            yield from _tables(inside, value)
        elif _are_tables(value):
            for each in value:
                yield ""
                yield from _tables(inside, each, listed=True)


def _plain(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if not isinstance(value, Mapping) and not _are_tables(value):
            yield f"{_key(key)} = {_value(value)}"


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _value(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_value, value))}]"
    if type(value) in (int, float):
        return repr(value)  # of any size, and `nan`
    # JSON's strings and truth are TOML's, but for this one character.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    plain = name.isascii() and name.replace("-", "_").replace("_", "a").isalnum()
    return name if plain else _value(name)
