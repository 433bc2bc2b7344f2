"""Coverage-guided fuzzing of templates of messages, and of links that carry a right.

A finding is a template that is taken and then fails or says too much on a message, any error that
is not ours, and a right that nobody has signed.
"""

from __future__ import annotations

import sys

import atheris
from forms import by_first_byte

with atheris.instrument_imports(include=["qmon_agent"]):
    from qmon_agent.domain.errors import ConfigError
    from qmon_agent.domain.links import Grant, Key, seal, unseal
    from qmon_agent.domain.notices import Notice
    from qmon_agent.notify.message import Address, compose
    from qmon_agent.notify.wording import MOST_TEXT, MOST_TITLE, Templates, Worded

KEY = Key(id="k1", secret=b"s" * 32, since=1)
GRANT = Grant(deed="ack", incident="0" * 16, channel="slack:ops", until=9)
GOOD = seal(GRANT, KEY)
NOTICE = Notice(incident="0" * 16, status="firing", reason="new", alert="a\n{{b}}\x1b[1m")
MESSAGE = compose(NOTICE, Address(key="k", channel="c"))


class Silent:
    """A channel that says nothing."""

    async def send(self, message):
        """Never asked."""


def title(text: str) -> None:
    """A template of a title."""
    said = Worded(Silent(), Templates(title=text)).worded(MESSAGE)
    assert len(said.title) <= MOST_TITLE
    assert "\n" not in said.title


def words(text: str) -> None:
    """A template of a text; what went wrong with it is a line more."""
    said = Worded(Silent(), Templates(text=text)).worded(MESSAGE)
    assert len(said.text) <= MOST_TEXT + len(MESSAGE.text) + 300


def link(text: str) -> None:
    """Only what was signed permits anything, and only as it was written."""
    found = unseal(text, (KEY,))
    assert found == (GRANT if text == GOOD else None)
    changed = GOOD[: len(text)] + text + GOOD[len(text) + 1 :]
    assert unseal(changed, (KEY,)) == (GRANT if changed == GOOD else None)


one_input = by_first_byte((title, words, link), ConfigError)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
