"""What every kind of component declares, and the fields of a recipe that choose one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, SerializeAsAny

from repro.options.base import ComponentOptions, Options
from repro.options.choose import chosen, schema
from repro.options.refs import MetricsRef, Ref
from repro.options.views import ViewOptions, Views


class MethodOptions(ComponentOptions):
    """Options of a training objective, chosen by `name`.

    `views_taken` says how many views of a sample the method takes, at least and at most; `takes_local` whether it
    also takes those of `views: local:`; `needs_labels` whether its loss or what it embeds depends on labels;
    `embeds` whether what it computes of a sample has features, whose standard deviation is then a metric.
    """

    views_taken: ClassVar[tuple[int, int | None]] = (1, None)
    takes_local: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = False
    embeds: ClassVar[bool] = True

    name: str
    """The method."""

    def check(self, views: Views | ViewOptions) -> None:
        """Raises ValueError when these are not the views that the method takes."""
        least, most = self.views_taken
        if views.count < least or (most is not None and views.count > most):
            taken = (
                str(least) if least == most else f"{least} or more" if most is None else f"{least} to {most}"
            )
            raise ValueError(
                f"method `{self.name}` takes {taken} view{'s' * (taken != '1')} of a sample, "
                f"and `views: count:` is {views.count}"
            )
        if views.local and not self.takes_local:
            raise ValueError(f"method `{self.name}` takes no `local` views")


class HeadOptions(ComponentOptions):
    """Options of a head on top of a backbone, chosen by `kind`; `classifies` if it has an output for each class."""

    kind: str
    """The head."""

    @property
    def classifies(self) -> bool:
        return False


NetworkOf = Annotated[str, Ref("network")]
IndexOf = Annotated[str, Ref("index")]
MetricsOf = Annotated[str, MetricsRef(), Field(pattern=r"^[a-z0-9_*]+\.[a-z0-9_*]+$")]


class StageOptions(ComponentOptions):
    """Options of one stage of a recipe, chosen by `kind`. What is asked of them here is known before anything runs.

    `trains` says whether what the stage measures comes from the training of a network by gradient descent;
    `precision` what the stage computes in, where that does not follow the run's precision; `divides` whether several
    processes share its work. Options that name earlier stages are marked with `Ref`.
    """

    trains: ClassVar[bool] = False
    precision: ClassVar[str | None] = None
    divides: ClassVar[bool] = False

    kind: str
    """What the stage does."""

    @property
    def metrics(self) -> Collection[str]:
        """The names of the metrics that the stage gives."""
        return ()

    @property
    def leaves(self) -> Collection[str]:
        """What the stage leaves for later ones: `network`, `classifier`, …"""
        return ()

    @property
    def needs(self) -> Mapping[str, tuple[str, ...]]:
        """What an option that names an earlier stage needs of it where that is not what its `Ref` says."""
        return {}

    @property
    def splits(self) -> Collection[str]:
        """The splits of the recipe's data set that the stage reads."""
        return ()

    @property
    def labelled(self) -> Collection[str]:
        """Those of the splits of which it needs the label of every image."""
        return ()

    @property
    def modules(self) -> tuple[str, ...]:
        """What the stage imports of the extra `control`: without it the recipe is not started."""
        return ()


HeadSpec = Annotated[
    SerializeAsAny[HeadOptions], chosen(("networks.heads",), "kind"), schema(("networks.heads",), "kind")
]


class NetworkOptions(ComponentOptions):
    """A backbone, chosen by `backbone`, and the head that a method puts on it."""

    backbone: str
    """The backbone."""
    head: HeadSpec | None = None
    """What a method puts on the backbone (default: nothing, the features themselves)."""

    @property
    def classifies(self) -> bool:
        """Whether it ends in an output for each class."""
        return self.head is not None and self.head.classifies


BackboneSpec = Annotated[
    SerializeAsAny[NetworkOptions], chosen(("networks",), "backbone"), schema(("networks",), "backbone")
]


class EarlierNetwork(Options):
    """The network that an earlier stage left, frozen."""

    of: NetworkOf
    """The stage."""


def _further(value: Any) -> Any:
    earlier = isinstance(value, dict) and "of" in value
    return EarlierNetwork.model_validate(value) if earlier else value


FurtherSpec = Annotated[EarlierNetwork | BackboneSpec, BeforeValidator(_further)]
MethodSpec = Annotated[
    SerializeAsAny[MethodOptions], chosen(("methods",), "name"), schema(("methods",), "name")
]
StageSpec = Annotated[
    SerializeAsAny[StageOptions],
    chosen(("stages", "experiments"), "kind"),
    schema(("stages", "experiments"), "kind"),
]
