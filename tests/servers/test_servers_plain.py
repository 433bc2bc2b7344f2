"""The example that knows nothing of qmon, as the documentation starts it."""

from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plain.py"


class TestPlainProgram:
    def test_is_told_of_without_a_line_changed(self, start, agent):
        start("python", EXAMPLE).finish(expect=(1,))
        errors = agent.wait_for("error", 2)
        spans, logs = agent.wait_for("span", 4), agent.wait_for("log", 4)

        assert [("ValueError", True), ("KeyError", False)] == [(e.type, e.handled) for e in errors]
        assert ["ann ordered 3 pieces", "bob ordered 1 pieces"] == [log.body for log in logs[:2]]
        assert {"INSERT orders", "SELECT orders"} <= {span.name for span in spans}
