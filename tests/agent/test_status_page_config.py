"""`[status_page]`: what it makes, and what is wrong with it, named by its path."""

import msgspec
import pytest

from qmon_agent.alerting.page_plan import make_page
from qmon_agent.app.checking import load_plugins
from qmon_agent.domain.errors import ConfigError, QmonError, in_full
from qmon_agent.settings.status_page import StatusPageOptions

SHOP = {"name": "Shop", "alerts": ["hot"]}
WRONG = {
    "components": ({"title": "x"}, "there has to be one"),
    "components[0].alerts[0]": ({"components": [{"name": "a", "alerts": ["hto"]}]}, "'hot'?"),
    "components[0].alerts": ({"components": [{"name": "a"}]}, "`alerts` or by `match`"),
    "components[0].match[0]": ({"components": [{"name": "a", "match": ["x=~("]}]}, ""),
    "components[0].match": ({"components": [{"name": "a", "match": ['x!="y"']}]}, "must not fit"),
    "components[0].name": ({"components": [{**SHOP, "name": " "}]}, "needs a name"),
    "components[1].name": ({"components": [SHOP, SHOP]}, "'Shop' already"),
    "components[0].maintenance[0]": ({"components": [{**SHOP, "maintenance": ["wrok"]}]}, "'work'"),
    "states.crit": ({"states": {"crit": "operational"}, "components": [SHOP]}, "'critical'"),
    "zone": ({"zone": "Mars", "components": [SHOP]}, "Mars"),
}


def page(**section):
    options = msgspec.convert(section, StatusPageOptions)
    return make_page(options, alerts=["hot", "full"], windows=["work"])


class TestStatusPage:
    @pytest.mark.parametrize("path", WRONG)
    def test_says_what_is_wrong_and_where(self, path):
        section, reason = WRONG[path]

        with pytest.raises(ConfigError) as caught:
            page(**section)

        assert f"status_page.{path}" == caught.value.path
        assert reason in str(caught.value)

    def test_says_everything_that_is_wrong_at_once(self):
        with pytest.raises(ConfigError) as caught:
            page(zone="Mars", components=[{"name": "a", "alerts": ["x"]}, {"name": "a"}])

        assert 3 == len(caught.value.others)

    def test_is_not_there_unless_it_is_said(self):
        assert page() is None

    def test_changes_only_the_states_it_names(self):
        made = page(states={"warning": "partial_outage"}, components=[SHOP])

        assert ("partial_outage", "major_outage") == (
            made.states["warning"], made.states["critical"]
        )  # fmt: skip

    def test_knows_the_alerts_that_are_there_from_the_first_start(self, tmp_path):
        file = tmp_path / "qmon.toml"
        component = '[[status_page.components]]\nname = "Site"\nalerts = ["something is {}"]\n'
        file.write_text(component.format("down"))
        assert "Site" == load_plugins(file)[1].page.components[0].name

        file.write_text(component.format("done"))
        with pytest.raises(QmonError) as caught:
            load_plugins(file)
        assert "status_page.components[0].alerts[0]" in in_full(caught.value)
        assert "something is down" in in_full(caught.value)
