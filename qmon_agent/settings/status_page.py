"""`[status_page]`: what others are told of how well things are."""

from __future__ import annotations

import msgspec

from qmon_agent.domain.availability import State


class ComponentOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[status_page.components]]`: a part of what you offer, as your users know it."""

    name: str
    """What it is called on the page."""
    description: str = ""
    """What it is, for those who read the page."""
    alerts: tuple[str, ...] = ()
    """Names of alerts: while one of them fires, the component is not well."""
    match: tuple[str, ...] = ()
    """The same for alerts that are like this: `service="shop"`; all of them have to hold."""
    maintenance: tuple[str, ...] = ()
    """Names of maintenance windows that are about all of it."""


class StatusPageOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page, and what a severity means for a component."""

    title: str = ""
    """What the page is called; with components, there is a page."""
    url: str = ""
    """Where people find it."""
    public: bool = False
    """Whether anybody may ask for `/api/status-page` without a token."""
    zone: str = "UTC"
    """The place by whose clocks days are counted: `Europe/Berlin`."""
    states: dict[str, State] = {}
    """Severity to state, where it is not as usual: `error = "degraded_performance"`."""
    components: tuple[ComponentOptions, ...] = ()
    """What is shown, in this order."""

    @property
    def is_said(self) -> bool:
        """Whether anything of it is configured."""
        return self != StatusPageOptions()
