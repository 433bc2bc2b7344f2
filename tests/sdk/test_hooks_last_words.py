"""Last words: written when a signal kills, the application's own where it has any."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest


@pytest.fixture
def program(tmp_path):
    """Run a program that knows `path`; answer its return code, and what it wrote there and said."""

    def run(text):
        path = tmp_path / "last-words"
        source = f"path = {str(path)!r}\n{BEGIN}\n{textwrap.dedent(text)}"
        command = [sys.executable, "-c", source]
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
        return done.returncode, path.read_text() if path.exists() else None, done

    return run


BEGIN = """
import faulthandler, os, signal
import qmon_sdk as qmon
from qmon_sdk.last_words import close_last_words, open_last_words
qmon.init(service="test", dsn="memory:", integrations=())

def dying_here(signal_number):
    os.kill(os.getpid(), signal_number)
"""


class TestLastWords:
    @pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"])
    def test_are_the_stacks_at_a_fatal_signal(self, program, name):
        code, words, _ = program(f"open_last_words(path); dying_here(signal.{name})")

        assert -getattr(signal, name) == code
        assert "Fatal Python error" in words
        assert "in dying_here" in words

    def test_are_of_all_threads(self, program):
        _code, words, _ = program("""
            import threading
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            open_last_words(path)
            dying_here(signal.SIGSEGV)
        """)

        assert "in wait" in words

    def test_are_left_to_an_application_that_enabled_it_before(self, program):
        _code, words, done = program("""
            faulthandler.enable()
            open_last_words(path)
            print(qmon.stats().integrations["faulthandler"], flush=True)
            dying_here(signal.SIGSEGV)
        """)

        assert (None, "off: the application has enabled it\n") == (words, done.stdout)
        assert "Fatal Python error" in done.stderr

    def test_are_left_to_an_application_that_enables_it_later(self, program):
        _code, words, done = program("""
            open_last_words(path)
            faulthandler.enable()
            qmon.shutdown()
            dying_here(signal.SIGSEGV)
        """)

        assert words is None
        assert "Fatal Python error" in done.stderr

    def test_of_a_forked_child_are_its_own(self, program):
        code, words, done = program("""
            open_last_words(path)
            child = os.fork()
            if not child:
                open_last_words(path + ".child")
                dying_here(signal.SIGSEGV)
            os.waitpid(child, 0)
            print(open(path + ".child").read())
        """)

        assert (0, "") == (code, words)
        assert "in dying_here" in done.stdout

    def test_of_a_child_that_closes_are_still_the_parents(self, program):
        _code, words, _ = program("""
            open_last_words(path)
            child = os.fork()
            if not child:
                close_last_words()
                os._exit(0)
            os.waitpid(child, 0)
            dying_here(signal.SIGSEGV)
        """)

        assert "in dying_here" in words

    def test_are_gone_after_shutdown_and_so_is_what_we_changed(self, program):
        _code, _words, done = program("""
            enable = faulthandler.enable
            open_last_words(path)
            qmon.shutdown()
            print(faulthandler.is_enabled(), faulthandler.enable is enable, os.path.exists(path))
        """)

        assert "False True False\n" == done.stdout

    def test_that_cannot_be_written_are_counted(self, program):
        _code, _words, done = program("""
            open_last_words("/no/such/folder/at/all")
            print(qmon.stats().trouble)
        """)

        assert "{'open_last_words: FileNotFoundError': 1}\n" == done.stdout
