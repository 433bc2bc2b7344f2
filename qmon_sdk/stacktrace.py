"""An exception with its causes, groups, notes, frames, source and locals, as bounded JSON.

The text in an error's `stack` is an object. Its `chain` lists the exception itself, then what led
to it. Each has `type`, `module`, `value` and `frames` (outermost first), and where there are any:
`relation` to the one before it (`cause` or `context`), `notes`, `omitted` (how many frames were
left out of the middle) and `group` (its members, each like those of the chain). A frame has
`file`, `function`, `module`, `line` and `in_app`, and where they are known `pre`, `code`, `post`
(source lines) and `locals` (name to text). `like` names the error that was captured in full, when
this one took the same path and was not.
"""

from __future__ import annotations

from time import perf_counter_ns

from .anatomy import chain_of, is_in_app, members_of, message_of, notes_of, trace_of
from .json_text import array, members, quoted, texts
from .local_variables import locals_of
from .protocol.records import Record
from .rendering import encodable, module_of
from .source_lines import NOTHING, SourceLines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, TracebackType

    from .scrub import Scrubber
    from .settings import Settings

MAX_EXCEPTIONS = 40  # in one error, with all the members of groups
MAX_DEPTH = 4  # of groups in groups
MAX_MESSAGE = 2048
MAX_PATH = 400
LOCALS_BUDGET_NS = 2_000_000  # per error
_REMEMBERED = 4096


class Place(Record):
    """What never changes about one instruction of the program."""

    code: CodeType | None = None  # kept alive, since it is known by its address
    in_app: bool = False
    name: str = ""  # module and function
    head: str = ""  # JSON of what a short capture tells
    source: str = ""  # JSON of the lines around


class Stacks:
    """Writes the stacks of one client, and remembers the places it wrote about."""

    def __init__(self, settings: Settings, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._wants_locals = settings.include_local_variables
        self._sources = SourceLines()
        self._places: dict[int, Place] = {}

    def full(self, error: BaseException) -> str:
        """Write everything: source and local variables as well."""
        return _Writing(self, until=perf_counter_ns() + LOCALS_BUDGET_NS).document(error)

    def short(self, error: BaseException, like: str = "") -> str:
        """Write what two errors that took the same path have in common."""
        return _Writing(self, until=0).document(error, like)

    def of_frames(self, entries: list[TracebackType]) -> list[Place]:
        """Describe the places of a traceback."""
        return [self.place(entry) for entry in entries]

    def place(self, entry: TracebackType) -> Place:
        """Describe the place of one entry, once."""
        address = id(entry.tb_frame.f_code) + entry.tb_lasti
        place = self._places.get(address)
        if place is None:
            place = self._described(entry)
            if len(self._places) >= _REMEMBERED:
                self._places.clear()
            self._places[address] = place
        return place

    def locals(self, entries: list[TracebackType], until: int) -> list[dict[str, str]]:
        """Write the local variables of what is the application's, and of where it happened."""
        if not self._wants_locals or not until:
            return [{} for _ in entries]
        frames = [
            entry.tb_frame if self.place(entry).in_app or entry.tb_next is None else None
            for entry in entries
        ]
        return locals_of(frames, self._scrubber, until)

    def value(self, text: str) -> str:
        """Scrub a text of the exception."""
        return self._scrubber.text(text)

    def _described(self, entry: TracebackType) -> Place:
        frame = entry.tb_frame
        code, line = frame.f_code, entry.tb_lineno or frame.f_code.co_firstlineno
        module = frame.f_globals.get("__name__")
        module = module if type(module) is str else ""
        in_app = is_in_app(code.co_filename)
        head = members(
            ("file", quoted(code.co_filename[-MAX_PATH:])),
            ("function", quoted(code.co_qualname)),
            ("module", quoted(module)),
            ("line", str(line)),
            ("in_app", "true" if in_app else "false"),
        )
        return Place(
            code=code,
            in_app=in_app,
            name=f"{module}.{code.co_qualname}",
            head=head,
            source=self._source(code, line, frame.f_globals),
        )

    def _source(self, code: CodeType, line: int, namespace: dict[str, object]) -> str:
        lines = self._sources.around(code, line, namespace)
        if lines is NOTHING:
            return ""
        # Mostly there is nothing to hide, and then one look at all of them together will do.
        together = "\n".join((*lines.before, lines.line, *lines.after))
        scrub = self._scrubber.text if self._scrubber.is_suspect(together) else encodable
        return members(
            ("pre", array(quoted(scrub(text)) for text in lines.before)),
            ("code", quoted(scrub(lines.line))),
            ("post", array(quoted(scrub(text)) for text in lines.after)),
        )


class _Writing:
    """One error being written."""

    def __init__(self, stacks: Stacks, *, until: int) -> None:
        self._stacks = stacks
        self._until = until
        self._left = MAX_EXCEPTIONS

    def document(self, error: BaseException, like: str = "") -> str:
        chain = self._chain(error, MAX_DEPTH)
        return "{" + (f'"like":{quoted(like)},' if like else "") + f'"chain":{chain}}}'

    def _chain(self, error: BaseException, depth: int) -> str:
        return array(self._exception(link, relation, depth) for relation, link in chain_of(error))

    def _exception(self, error: BaseException, relation: str, depth: int) -> str:
        self._left -= 1
        kind, stacks = type(error), self._stacks
        entries, omitted = trace_of(error)
        parts = [
            ("type", quoted(kind.__qualname__)),
            ("module", quoted(module_of(kind))),
            ("value", quoted(stacks.value(message_of(error, MAX_MESSAGE)))),
            ("frames", self._frames(entries)),
        ]
        if relation:
            parts.append(("relation", quoted(relation)))
        if omitted:
            parts.append(("omitted", str(omitted)))
        if notes := notes_of(error):
            parts.append(("notes", array(quoted(stacks.value(note)) for note in notes)))
        if inside := members_of(error):
            parts.append(("group", self._group(inside, depth - 1)))
        return "{" + members(*parts) + "}"

    def _group(self, inside: tuple[BaseException, ...], depth: int) -> str:
        if depth <= 0:
            return "[]"
        return array(self._exception(member, "", depth) for member in inside if self._left > 0)

    def _frames(self, entries: list[TracebackType]) -> str:
        # From the inside outwards: what is nearest to the trouble is worth the budget first.
        inward = entries[::-1]
        found = self._stacks.locals(inward, self._until)
        frames = [self._frame(*both) for both in zip(inward, found, strict=True)]
        return array(frames[::-1])

    def _frame(self, entry: TracebackType, variables: dict[str, str]) -> str:
        place = self._stacks.place(entry)
        frame = place.head
        if self._until and place.source:
            frame += "," + place.source
        if variables:
            frame += ',"locals":' + texts(variables)
        return "{" + frame + "}"
