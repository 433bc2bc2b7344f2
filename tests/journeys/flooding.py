"""A process that floods an agent in every way at once, and says what it was told.

Called with a JSON document: socket, url, tcp, statsd, token, seconds. Prints another: the names of
what was acknowledged, by way, and how often it was told what.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

from qmon_sdk.protocol.columns import blocks_of
from qmon_sdk.protocol.frames import Frame, Resource, decode_ack, encode_frame, pack_length
from qmon_sdk.protocol.signals import Log

LARGE, LARGER = "x" * 60_000, "y" * 1_000
told = json.loads(sys.argv[1])
answers = Counter()
acknowledged = {"native": [], "otlp": []}


def until_the_end(work):
    number = 0
    while time.monotonic() < end:
        number += 1
        try:
            work(number)
        except (OSError, http.client.HTTPException) as problem:
            answers[f"{work.__name__} {type(problem).__name__}"] += 1


def native(_):
    """As many frames as the socket takes, whatever credit says."""
    process, sequence = os.urandom(16), 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
        link.connect(told["socket"])
        link.settimeout(5)
        hearing = threading.Thread(target=hear, args=(link, process), daemon=True)
        hearing.start()
        while time.monotonic() < end:
            sequence += 1
            link.send(pack_length(a_frame(process, sequence)))
        hearing.join(10)


def hear(link, process):
    with contextlib.suppress(OSError):
        while data := link.recv(1 << 20):
            got = decode_ack(data[4:]).sequences
            acknowledged["native"] += [[process.hex(), one] for one in got]
            if time.monotonic() > end + 1:
                return


def a_frame(process, sequence):
    logs = [Log(time=sequence, body=f"{sequence}{LARGE}")]
    service = Resource(service="flood")
    return encode_frame(
        Frame(process=process, sequence=sequence, resource=service, blocks=blocks_of(logs))
    )


def ask(path, body, headers):
    place = urlsplit(told["url"])
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    try:
        connection.request("POST", path, body, {**headers, "authorization": token()})
        answer = connection.getresponse()
        answer.read()
        answers[f"{path} {answer.status}"] += 1
        if answer.status in {429, 503} and not answer.headers.get("retry-after"):
            answers["without retry-after"] += 1
        return answer.status
    finally:
        connection.close()


def token():
    return f"Bearer {told['token']}"


RECORDS = json.dumps(
    {
        "resourceLogs": [
            {
                "scopeLogs": [
                    {
                        "logRecords": [
                            *({"body": {"stringValue": LARGER}} for _ in range(5_000)),
                            {"body": {"stringValue": "NAME"}},
                        ]
                    }
                ]
            }
        ]
    }
).encode()


def otlp(number):
    """Some megabytes of logs, packed every other time."""
    name = f"{threading.get_ident()}-{number}"
    body = RECORDS.replace(b"NAME", name.encode())
    headers = {"content-type": "application/json"}
    if number % 4 == 0:
        body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
    if ask("/v1/logs", body, headers) == http.client.OK:
        acknowledged["otlp"].append(name)


BOMB = gzip.compress(gzip.compress(bytes(64 << 20)))


def bombs(_):
    ask("/api/1/envelope/", BOMB, {"content-encoding": "gzip"})
    ask("/batch/", BOMB, {"content-encoding": "gzip"})
    ask("/api/v1/write", b"\xff\xff\xff\xff\x0f" + bytes(99), {"content-encoding": "snappy",
        "content-type": "application/x-protobuf"})  # fmt: skip


def frames(number):
    body = b"".join(pack_length(a_frame(os.urandom(16), number)) for _ in range(60))
    ask("/api/qmon/frames", body, {})


def torn(_):
    """Connections that begin a frame, and never end it."""
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            link = stack.enter_context(socket.create_connection(tuple(told["tcp"]), 5))
            link.settimeout(0.2)
            with contextlib.suppress(OSError):
                link.sendall((4 << 20).to_bytes(4, "big") + a_frame(bytes(16), 1)[:64])
                link.sendall(bytes(3 << 20))


def statsd(number):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        for series in range(500):
            link.sendto(f"m{number}.{series}:1|c".encode() * 1, tuple(told["statsd"]))


ways = (native, otlp, otlp, otlp, bombs, frames, torn, statsd)
end = time.monotonic() + told["seconds"]
ways = [way for way in ways if way.__name__ in told.get("ways", way.__name__)]
threads = [threading.Thread(target=until_the_end, args=(way,)) for way in ways]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"acknowledged": acknowledged, "answers": answers}))
