"""The alert service: shows what arrives to the rules and keeps the books of what follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import RLock

import msgspec

from qmon_agent.domain.alarms.storms import Brake, Storm
from qmon_agent.domain.alarms.windows import Window
from qmon_agent.domain.clock import Clock, SystemClock
from qmon_agent.domain.incidents import ACTIVE
from qmon_agent.domain.rule_health import Ailment, ailments
from qmon_agent.settings import AlertOptions
from qmon_agent.store.state import StateStore
from qmon_agent.vitals import Vitals
from qmon_sdk.protocol.signals import Point

from . import declaring
from .books import Books, Key
from .care import Care
from .changing import changed, unchanged
from .endings import Endings
from .evaluation import Cell, evaluate
from .followers import ROUNDS, Followers
from .health import MOST_PROBLEM, UNFAILED, Failed, facts_of
from .hearing import Hearing
from .inquiry import NOTE, SAMPLES, Inquiry
from .observed import Observed, Reply
from .papers import MAINTENANCE_ENDED
from .replies import Replies, facts_in, statements_of
from .routing_plan import Plan
from .rules import Fact, Found, Statement
from .standing import Standing, standings
from .telling import Teller
from .usual import USUALLY
from .wakes import Wakes
from .watch import Lasting, Watch
from .watches import Watches


class AlertService:
    """Rules over what arrives; all methods may be called from any thread, and block briefly.

    What a record causes is written in one transaction with the reader's place after it, so that
    reading on from `resume()` after any crash neither repeats nor leaves out a transition.
    """

    def __init__(
        self,
        store: StateStore,
        *,
        channels: Sequence[str] = (),
        clock: Clock | None = None,
        vitals: Vitals | None = None,
        posted: Callable[[], None] = lambda: None,
        found: Callable[[Found], None] = lambda _: None,
    ) -> None:
        """`channels`: who is told by alerts that name none; `posted`: called after new postings.

        `found`: called with what a rule has found out and nobody has sent.
        """
        self._store = store
        self._clock = clock or SystemClock()
        self._vitals = vitals or Vitals()
        self._found = found
        self._failed: dict[str, Failed] = {}
        self._lock = RLock()
        self._hearing = Hearing(store, self._clock)
        self.muting = self._hearing.muting
        self._books = Books(
            store.incidents,
            hearing=self._hearing,
            vitals=self._vitals,
            posted=posted,
        )
        self._inquiry = Inquiry(vitals=self._vitals)
        self._books.remember(self._inquiry.notes)
        self._watches = Watches(store.catalog)
        self._wakes: Wakes[Key] = Wakes()
        self._followers = Followers()
        self._telling = Teller(self._books, self._hearing, watches=self._watches, channels=channels)
        self._endings = Endings(
            self._books, self._telling, followers=self._followers, clock=self._clock
        )
        self.care = Care(
            self._lock,
            self._watches,
            books=self._books,
            clock=self._clock,
            close=self._resolve,
        )
        self._replies = Replies()
        self._left: list[Lasting] = []
        self._restore()

    def _restore(self) -> None:
        store = self._store
        self._watches.refresh()
        # Who was told of these is known as soon as the tree is.
        self._left = [*self._watches.restore(store.incidents.states())]
        for watch in self._watches:
            for instance, cell in watch.cells.items():
                if cell.episode.state in ACTIVE:
                    self._hearing.note(unchanged(watch, instance, now=0, cell=cell), ())
        self._inquiry.take_up(self._watches)
        self._inquiry.restore(store.incidents.noted(NOTE), store.incidents.noted(SAMPLES))
        self._start()

    @property
    def problems(self) -> dict[str, str]:
        """Alerts that cannot work, and why."""
        failed = self._inquiry.troubles | self._replies.problems(self._watches)
        return failed | self._watches.problems

    @property
    def unmatched(self) -> list[str]:
        """Alerts whose system or metric nobody has ever sent: misspelt, or not there yet."""
        with self._lock:
            return self._watches.unmatched + self._inquiry.unmatched

    def health(self, now: int) -> list[Ailment]:
        """Alerts that cannot be judged, never see anything, never fire or always do."""
        fired = self._store.incidents.last_fired()
        with self._lock:
            unmatched = frozenset(self.unmatched)
            rules = [
                facts_of(
                    watch,
                    last_fired=fired.get(watch.alert.id, 0),
                    is_matched=watch.alert.name not in unmatched,
                    failed=self._failed.get(watch.alert.name, UNFAILED),
                )
                for watch in self._watches
                # Those that are there by themselves are there to be quiet.
                if watch.alert.created_by != USUALLY or watch.alert.name in self._failed
            ]
        return [*ailments(rules, now)]

    def declare(self, options: Sequence[AlertOptions], usual: Sequence[AlertOptions] = ()) -> None:
        """Make these, and `usual` of the agent's own, the alerts; raises ConfigError before."""
        declaring.declare(self._store.catalog, options, usual)
        self.reload()

    def tell(
        self,
        channels: Sequence[str],
        plan: Plan | None = None,
        *,
        windows: tuple[Window, ...] = (),
        storm: Brake | None = None,
    ) -> None:
        """Let alerts that name no channel use these from now on, or the tree of a plan.

        Nobody is told during maintenance `windows`. Without `storm`, that brake stays as it is.
        """
        with self._lock:
            self._telling.channels = tuple(channels)
            self._books.braking.by = storm or self._books.braking.by
            self.muting.windows.follow(windows)
            self._hearing.follow(plan, self._clock.now())
            self._retire()
            self._telling.tell_newcomers(self._clock.now())
            self._books.write_due(self._clock.now())

    def reload(self) -> None:
        """Take up what the catalog says now; incidents of alerts that are gone are over."""
        with self._lock:
            for watch in self._watches.refresh():
                self._left += map(watch.lasting, watch.cells)
            self._retire()
            self._inquiry.take_up(self._watches)
            self._telling.tell_newcomers(self._clock.now())
            self._start()

    @property
    def statements(self) -> list[tuple[int, Statement]]:
        """What alerts want to ask the store, by their numbers."""
        with self._lock:
            return statements_of(self._watches)

    def reply(self, alert_id: int, reply: Reply) -> None:
        """Judge what the store has answered, and what it has not."""
        with self._lock:
            watch, now = self._watches.get(alert_id), self._clock.now()
            if watch is None:
                return
            self._replies.note(watch.alert.name, reply)
            for fact in facts_in(watch, reply, now):
                self._evaluate(watch, fact.instance, fact, now=now)
            self._follow(now)
            self._books.write_due(now)

    def resume(self) -> str:
        """The position up to which everything is written; read on from there."""
        return self._books.written

    def observe(self, batch: Observed) -> None:
        """Judge one record's signals."""
        with self._lock:
            for watch in self._watches.concerned_by(batch):
                self._show(watch, batch)
            self._inquiry.hear(batch)
            self._ask(batch.time)
            self._follow(batch.time)
            self._books.position = batch.position or self._books.position
            self._books.write_heard(batch.time)

    def tick(self, now: int | None = None) -> None:
        """Let time pass: call about once a second, whether anything arrives or not."""
        with self._lock:
            now = self._clock.now() if now is None else now
            self._books.ticked_at = now
            for key in self.care.look(now):
                self._wakes.wish(key, now)
            if self.muting.look(now):
                self._telling.tell_newcomers(now, reason=MAINTENANCE_ENDED)
            self._ask(now)
            for number, instance in self._wakes.due(now):
                watch = self._watches.get(number)
                if watch and instance in watch.cells:
                    self._evaluate(watch, instance, None, now=now)
            self._follow(now)
            self._books.write_due(now)

    def checkpoint(self) -> bool:
        """Write down everything now, as before stopping; no when the store refuses."""
        with self._lock:
            return self._books.write(self._clock.now())

    def check_alerts(self, metric_id: int) -> list[Standing]:
        """Judge a metric's newest collected value now; raises MetricNotFoundError."""
        metric = self._store.catalog.metric(metric_id)
        system = self._store.catalog.system(metric.monitoring_system)
        newest = self._store.catalog.newest_analytics(metric_id)
        now = self._clock.now()
        points = (
            [Point(time=newest.timestamp, metric=metric.name, value=newest.value)] if newest else []
        )
        with self._lock:
            watches = [each for each in self._watches if each.alert.metric == metric_id]
            for watch in watches:
                self._show(watch, Observed(service=system.name, time=now, points=points))
            self.tick(now)
            return [standing for watch in watches for standing in standings(watch)]

    @property
    def channels(self) -> tuple[str, ...]:
        """Who is told by alerts that name nobody, where there is no routing tree."""
        return self._telling.channels

    @property
    def storms(self) -> Mapping[str, Storm]:
        """The channels that are told of a storm, and not one by one."""
        return self._books.braking.storms

    @property
    def hearing(self) -> Hearing:
        """Who hears of what; to be asked on the thread that judges."""
        return self._hearing

    def standings(self) -> list[Standing]:
        """Every instance of every alert."""
        with self._lock:
            return [standing for watch in self._watches for standing in standings(watch)]

    def resolve(self, incident: str, *, reason: str = "resolved_by_hand") -> bool:
        """End an incident, and all that it is merged with; no if there is none of this id.

        A breach that is seen after that begins another.
        """
        with self._lock:
            if self.care.resolve(incident, reason=reason):
                return True
            # One that is pending still.
            for watch in self._watches:
                for instance, cell in watch.cells.items():
                    if cell.incident == incident and cell.episode.state != "inactive":
                        self._resolve(watch, instance, reason=reason)
                        return self._books.write(self._clock.now())
        return False

    # What follows is called with the lock held.

    def _resolve(self, watch: Watch, instance: str, *, reason: str) -> None:
        self._endings.resolve(watch, instance, reason=reason)
        self._follow(self._clock.now())

    def _retire(self) -> None:
        """End what is left of alerts that are gone."""
        left, self._left = self._left, []
        for each in left:
            self._endings.retire(each)

    def _start(self) -> None:
        now = self._clock.now()
        for watch in self._watches:
            for fact in watch.about.expected:
                watch.cells.setdefault(fact.instance, Cell(labels=fact.labels))
            for instance in watch.cells:
                self._wakes.wish((watch.alert.id, instance), now)
        self._followers.refresh(self._watches)
        self._follow(now, is_again=True)
        self._books.write_due(now)

    def _follow(self, now: int, *, is_again: bool = False) -> None:
        """Show what has changed to the alerts about alerts, and to those about these."""
        for _ in range(ROUNDS):
            shown = self._followers.drain()
            if not shown:
                return
            for watch, news in shown:
                shown_now = Observed(service="", time=now, changed=news, is_again=is_again)
                self._show(watch, shown_now)

    def _show(self, watch: Watch, batch: Observed) -> None:
        try:
            for fact in watch.facts(batch):
                self._evaluate(watch, fact.instance, fact, now=batch.time, is_again=batch.is_again)
        except Exception as problem:  # noqa: BLE001 - a rule that fails must leave every other one alone
            self._fail(watch, f"{type(problem).__name__}: {problem}", batch.time)

    def _fail(self, watch: Watch, problem: str, now: int) -> None:
        self._vitals.add("alert_rule_failures", alert=watch.alert.name)
        self._failed[watch.alert.name] = Failed(now, problem[:MOST_PROBLEM])

    def _ask(self, now: int) -> None:
        for watch, fact, at in self._inquiry.answers(now):
            self._evaluate(watch, fact.instance, fact, now=at)

    def _evaluate(
        self, watch: Watch, instance: str, fact: Fact | None, *, now: int, is_again: bool = False
    ) -> None:
        if not self._has_room(watch, instance):
            return
        before = watch.cell(instance)
        if before.is_dealt_with and fact is not None and not is_again:
            before = msgspec.structs.replace(before, is_dealt_with=False)
        name = f"{watch.alert.name}\0{instance}"
        policy = self._hearing.episodes.policy(watch.policy, before.incident)
        done = evaluate(before, fact, now, rule=watch.rule, policy=policy, name=name)
        key = (watch.alert.id, instance)
        after, change = done.cell, None
        if done.transitions:
            change = self._telling.addressed(changed(watch, instance, before=before, done=done))
            after = change.after
        watch.put(instance, after)
        for found in done.found:
            self._found(found)
        self._wakes.judged(key, now, wake=done.wake)
        if done.failed:
            self._fail(watch, done.failed, now)
        if after != before:
            self._books.keep(key, after)
        self._followers.note(watch.alert.name, instance, after=after, before=before)
        if change is not None:
            self._telling.note(change, ends_too=not watch.about.resolves_quietly)

    def _has_room(self, watch: Watch, instance: str) -> bool:
        leaves = watch.make_room(instance)
        if leaves is None:
            return True
        self._vitals.add("alert_instances_overflow", alert=watch.alert.name)
        if leaves == instance:
            return False
        del watch.cells[leaves]
        self._wakes.forget((watch.alert.id, leaves))
        self._books.keep((watch.alert.id, leaves), None)
        return True
