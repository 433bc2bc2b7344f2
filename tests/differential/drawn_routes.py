"""Draws routing trees, matchers and labels, as Alertmanager's configuration writes them."""

from __future__ import annotations

NAMES = ("a", "b", "severity", "team")
VALUES = ("", "x", "y", "xy", "a.b", "db-1", "X", "line", "ü", 'q"t')
EXPRESSIONS = (
    "x|y",
    "x.*",
    ".*",
    ".+",
    "",
    "[xy]+",
    "(x|y)y?",
    "(?i:X)",
    "^x$",
    r"db-\d",
    r"a\.b",
    "[^x]*",
    "x{1,2}y*",
    r"\w+",
    ".",
    "(?i)x|db-[0-9]{1,3}",
)
TREE = "tree"
"""The label that says which of the trees in one configuration an alert is for."""


class Drawn:
    """One stream of chances."""

    def __init__(self, chance):
        self.chance = chance
        self.receivers = [f"r{n}" for n in range(6)]

    def labels(self):
        names = self.chance.sample(NAMES, self.chance.randint(0, len(NAMES)))
        drawn = {name: self.chance.choice(VALUES) for name in names}
        # An alert has a label at least, and no empty ones: Alertmanager takes those away.
        return {"alertname": "drawn", **{name: value for name, value in drawn.items() if value}}

    def matcher(self):
        name, operator = self.chance.choice(NAMES), self.chance.choice(["=", "!=", "=~", "!~"])
        values = EXPRESSIONS if operator.endswith("~") else VALUES
        return name, operator, self.chance.choice(values)

    def matchers(self, least=1, most=2):
        return [self.matcher() for _ in range(self.chance.randint(least, most))]

    def route(self, depth=0):
        route = {"matchers": [written(each) for each in self.matchers()]}
        if self.chance.random() < 0.7:
            route["receiver"] = self.chance.choice(self.receivers)
        if self.chance.random() < 0.4:
            route["continue"] = True
        if self.chance.random() < 0.5:
            route["group_by"] = self.group_by()
        if depth < 3:
            children = [self.route(depth + 1) for _ in range(self.chance.randint(0, 3 - depth))]
            if children:
                route["routes"] = children
        return route

    def group_by(self):
        if self.chance.random() < 0.2:
            return ["..."]
        return self.chance.sample(NAMES, self.chance.randint(1, 2))

    def forest(self, count):
        """One configuration with many trees in it, each behind a label of its own."""
        trees = [
            {
                "matchers": [f'{TREE}="{n}"'],
                "receiver": self.chance.choice(self.receivers),
                "routes": [self.route() for _ in range(self.chance.randint(1, 4))],
            }
            for n in range(count)
        ]
        return {
            "route": {"receiver": "r0", "group_by": ["a"], "routes": trees},
            "receivers": [{"name": name} for name in self.receivers],
        }


def written(matcher):
    name, operator, value = matcher
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}{operator}"{escaped}"'


def as_asked(matcher):
    """As the API of silences has it."""
    name, operator, value = matcher
    return {
        "name": name,
        "value": value,
        "isRegex": operator.endswith("~"),
        "isEqual": not operator.startswith("!"),
    }
