"""The agent's durable log: append, commit, acknowledge; readers follow at their own pace."""

from .committer import CommitResult as CommitResult
from .committer import GroupCommitter as GroupCommitter
from .cursors import Cursors as Cursors
from .deadletters import DeadLetter as DeadLetter
from .deadletters import sort_of as sort_of
from .disk import Disk as Disk
from .disk import DiskFile as DiskFile
from .disk import OsDisk as OsDisk
from .errors import JournalError as JournalError
from .errors import JournalFullError as JournalFullError
from .errors import JournalInUseError as JournalInUseError
from .journal import Journal as Journal
from .options import JournalOptions as JournalOptions
from .reader import PATIENCE_S as PATIENCE_S
from .reader import JournalReader as JournalReader
from .records import START as START
from .records import Position as Position
from .records import Record as Record
from .retention import Trimmed as Trimmed
from .status import JournalStatus as JournalStatus
from .waiting import records_behind as records_behind
