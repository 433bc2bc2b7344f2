"""The agent's HTTP port and its control socket."""
