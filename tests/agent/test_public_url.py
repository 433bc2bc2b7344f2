"""Where people reach the agent: what may be said of it, and how it is called wrong."""

import pytest

from qmon_agent.app.checking import check_plugins
from qmon_agent.settings import Http, Settings
from qmon_agent.settings.addresses import check_public_url

WRONG = {
    "qmon.example": "no http or https address",
    "ftp://qmon.example": "no http or https address",
    "https://": "no http or https address",
    "https://qmon.example:port": "no http or https address",
    "https://[qmon": "no http or https address",
    "https://qmon.example/?a=b": "a query",
    "https://qmon.example/?": "a query",
    "https://qmon.example/#a": "a fragment",
    "https://ann:secret@qmon.example": "has a user in it",
    "https://qmon.example/a b": "has a character",
    "https://qmon.example/\n": "has a character",
    "https://qmön.example/": "has a character",
    f"https://{'q' * 200}.example": "is longer than",
}


class TestPublicUrl:
    @pytest.mark.parametrize("address", WRONG)
    def test_that_is_wrong_is_named_and_what_is_wrong_with_it(self, address):
        _, [problem] = check_plugins(Settings(http=Http(public_url=address)))

        assert "http.public_url" == problem.path
        assert WRONG[address] in str(problem)
        assert "secret" not in str(problem)

    @pytest.mark.parametrize(
        "address",
        ["", "https://qmon.example", "http://127.0.0.1:7690/", "https://[::1]:1/under/a/path"],
    )
    def test_may_have_a_port_and_a_path(self, address):
        check_public_url(address)
