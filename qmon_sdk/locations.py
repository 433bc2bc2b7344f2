"""Where the agent's socket and the spool are, unless somebody says otherwise."""

from __future__ import annotations

import os


def default_state() -> str:
    """Return the state directory: the system's for root, else the user's."""
    told = os.environ.get("QMON_STATE_DIR", "")
    if told or _is_root():
        return told or "/var/lib/qmon"
    base = os.environ.get("XDG_STATE_HOME") or f"{_home()}/.local/state"
    return f"{base}/qmon"


def default_socket() -> str:
    """Return the agent's socket, as the agent itself chooses it."""
    if _is_root():
        return "/run/qmon/agent.sock"
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return f"{runtime}/qmon/agent.sock" if runtime else f"{default_state()}/agent.sock"


def default_spool() -> str:
    """Return the directory that frames wait in while there is no agent."""
    return f"{default_state()}/spool"


def _is_root() -> bool:
    return getattr(os, "geteuid", lambda: 1)() == 0


def _home() -> str:
    return os.environ.get("HOME") or os.path.expanduser("~")
