"""The figures of alerting: how soon, how well and how loudly, of the incidents of a time.

All are about the incidents that fired between two moments, and the messages written between them.
The reference says what each of them is made of.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean

import msgspec

from qmon_agent.domain.clock import SECOND

from .histories import SOON_NS, Letter, Life
from .nights import ANYWHERE, Night, Nights, nightly

HOUR_NS, DAY_NS = 3_600 * SECOND, 86_400 * SECOND
HOURLY_UP_TO_NS = 3 * DAY_NS
MOST_FLAPPERS = 10
_HALF = 0.5
_DONE = ("sent", "dead", "held", "superseded")


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Durations of a kind, in seconds; none of them where there were none."""

    count: int = 0
    mean_s: float | None = None
    p50_s: float | None = None
    p99_s: float | None = None


class AlertFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one alert did, by name."""

    alert: str
    fired: int
    firing_s: float
    """How long its incidents fired, added up."""
    last_fired_at: int
    acknowledged: int
    ended_by_themselves: int
    noise: float | None


class Flapper(msgspec.Struct, frozen=True, kw_only=True):
    """An instance of an alert that fired again and again."""

    alert: str
    instance: str
    firings: int
    incidents: int


class ChannelFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one channel delivered, and how long that took from the decision to the answer."""

    channel: str
    sent: int
    dead: int
    superseded: int
    """Outdated before they could be told, and so left unsaid."""
    waiting: int
    attempts: int
    latency: Times


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """What those said who labelled incidents."""

    useful: int
    noise: int
    useful_unfired: int
    """Useful, and never fired: they ended before they had held for long enough."""
    precision: float | None
    recall: float | None


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the time, for the trend."""

    start: int
    fired: int = 0
    acknowledged: int = 0
    ended_by_themselves: int = 0
    sent: int = 0


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    since: int
    until: int
    fired: int
    time_to_detect: Times
    time_to_acknowledge: Times
    time_to_resolve: Times
    acknowledged: float | None
    ended_by_themselves: float | None
    noise: float | None
    quality: Quality
    alerts: tuple[AlertFigures, ...]
    flappers: tuple[Flapper, ...]
    channels: tuple[ChannelFigures, ...]
    nights: tuple[Night, ...]
    trend: tuple[Period, ...]
    step_s: int


def figures(
    lives: Iterable[Life],
    letters: Iterable[Letter],
    *,
    since: int,
    until: int,
    nights: Nights = ANYWHERE,
) -> Figures:
    """The figures of a time; `nights` says where, and whose."""
    known = [*lives]
    fired = [each for each in known if each.fired_at and since <= each.fired_at < until]
    told = [each for each in letters if since <= each.created_at < until]
    step = HOUR_NS if until - since <= HOURLY_UP_TO_NS else DAY_NS
    return Figures(
        since=since,
        until=until,
        fired=len(fired),
        time_to_detect=times(max(each.fired_at - each.began_at, 0) for each in fired),
        time_to_acknowledge=times(each.acked_at - each.fired_at for each in fired if each.acked_at),
        time_to_resolve=times(each.resolved_at - each.fired_at for each in fired if each.is_over),
        acknowledged=_share(bool(each.acked_at) for each in fired),
        ended_by_themselves=_share(each.ended_by_itself for each in fired if settled(each, until)),
        noise=noise(fired, until),
        quality=quality([each for each in known if _is_of(each, since, until)]),
        alerts=_alerts(fired, until),
        flappers=_flappers(fired),
        channels=_channels(told),
        nights=nightly(told, nights, since=since, until=until),
        trend=_trend(fired, told, since=since, until=until, step=step),
        step_s=step // SECOND,
    )


def times(durations: Iterable[int]) -> Times:
    """Of some durations in nanoseconds; one that a clock set back made negative counts as none."""
    ordered = sorted(max(each, 0) / SECOND for each in durations)
    if not ordered:
        return Times()
    return Times(
        count=len(ordered),
        mean_s=fmean(ordered),
        p50_s=quantile(ordered, 0.5),
        p99_s=quantile(ordered, 0.99),
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest of them that so many are not above: by nearest rank, so one of them."""
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def settled(life: Life, until: int) -> bool:
    """Whether it is known by then if it went away by itself; of a removed alert it never is."""
    if life.resolved_at:
        return life.is_over
    return until - life.fired_at > SOON_NS


