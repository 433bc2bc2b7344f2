"""Monitoring: which systems and metrics there are, their latest values, and the host's own."""

from .collector import MetricCollector as MetricCollector
from .declared import make_probes as make_probes
from .discovery import Discovery as Discovery
from .latest import LatestValues as LatestValues
from .latest import Reading as Reading
from .probing import ProbeRunner as ProbeRunner
from .sampling import SamplerRunner as SamplerRunner
from .service import MonitoringService as MonitoringService
from .validator import MetricValidator as MetricValidator
from .validator import Problem as Problem
