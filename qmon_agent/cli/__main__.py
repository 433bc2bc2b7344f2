"""`python -m qmon_agent.cli`, for where the script is not installed."""

from __future__ import annotations

from qmon_agent.cli import main

if __name__ == "__main__":
    main()
