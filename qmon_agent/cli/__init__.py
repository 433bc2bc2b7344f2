"""`qmon-agent`: one command per file, found by folder.

`check_config.py` holds the command `check-config` under the name `command`. A file whose name
begins with that of another (`demo_shop.py` beside `demo.py`) is a part of it, and no command.
"""

from qmon_agent.cli._door import main as main
