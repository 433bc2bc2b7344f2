"""Notify: takes what must be told out of the outbox and tells it until it has arrived."""

from .message import Message as Message
from .notifier import AlertNotifier as AlertNotifier
from .retrying import Sending as Sending
