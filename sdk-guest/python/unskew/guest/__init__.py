"""What only runs inside of a module: the entry, and the walls around it.

The build writes a module `unskew_entry` that calls `start` and is what
componentize-py makes a component of. All that it imports and computes is in
the snapshot from which every instance begins.
"""

from .entry import Evaluate, start

__all__ = ["Evaluate", "start"]
