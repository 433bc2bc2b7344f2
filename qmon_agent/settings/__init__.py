"""The agent's options: what they are, where they come from, and what is wrong with them."""

from qmon_agent.settings.locations import Locations as Locations
from qmon_agent.settings.locations import find_locations as find_locations
from qmon_agent.settings.options import Admission as Admission
from qmon_agent.settings.options import AlertOptions as AlertOptions
from qmon_agent.settings.options import Cardinality as Cardinality
from qmon_agent.settings.options import Heartbeat as Heartbeat
from qmon_agent.settings.options import Http as Http
from qmon_agent.settings.options import JournalSection as JournalSection
from qmon_agent.settings.options import Samplers as Samplers
from qmon_agent.settings.options import Settings as Settings
from qmon_agent.settings.options import Store as Store
from qmon_agent.settings.reading import check_settings as check_settings
from qmon_agent.settings.reading import convert_table as convert_table
from qmon_agent.settings.reading import load_settings as load_settings
from qmon_agent.settings.reading import read_settings as read_settings
