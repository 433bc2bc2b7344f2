"""A frame: one batch from one process, the same bytes on every transport and on disk.

    message = length (4 bytes, big-endian) + frame
    frame   = msgpack [version, process, sequence, sent, resource, blocks, ledger, …]

The first three elements have a fixed width, so that `peek` reads them without decoding the rest.
Elements a newer writer appends are ignored; version 1 readers read every frame that starts with 1.
"""

from __future__ import annotations

from struct import Struct
from struct import error as struct_error

from msgpack import Packer, unpackb

from .columns import MAX_ROWS, Block
from .errors import FrameError, OversizeError, TornError, WireError
from .records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

VERSION = 1
MAX_FRAME_BYTES = 4 << 20
"""Bytes one frame may have; a unix datagram's limit is lower, and `transports.unix` knows it."""

_HEAD = Struct(">BBBB16sBQ")  # array of 7, version, bin8 of 16, process, uint64, sequence
_HEAD_SIZE = _HEAD.size
_SENT = Struct(">BQ")
_ARRAY_OF_ONE = b"\x91"
_ARRAY_OF_THREE = b"\x93"
_LENGTH = Struct(">I")
_ARRAY, _BIN8, _UINT64 = 0x97, 0xC4, 0xCF
_UINT32_MAX = 0xFFFFFFFF
_ARRAY_MIN, _ARRAY_MAX = 0x97, 0x9F  # a fixed array of 7 to 15 elements: newer frames only append
_SMALL = 1024  # most of what is packed; the default of 256 KiB costs more than the packing
_DEPTH_ELEMENTS = max(MAX_ROWS * 16, 1 << 20)


class Resource(Record):
    """Who speaks: the service, where it runs, and which process of it this is."""

    service: str = ""
    release: str = ""
    environment: str = ""
    host: str = ""
    pid: int = 0
    started: int = 0
    sdk: str = ""
    attributes: dict[str, str] = {}  # noqa: RUF012 - records are built anew, never changed


class Ledger(Record):
    """What a process captured and dropped since it began: `kind → n` and `kind/reason → n`."""

    captured: dict[str, int] = {}  # noqa: RUF012
    dropped: dict[str, int] = {}  # noqa: RUF012


class Frame(Record):
    """One batch: 16 bytes name the process instance, the sequence counts its frames from 1."""

    process: bytes = b""
    sequence: int = 0
    sent: int = 0
    resource: Resource = Resource()
    blocks: tuple[Block, ...] = ()
    ledger: Ledger | None = None


class Head(Record):
    """What admission and de-duplication need of a frame."""

    version: int = VERSION
    process: bytes = b""
    sequence: int = 0


class Ack(Record):
    """The answer: what is on disk, what never will be and why, and how many bytes may come."""

    sequences: tuple[int, ...] = ()
    credit: int = 0
    rejected: tuple[tuple[int, str], ...] = ()


# --- writing ---------------------------------------------------------------------------------


def encode_frame(frame: Frame) -> bytes:
    """Write a frame; raises `OversizeError` beyond `MAX_FRAME_BYTES`."""
    parts = [pack_block(block) for block in frame.blocks]
    return assemble(
        head=(frame.process, frame.sequence, frame.sent),
        resource=pack(list(frame.resource)),
        blocks=parts,
        ledger=pack(None if frame.ledger is None else list(frame.ledger)),
    )


def assemble(
    *, head: tuple[bytes, int, int], resource: bytes, blocks: Sequence[bytes], ledger: bytes
) -> bytes:
    """Join parts that are written already: the recorder writes its resource only once."""
    process, sequence, sent = head
    frame = b"".join(
        (
            _HEAD.pack(_ARRAY, VERSION, _BIN8, 16, process, _UINT64, sequence),
            # What msgpack makes of a time of our days, at a tenth of the price.
            _SENT.pack(_UINT64, sent) if sent > _UINT32_MAX else pack(sent),
            resource,
            _ARRAY_OF_ONE if len(blocks) == 1 else _array_header(len(blocks)),
            *blocks,
            ledger,
        )
    )
    if len(frame) > MAX_FRAME_BYTES:
        message = f"a frame of {len(frame)} bytes; the most is {MAX_FRAME_BYTES}"
        raise OversizeError(message)
    return frame


def _array_header(length: int) -> bytes:
    return bytes((0x90 | length,)) if length < 16 else b"\xdc" + length.to_bytes(2, "big")  # noqa: PLR2004


def pack(value: Any) -> bytes:
    """Write one msgpack value; text that is no Unicode (a lone surrogate) gets question marks."""
    try:
        return bytes(Packer(autoreset=True, buf_size=_SMALL).pack(value))
    except UnicodeEncodeError:
        return bytes(Packer(unicode_errors="replace").pack(value))


