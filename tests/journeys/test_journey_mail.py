"""A value crosses a line in a program, and a mail with a picture arrives; its end answers it."""

from __future__ import annotations

import subprocess
import sys

CONFIG = """
[samplers]
enabled = false
[channels.mail]
kind = "email"
host = "localhost"
port = {port}
sender = "qmon@example.org"
to = ["ops@example.org"]
ca_file = "{ca_file}"
[channels.nobody]
kind = "slack"
url = "http://127.0.0.1:1/services/tell-nobody"
[[alerts]]
name = "queue is long"
system = "shop"
metric = "queue"
threshold = "> 5"
"""
PROGRAM = """
import sys, qmon_sdk as q
q.init(service="shop")
q.gauge("queue", float(sys.argv[1]))
assert q.flush(10), q.stats()
q.shutdown()
"""


class Shop:
    """An agent that mails, and a program that has a queue."""

    def __init__(self, home, postbox):
        self.home, self.postbox = home, postbox
        home.state.mkdir()
        (home.state / "qmon.toml").write_text(
            CONFIG.format(port=postbox.port, ca_file=postbox.ca_file)
        )
        home.start()

    def queue(self, length):
        command = [sys.executable, "-c", PROGRAM, str(length)]
        subprocess.run(command, check=True, env=self.home.environment)

    def mail(self, number):
        """The mail of this number, once it is there."""
        self.home.until(lambda: len(self.postbox.taken) > number)
        return self.postbox.taken[number]


def test_a_line_that_is_crossed_is_a_mail_and_its_end_an_answer(home, postbox):
    shop = Shop(home, postbox)
    shop.queue(3)
    home.until(lambda: home.ask("query", "SELECT metric FROM points")["rows"])
    shop.queue(7)
    first = shop.mail(0)
    shop.queue(1)
    last = shop.mail(1)

    pictures = [part for part in first.walk() if part.get_content_type() == "image/png"]
    assert "[FIRING] warning: queue is long on shop: queue = 7 (> 5)" == first["subject"]
    assert 1 == len(pictures)
    assert first["message-id"] == last["in-reply-to"]
    [problem] = [each for each in home.ask("status")["problems"] if "channel" in each]
    assert problem.startswith("channel nobody: a message waits: 127.0.0.1:1: ")
    assert "tell-nobody" not in problem
