"""From the bytes of a request to the bytes of its reply."""

from .batches import batch_evaluation
from .folds import FoldEvaluation
from .rows import row_evaluation

__all__ = ["FoldEvaluation", "batch_evaluation", "row_evaluation"]
