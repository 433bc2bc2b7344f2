"""The garbage collector: how often it runs, how long it holds up the program, what it finds."""

from __future__ import annotations

from time import perf_counter_ns

from qmon_sdk.client import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._watch import Watch

    Collection = tuple[int, int, int, int]

REPORT_NS = 1_000_000_000
MOST = 4096  # collections between two reports that are told one by one


class GcIntegration:
    """Adds up collections as `cpython.gc.*`, by generation; silent while nobody else speaks."""

    def install(self, watch: Watch) -> None:
        """Listen to the collector."""
        import gc

        listener = Listener()
        gc.callbacks.append(listener)
        watch.undo_by(lambda: gc.callbacks.remove(listener))


class Listener:
    """Called by the collector, between any two operations of the program: it takes no lock."""

    __slots__ = ("_collections", "_due", "_started")

    def __init__(self) -> None:
        self._collections: list[Collection] = []
        self._started = self._due = 0

    def __call__(self, phase: str, info: Mapping[str, int]) -> None:
        """Note one collection, and once in a second tell of those before."""
        now = perf_counter_ns()
        if phase == "start":
            self._started = now
            return
        collections = self._collections
        if len(collections) < MOST:
            found = info["collected"], info["uncollectable"]
            collections.append((info["generation"], now - self._started, *found))
        if now < self._due:
            return
        self._due = now + REPORT_NS
        try:
            self._report()
        except Exception as error:  # noqa: BLE001 - the guard; raising here would be printed
            trouble = current().trouble
            key = f"gc: {type(error).__name__}"
            trouble[key] = trouble.get(key, 0) + 1

    def _report(self) -> None:
        client = current()
        recorder = client.recorder
        if recorder is None or not recorder.is_awake:  # not to be the one that starts a thread
            return
        taken, self._collections = self._collections, []
        for generation in {collection[0] for collection in taken}:
            of_it = [collection for collection in taken if collection[0] == generation]
            _tell(client.metrics, str(generation), of_it)


def _tell(metrics: Any, generation: str, collections: list[Collection]) -> None:
    about = {"cpython.gc.generation": generation}
    for _, pause, _, _ in collections:
        metrics.distribution("cpython.gc.pause", pause / 1e9, unit="s", attributes=about)
    for name, unit, number in (
        ("cpython.gc.collections", "{collection}", len(collections)),
        ("cpython.gc.collected_objects", "{object}", sum(c[2] for c in collections)),
        ("cpython.gc.uncollectable_objects", "{object}", sum(c[3] for c in collections)),
    ):
        metrics.count(name, number, unit=unit, attributes=about)
