"""Joins every room into one agent, and runs it."""

from .agent import Agent as Agent
from .daemon import Voice as Voice
from .daemon import make_plan as make_plan
from .daemon import run_agent as run_agent
