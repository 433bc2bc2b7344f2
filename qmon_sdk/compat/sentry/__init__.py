"""Sentry's SDK in qmon: `import qmon_sdk.compat.sentry as sentry_sdk`.

The common surface of sentry-sdk 2, under its names and with its meaning; what there is besides is
named in `qmon_sdk.stats().trouble` when it is asked for.
"""

from . import crons as crons
from . import feature_flags as feature_flags
from . import integrations as integrations
from . import logger as logger
from . import metrics as metrics
from .blocks import configure_scope as configure_scope
from .blocks import get_current_scope as get_current_scope
from .blocks import get_global_scope as get_global_scope
from .blocks import get_isolation_scope as get_isolation_scope
from .blocks import isolation_scope as isolation_scope
from .blocks import new_scope as new_scope
from .blocks import push_scope as push_scope
from .blocks import use_isolation_scope as use_isolation_scope
from .blocks import use_scope as use_scope
from .bridge import last_event_id as last_event_id
from .capture import add_attachment as add_attachment
from .capture import add_breadcrumb as add_breadcrumb
from .capture import capture_event as capture_event
from .capture import capture_exception as capture_exception
from .capture import capture_message as capture_message
from .capture import end_session as end_session
from .capture import remove_attribute as remove_attribute
from .capture import set_attribute as set_attribute
from .capture import set_attributes as set_attributes
from .capture import set_context as set_context
from .capture import set_extra as set_extra
from .capture import set_level as set_level
from .capture import set_tag as set_tag
from .capture import set_tags as set_tags
from .capture import set_transaction_name as set_transaction_name
from .capture import set_user as set_user
from .capture import start_session as start_session
from .continuing import continue_trace as continue_trace
from .continuing import get_baggage as get_baggage
from .continuing import get_traceparent as get_traceparent
from .continuing import trace_propagation_meta as trace_propagation_meta
from .crons import MonitorStatus as MonitorStatus
from .crons import capture_checkin as capture_checkin
from .crons import monitor as monitor
from .feature_flags import add_feature_flag as add_feature_flag
from .hub import Hub as Hub
from .scope import Scope as Scope
from .spans import Span as Span
from .spans import Transaction as Transaction
from .starting import VERSION as VERSION
from .starting import Client as Client
from .starting import flush as flush
from .starting import flush_async as flush_async
from .starting import get_client as get_client
from .starting import init as init
from .starting import is_initialized as is_initialized
from .tracing import get_current_span as get_current_span
from .tracing import set_measurement as set_measurement
from .tracing import start_span as start_span
from .tracing import start_transaction as start_transaction
from .tracing import trace as trace
from .tracing import update_current_span as update_current_span
