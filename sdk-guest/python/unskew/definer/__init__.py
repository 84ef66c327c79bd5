"""The definer: evaluates the definitions of any project, handed over as bytes, in the sandbox.

One component for all projects, built once. It has the SDK, Python's standard
library and nothing else; what it is asked for is a manifest, or what is wrong.
"""

from .entry import Evaluate, start

__all__ = ["Evaluate", "start"]
