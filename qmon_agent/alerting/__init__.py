"""Alerting: rules judge what arrives, incidents live, and what must be told goes to the outbox."""

from .observed import Observed as Observed
from .service import AlertService as AlertService
from .standing import Standing as Standing
