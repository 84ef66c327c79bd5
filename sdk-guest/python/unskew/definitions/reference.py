"""References from one object of a definition to another."""

from typing import TYPE_CHECKING, Any, Union

from .place import kind_of, mistake

if TYPE_CHECKING:
    from .feature import Feature, Named
    from .on_demand import OnDemandFeatureView
    from .source import RequestSource, Source
    from .view import FeatureView

    Whole = Union[FeatureView, OnDemandFeatureView, Source, RequestSource]


class Reference:
    """A feature of a view, or a field of a request source."""

    def __init__(self, whole: "Whole", part: str, at: str) -> None:
        self.whole = whole
        self.part = part
        self.at = at


# What stands for a feature wherever one is asked for: `user_orders["spend_7d"]`,
# `UserOrders.spend_7d` of a class, or the text `user_orders:spend_7d`.
FeatureReference = Union["Reference", "Feature", "Named", str]

# What stands for a view: the object, the decorated class or function, or its name.
ViewReference = Union["FeatureView", "OnDemandFeatureView", type, Any]


def view_of(value: Any) -> Any:
    """The view that an object is or that its decorator made of it; None if none."""
    from .on_demand import OnDemandFeatureView
    from .view import FeatureView

    if isinstance(value, (FeatureView, OnDemandFeatureView)):
        return value
    made = getattr(value, "__unskew_view__", None)
    return made if isinstance(made, (FeatureView, OnDemandFeatureView)) else None


def reference_text(value: Any, at: str, what: str) -> str | None:
    """`user_orders:spend_7d`, as the document names a feature or a request field."""
    if isinstance(value, str):
        return value
    if isinstance(value, Reference):
        return f"{whole_text(value.whole, value.part)}"
    owner, name = getattr(value, "__unskew_member__", (None, None))
    view = view_of(owner) if owner is not None else None
    if view is not None and isinstance(name, str):
        return whole_text(view, name)
    if view_of(value) is not None:
        mistake(
            at,
            f"{what}: {view_of(value).name} is a whole view; name one of its features, such as "
            f"'{view_of(value).name}:...'",
        )
        return None
    mistake(
        at,
        f"{what}: {kind_of(value)} is no feature; give such as UserOrders.spend_7d of a decorated "
        "class, user_orders['spend_7d'] of a view, or the text 'user_orders:spend_7d'",
    )
    return None


def whole_text(whole: "Whole", part: str | None = None) -> str:
    """A view or source by name, with its version where there are several of that name."""
    from ..registry import registry

    text = whole.name if part is None else f"{whole.name}:{part}"
    version = getattr(whole, "version", None)
    if version is None:
        return text
    named = [view for view in registry.views() if view.name == whole.name]
    return f"{text}@v{version}" if len(named) > 1 else text
