"""PromQL: expressions over a window of samples, with Prometheus's own semantics; pure."""

from .evaluation import Settings as Settings
from .evaluation import evaluate as evaluate
from .labels import Labels as Labels
from .labels import labels_of as labels_of
from .parsing import Expressions as Expressions
from .tree import Node as Node
from .window import Bounds as Bounds
from .window import Window as Window
