"""Windows that emit: aligned to the epoch, half-open."""

from typing import Any

from .duration import Duration, duration_text
from .place import place


class Window:
    """One window that emits. See `TumblingWindow`, `SlidingWindow`, `SessionWindow`."""

    def __init__(self, kind: str, shown: str, **lengths: Duration | None) -> None:
        self.at = place()
        self._kind = kind
        self._lengths: dict[str, str] = {}
        for key, value in lengths.items():
            if value is not None:
                text = duration_text(value, self.at, f"{shown}: {key}")
                if text is not None:
                    self._lengths[key] = text

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {self._kind: self._lengths}


class TumblingWindow(Window):
    """Windows of `size`, one after the other."""

    def __init__(self, size: Duration, *, offset: Duration | None = None) -> None:
        super().__init__("tumbling", "TumblingWindow", size=size, offset=offset)


class SlidingWindow(Window):
    """Windows of `size`, one beginning each `hop`."""

    def __init__(self, size: Duration, *, hop: Duration, offset: Duration | None = None) -> None:
        super().__init__("sliding", "SlidingWindow", size=size, hop=hop, offset=offset)


class SessionWindow(Window):
    """Windows that go on until nothing has come for `gap`."""

    def __init__(self, gap: Duration) -> None:
        super().__init__("session", "SessionWindow", gap=gap)