class Packed:
    """A column that is written already, as msgpack."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


def pack_block(block: Block) -> bytes:
    """Write a block as it stands in a frame."""
    columns = block.columns
    if not any(type(column) is Packed for column in columns):
        return pack([block.kind, block.rows, list(columns)])
    parts = [_ARRAY_OF_THREE, pack(block.kind), pack(block.rows), _array_header(len(columns))]
    parts += [column.data if type(column) is Packed else pack(column) for column in columns]
    return b"".join(parts)


def pack_length(frame: bytes) -> bytes:
    """Put the length in front: what every transport carries."""
    return _LENGTH.pack(len(frame)) + frame


def encode_ack(ack: Ack) -> bytes:
    """Write an answer, without its length."""
    return pack([VERSION, list(ack.sequences), ack.credit, [list(one) for one in ack.rejected]])


# --- reading ---------------------------------------------------------------------------------


def peek(frame: bytes) -> Head:
    """Read the head alone; raises `FrameError` if there is none of a version we know."""
    try:
        array, version, binary, width, process, wide, sequence = _HEAD.unpack_from(frame)
    except struct_error as error:
        message = f"{len(frame)} bytes are no frame"
        raise FrameError(message) from error
    shaped = _ARRAY_MIN <= array <= _ARRAY_MAX and (binary, width, wide) == (_BIN8, 16, _UINT64)
    if not shaped or version != VERSION:
        message = "no frame of a version known here"
        raise FrameError(message)
    return Head(version=version, process=process, sequence=sequence)


def decode_frame(data: bytes) -> Frame:
    """Read a frame; raises `WireError` for anything that is not one, and nothing else ever."""
    if len(data) > MAX_FRAME_BYTES:
        message = f"a frame of {len(data)} bytes; the most is {MAX_FRAME_BYTES}"
        raise OversizeError(message)
    head = peek(data)
    try:
        return _frame_of(head, unpack(data))
    except WireError:
        raise
    except Exception as error:  # msgpack raises a dozen types on hostile bytes
        message = f"undecodable: {type(error).__name__}: {error}"
        raise FrameError(message) from error


def decode_ack(data: bytes) -> Ack:
    """Read an answer; raises `FrameError`."""
    try:
        _, sequences, credit, rejected, *_ = unpack(data)
        return Ack(
            sequences=tuple(map(int, sequences)),
            credit=int(credit),
            rejected=tuple((int(sequence), str(reason)) for sequence, reason in rejected),
        )
    except Exception as error:
        message = f"no answer: {error}"
        raise FrameError(message) from error


def split_messages(data: bytes) -> Iterator[bytes]:
    """Take the frames out of a run of messages; raises `TornError` or `OversizeError`."""
    place, end = 0, len(data)
    while place < end:
        if end - place < _LENGTH.size:
            raise TornError(f"{end - place} bytes are no length")
        (length,) = _LENGTH.unpack_from(data, place)
        if length > MAX_FRAME_BYTES:
            raise OversizeError(f"a frame of {length} bytes")
        place += _LENGTH.size
        if place + length > end:
            raise TornError(f"{end - place} bytes of {length}")
        yield data[place : place + length]
        place += length


def head_of(frame: bytes) -> bytes:
    """Give the bytes of a frame that name it."""
    return frame[:_HEAD_SIZE]


def unpack(data: bytes) -> Any:
    """Read the msgpack of a frame or of an answer, whatever is in it; raises what msgpack does."""
    return unpackb(
        data,
        strict_map_key=False,
        use_list=True,
        max_array_len=min(len(data), _DEPTH_ELEMENTS),
        max_map_len=min(len(data), MAX_ROWS),
    )


def _frame_of(head: Head, parts: list[Any]) -> Frame:
    _, _, _, sent, resource, blocks, ledger, *_ = parts
    return Frame(
        process=head.process,
        sequence=head.sequence,
        sent=_number(sent),
        resource=_resource_of(resource),
        blocks=tuple(_block_of(*block) for block in blocks),
        ledger=None if ledger is None else _ledger_of(ledger),
    )


def _block_of(kind: Any, rows: Any, columns: Any, *_: Any) -> Block:
    if not isinstance(kind, str) or not 0 <= _number(rows) <= MAX_ROWS:
        message = f"a block of {rows!r} rows of {kind!r}"
        raise FrameError(message)
    return Block(kind=kind, rows=rows, columns=tuple(columns))


def _resource_of(parts: Any) -> Resource:
    known = [field.name for field in Resource.FIELDS]
    resource = Resource(**dict(zip(known, parts, strict=False)))
    texts = (*resource[:4], resource.sdk, *resource.attributes, *resource.attributes.values())
    if not all(isinstance(text, str) for text in texts):
        message = "a resource that is not text"
        raise FrameError(message)
    return resource.replace(pid=_number(resource.pid), started=_number(resource.started))


def _ledger_of(parts: Any) -> Ledger:
    captured, dropped, *_ = parts
    for counts in (captured, dropped):
        for name, count in counts.items():
            if not isinstance(name, str) or _number(count) < 0:
                message = f"a ledger with {name!r}: {count!r}"
                raise FrameError(message)
    return Ledger(captured=captured, dropped=dropped)


def _number(value: Any) -> int:
    if type(value) is not int:
        message = f"{value!r} instead of a whole number"
        raise FrameError(message)
    return value