def noise(fired: Iterable[Life], until: int) -> float | None:
    """How much of what fired was for nothing, from 0 to 100.

    100 × the mean of what each incident counts: 1 if it is labelled noise, 0 if labelled useful;
    of those without a label 0 if somebody did something with it, 1 if it went away by itself within
    five minutes, 0.5 if it went away later. What fires still counts when it is labelled or handled.
    """
    counted = [part for each in fired if (part := _noise_of(each, until)) is not None]
    return 100 * fmean(counted) if counted else None


def _noise_of(life: Life, until: int) -> float | None:
    if life.label:
        return float(life.label == "noise")
    if life.is_handled:
        return 0.0
    if life.ended_by_itself:
        return 1.0
    return _HALF if life.is_over and life.resolved_at <= until else None


def quality(known: Iterable[Life]) -> Quality:
    """How often what fired was useful, and how much of what would have been useful fired.

    Precision is the useful share of what fired and has a label; recall the share that fired of what
    was labelled useful. One that began and never fired counts: its alert was too slow.
    """
    labelled = [each for each in known if each.label]
    useful = [each for each in labelled if each.label == "useful"]
    return Quality(
        useful=len(useful),
        noise=len(labelled) - len(useful),
        useful_unfired=sum(not each.fired_at for each in useful),
        precision=_share(each.label == "useful" for each in labelled if each.fired_at),
        recall=_share(bool(each.fired_at) for each in useful),
    )


def _is_of(life: Life, since: int, until: int) -> bool:
    """Whether it is of that time, also if it never fired."""
    return since <= (life.fired_at or life.began_at) < until


def _share(found: Iterable[bool]) -> float | None:
    answers = [*found]
    return sum(answers) / len(answers) if answers else None


def _alerts(fired: Sequence[Life], until: int) -> tuple[AlertFigures, ...]:
    """The loudest first."""
    by_alert: dict[str, list[Life]] = defaultdict(list)
    for each in fired:
        by_alert[each.alert].append(each)
    made = [
        AlertFigures(
            alert=alert,
            fired=len(own),
            firing_s=sum(max((e.resolved_at or until) - e.fired_at, 0) for e in own) / SECOND,
            last_fired_at=max(each.fired_at for each in own),
            acknowledged=sum(bool(each.acked_at) for each in own),
            ended_by_themselves=sum(each.ended_by_itself for each in own),
            noise=noise(own, until),
        )
        for alert, own in by_alert.items()
    ]
    return tuple(sorted(made, key=lambda each: (-each.fired, each.alert)))


def _flappers(fired: Iterable[Life]) -> tuple[Flapper, ...]:
    by_instance: dict[tuple[str, str], list[int]] = defaultdict(list)
    for each in fired:
        by_instance[each.alert, each.instance].append(max(each.firings, 1))
    found = [
        Flapper(alert=alert, instance=instance, firings=sum(own), incidents=len(own))
        for (alert, instance), own in by_instance.items()
        if sum(own) > 1
    ]
    found.sort(key=lambda each: (-each.firings, each.alert, each.instance))
    return tuple(found[:MOST_FLAPPERS])


def _channels(told: Iterable[Letter]) -> tuple[ChannelFigures, ...]:
    by_channel: dict[str, list[Letter]] = defaultdict(list)
    for each in told:
        by_channel[each.channel].append(each)
    return tuple(_channel(name, by_channel[name]) for name in sorted(by_channel))


def _channel(name: str, own: Sequence[Letter]) -> ChannelFigures:
    sent = [each for each in own if each.status == "sent"]
    count = Counter(each.status for each in own)
    return ChannelFigures(
        channel=name,
        sent=len(sent),
        dead=count["dead"],
        superseded=count["superseded"],
        waiting=len(own) - sum(count[word] for word in _DONE),
        attempts=sum(each.attempts for each in own),
        latency=times(each.sent_at - each.created_at for each in sent),
    )


def _trend(
    fired: Iterable[Life], told: Iterable[Letter], *, since: int, until: int, step: int
) -> tuple[Period, ...]:
    count = max(-((since - until) // step), 1)
    periods = [Period(start=since + n * step) for n in range(count)]
    for life in fired:
        n = (life.fired_at - since) // step
        before = periods[n]
        periods[n] = msgspec.structs.replace(
            before,
            fired=before.fired + 1,
            acknowledged=before.acknowledged + bool(life.acked_at),
            ended_by_themselves=before.ended_by_themselves + life.ended_by_itself,
        )
    for letter in told:
        if letter.status == "sent":
            n = (letter.created_at - since) // step
            periods[n] = msgspec.structs.replace(periods[n], sent=periods[n].sent + 1)
    return tuple(periods)
