"""Time intervals whose edges are near a moment, in the clocks of some place, inside or outside."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu"),
    *("Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/St_Johns"),
)
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
DAY_MINUTES = 1_440


class DrawIntervals:
    """Draws what Alertmanager takes: ranges do not turn over, ends come after starts."""

    def __init__(self, chance, moment):
        self._chance = chance
        self._moment = moment

    def intervals(self):
        """A list of which one is enough."""
        return [self._one() for _ in range(self._chance.choice([1, 1, 2]))]

    def _one(self):
        chance = self._chance
        zone = chance.choice(ZONES)
        # Half of them somewhere near, so that each part is near its edge.
        local = datetime.fromtimestamp(self._moment, ZoneInfo(zone))
        local += timedelta(days=chance.choice([0, 0, 0, 0, -1, 1, 7]))
        parts = {
            "times": self._times,
            "weekdays": self._weekdays,
            "days_of_month": self._days,
            "months": self._months,
            "years": self._years,
        }
        said = chance.sample([*parts], chance.choice([1, 1, 2, 3]))
        drawn = {name: [parts[name](local) for _ in range(chance.randint(1, 2))] for name in said}
        return drawn if zone == "UTC" and chance.random() < 0.5 else {**drawn, "location": zone}

    def _times(self, local):
        minute = local.hour * 60 + local.minute
        start = max(0, min(DAY_MINUTES - 1, minute + self._chance.randint(-300, 60)))
        end = min(DAY_MINUTES, start + self._chance.randint(1, 500))
        return {"start_time": _clock(start), "end_time": _clock(end)}

    def _weekdays(self, local):
        first, last = self._around(local.isoweekday() % 7, 0, 6)
        return self._range(WEEKDAYS[first], WEEKDAYS[last])

    def _days(self, local):
        if self._chance.random() < 0.5:
            return self._range(*map(str, self._around(local.day, 1, 31)))
        length = ((local.replace(day=28) + timedelta(days=4)).replace(day=1)) - timedelta(days=1)
        first, last = self._around(local.day - length.day - 1, -31, -1)
        return self._range(str(first), str(last))

    def _months(self, local):
        first, last = self._around(local.month, 1, 12)
        if self._chance.random() < 0.5:
            return self._range(MONTHS[first - 1], MONTHS[last - 1])
        return self._range(str(first), str(last))

    def _years(self, local):
        return self._range(*map(str, self._around(local.year, 1970, 2100)))

    def _around(self, value, least, most):
        first = max(least, min(most, value + self._chance.choice([-2, -1, 0, 0, 0, 1])))
        return first, min(most, first + self._chance.choice([0, 0, 1, 2]))

    def _range(self, first, last):
        return first if first == last and self._chance.random() < 0.8 else f"{first}:{last}"


def _clock(minute):
    return f"{minute // 60:02}:{minute % 60:02}"
