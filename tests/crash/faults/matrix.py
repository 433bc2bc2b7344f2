"""The table of what befell whom."""

from __future__ import annotations

HEAD = ("plug-in", "fault", "sent", "acknowledged", "arrived", "lost", "doubled", "counted drops")


def shown(results):
    """Plug-in by fault, a line each, in columns."""
    lines = [HEAD]
    for fault, verdicts in results.items():
        for name, one in sorted(verdicts.items()):
            counted = " ".join(f"{key}={n}" for key, n in dict(one.counted or {}).items())
            told = (one.sent, one.acknowledged, one.stored, len(one.lost), len(one.doubled))
            lines.append((name, fault, *map(str, told), counted))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
