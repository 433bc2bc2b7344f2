"""Many agents as one: whoever of them is killed, nothing is lost, and nothing is doubled.

A part of it is tried with every run; `nox -s cluster`, or QMON_CLUSTER=all, tries the whole.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest


def beside(name):
    """Import a module beside this one by its place: `tests` is on nobody's path."""
    place = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, place)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


parts = beside("cluster_parts")
WHOLE = os.environ.get("QMON_CLUSTER") == "all"
DOWN_S = 2.0
QUICK = ("leader and gateway 1",)
FAULTS = (
    *("n1", "n2", "n3"),
    *("leader",) * 5,
    *("all three",) * 2,
    *("gateway 1", "gateway 2"),
    *("leader and gateway 1", "gateway 1 stopped", "edge", "postgresql"),
)
by_session = pytest.mark.skipif(not WHOLE, reason="takes minutes: nox -s cluster")
pytestmark = [
    pytest.mark.timeout(900 if WHOLE else 240),
    pytest.mark.skipif(not hasattr(socket, "SOCK_SEQPACKET"), reason="sends by packets"),
]


@pytest.fixture
def nodes(tmp_path, missing):
    program = parts.nats_program()
    if not program:
        missing("nats-server (apt-get install nats-server)")
    nodes = parts.Servers(program, tmp_path)
    nodes.start()
    yield nodes
    nodes.stop()


@pytest.fixture
def mesh(make_agent, producers):
    mesh = parts.Mesh(make_agent, producers)
    yield mesh
    mesh.stop()


def victims(name, mesh, nodes):
    """Whom to kill, by what the fault is called."""
    named = {node.name: node for node in nodes.nodes} if nodes else {}
    named |= {f"gateway {n}": gateway for n, gateway in enumerate(mesh.gateways, 1)}
    named["edge"] = mesh.edge
    if name == "all three":
        return nodes.nodes
    return [nodes.leader() if each == "leader" else named[each] for each in name.split(" and ")]


def kill(name, mesh, nodes=None):
    """As kill -9 does; they are away for a moment, and what is sent meanwhile has to wait."""
    began = time.monotonic()
    chosen = victims(name, mesh, nodes)
    for each in chosen:
        each.stop(signal.SIGKILL) if each in (mesh.edge, *mesh.gateways) else each.stop()
    time.sleep(DOWN_S)
    if not name.startswith("gateway"):
        for each in chosen:
            each.start()
    mesh.follow(name, began)
    if name.startswith("gateway"):  # work went on without it
        chosen[0].start()
        mesh.follow(f"{name} again")
        mesh.share_again(chosen[0])


def befall(name, mesh, *, nodes, place):
    if name == "postgresql":
        forget(name, mesh, place)
    elif name.endswith("stopped"):
        doze(name, mesh)
    else:
        kill(name, mesh, nodes)


def forget(name, mesh, place):
    """The state of the one behind all, with the tokens of those who send to it, is away."""
    began = time.monotonic()
    place.server.kill()
    time.sleep(DOWN_S)
    place.server.start_again()
    mesh.follow(name, began)


def doze(name, mesh):
    """Long enough that another has what it had in its hands; then it keeps that as well."""
    [gateway] = victims(name.removesuffix(" stopped"), mesh, None)
    gateway.send(signal.SIGSTOP)
    mesh.follow(name)
    time.sleep(3 * DOWN_S)
    gateway.send(signal.SIGCONT)
    mesh.follow("and goes on")


def judge(mesh, measured):
    mesh.settle()
    verdict = mesh.verdict()
    for name, back_s, calm_s in mesh.story:
        measured(fault=name, back_s=f"{back_s:.1f}", caught_up_s=f"{calm_s:.1f}")
    measured(**verdict)
    assert (0, 0, 0) == tuple(verdict[key] for key in ("lost", "doubled", "doubled_at_one"))
    assert verdict["frames"] > 0
    return verdict


def test_through_nats(nodes, mesh, measured, request):
    place = request.getfixturevalue("mortal_place") if WHOLE else None
    urls = str(nodes.urls).replace("'", '"')
    config = parts.FROM_NATS.format(urls=urls)
    state = place.dsn if place else ""
    mesh.start(lambda _: parts.TO_NATS.format(urls=urls), config, state)
    assert 3 == nodes.stream().config.num_replicas
    for gateway in mesh.gateways:
        mesh.share_again(gateway)

    for fault in FAULTS if WHOLE else QUICK:
        befall(fault, mesh, nodes=nodes, place=place)

    mesh.settle()
    nodes.send_again(mesh.gateways[0])  # whoever is quicker takes them
    mesh.gateways[0].stop(signal.SIGKILL)
    nodes.send_again(mesh.gateways[0])  # it had them, and the other takes them
    verdict = judge(mesh, measured)
    assert all(verdict["at_gateways"])
    assert verdict["at_both_gateways"]


@by_session
def test_how_much_goes_through(nodes, mesh, measured):
    urls = str(nodes.urls).replace("'", '"')
    config = parts.FROM_NATS.format(urls=urls)
    mesh.start(lambda _: parts.TO_NATS.format(urls=urls), config)
    mesh.settle()

    for size in (1000, 25):
        measured(**mesh.flood(10, size=size, nats=nodes.nodes))


@by_session
def test_without_a_broker(mesh, measured):
    def to_gateways(mesh):
        each = [(parts.address_of(one), parts.token_of(one)) for one in mesh.gateways]
        return parts.TO_GATEWAYS + "".join(
            parts.GATEWAY.format(url=url, token=token) for url, token in each
        )

    mesh.start(to_gateways)
    for fault in ("gateway 1", "gateway 2", "edge") if WHOLE else ("gateway 2",):
        kill(fault, mesh)

    assert all(judge(mesh, measured)["at_gateways"])
