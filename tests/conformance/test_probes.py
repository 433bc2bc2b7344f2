"""What makes a probe a probe: every file in the folder, ours and others'."""

import os
import resource
import time

import pytest

from qmon_agent.domain.errors import ConfigError
from qmon_agent.domain.plugins import options_of
from qmon_agent.monitoring.probes import PROBES, Checked, UnknownError
from qmon_agent.monitoring.verdicts import verdict_of

NOBODY = 1  # a port where nobody listens
# What each is built with, so that it has somebody to ask and nobody answers.
AT_NOBODY = {
    "dns": {"query": "qmon.test", "server": "127.0.0.1", "port": NOBODY},
    "file": {"path": "/nowhere/at/all"},
    "http": {"url": f"http://user:hidden@127.0.0.1:{NOBODY}/x?token=hidden"},
    "icmp": {"host": "127.0.0.1"},
    "port": {"port": NOBODY},
    "process": {"executable": "nobody-is-called-so"},
    "prometheus": {"url": f"http://127.0.0.1:{NOBODY}", "query": "up", "down_if": "< 1"},
    "redis": {"port": NOBODY, "password": "hidden"},
    "sql": {"url": f"postgresql+psycopg://me:hidden@127.0.0.1:{NOBODY}/x"},
    "systemd": {"unit": "nobody.service", "program": "/nowhere/systemctl"},
    "tcp": {"host": "127.0.0.1", "port": NOBODY},
    "tls": {"host": "127.0.0.1", "port": NOBODY},
}
UNKNOWN = {"prometheus", "systemd"}  # who answers for others is not who was asked about


def checked(name, timeout_s=2.0):
    try:
        return PROBES.build(name, AT_NOBODY[name]).check(timeout_s)
    except Exception as problem:  # noqa: BLE001 - what a probe raises is what is judged
        return problem


@pytest.mark.parametrize("name", PROBES.names())
class TestEveryProbe:
    def test_says_what_it_is_in_one_sentence(self, name):
        assert (PROBES.find(name).__doc__ or "").strip()

    def test_says_what_its_options_are(self, name):
        assert not [each for each in options_of(PROBES.find(name)) if not each.isidentifier()]

    def test_refuses_an_option_it_does_not_have(self, name):
        with pytest.raises(ConfigError, match=f"probes.{name}.no_such_option"):
            PROBES.build(name, {**AT_NOBODY[name], "no_such_option": 1})

    def test_names_what_it_asks_without_secrets(self, name):
        target = PROBES.build(name, AT_NOBODY[name]).target

        assert target
        assert "hidden" not in target

    def test_is_down_or_unknown_where_nobody_is_and_back_in_time(self, name):
        begun = time.monotonic()
        verdict = verdict_of(checked(name))

        assert time.monotonic() - begun < 4
        if name != "icmp":
            assert ("unknown" if name in UNKNOWN else "down") == verdict.outcome
            assert verdict.reason

    def test_is_never_down_for_want_of_our_own_descriptors(self, name):
        PROBES.build(name, AT_NOBODY[name])
        checked(name)  # what it imports late needs descriptors too
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.open(os.devnull, os.O_RDONLY)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            verdict = verdict_of(checked(name))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        assert "down" != verdict.outcome

    def test_gives_finite_numbers_with_names_of_its_own(self, name):
        result = checked(name)
        numbers = result.numbers if isinstance(result, Checked) else ()

        assert all(each.metric.startswith("probe.") for each in numbers)
        assert all(abs(each.value) < float("inf") for each in numbers)


class TestUnknown:
    def test_is_whatever_nobody_foresaw(self):
        assert "unknown" == verdict_of(ZeroDivisionError()).outcome
        assert "unknown" == verdict_of(UnknownError("not from here")).outcome

    def test_is_a_full_disk_and_a_machine_without_network(self):
        import errno

        for number in (errno.ENOSPC, errno.ENETUNREACH, errno.EMFILE, errno.EIO):
            assert "unknown" == verdict_of(OSError(number, "ours")).outcome
