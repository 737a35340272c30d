"""Options of the stage `mutual_information`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import model_validator

from repro.options import (
    Collection,
    Field,
    Optimizer,
    OptimizerSpec,
    PositiveFloat,
    PositiveInt,
    Ref,
    StageOptions,
)


class MutualInformationOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    leaves: ClassVar[tuple[str, ...]] = ("critics",)
    of: Annotated[str, Ref("critics")] | None = None
    """The stage whose critics these start from (default: new ones)."""
    dim: PositiveInt
    """d, the number of coordinates of x and of y."""
    rho: Annotated[float, Field(gt=-1, lt=1)] | None = None
    """ρ, the correlation of each coordinate."""
    information: PositiveFloat | None = None
    """The mutual information in nats, in the place of `rho`."""
    shared: Annotated[float, Field(gt=-1, lt=1)] | None = None
    """The correlation of a second pair of Gaussians that is added (default: none)."""
    dependent: bool = False
    """Whether that second pair is the same for the whole batch."""
    estimators: Annotated[tuple[Literal["mine", "nwj", "infonce", "rpc", "demi"], ...], Field(min_length=1)]
    """The estimators that are compared."""
    critic: Literal["joint", "separable"] = "separable"
    """Whether the critic sees x and y together or is an inner product of their embeddings."""
    width: PositiveInt = 64
    """The width of the critics' hidden layers."""
    hidden: PositiveInt = 2
    """The number of the critics' hidden layers."""
    embed: PositiveInt = 32
    """The dimension of the embeddings of a separable critic."""
    samples: Annotated[int, Field(ge=2)] = 128
    """The pairs in each batch."""
    candidates: Annotated[int, Field(ge=2)] | None = None
    """The y that each x meets in training, its own among them (default: the whole batch)."""
    steps: PositiveInt = 2000
    """The steps of training."""
    optimizer: OptimizerSpec = Optimizer(name="adam", lr=1e-3)
    """The update rule."""
    average: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """The share of the new batch in MINE's moving average."""
    alpha: float = 0.01
    """α of RPC, the weight of the mean critic of the negatives."""
    beta: PositiveFloat = 0.005
    """β of RPC, the weight of the squared critic of the positives."""
    gamma: PositiveFloat = 0.995
    """γ of RPC, the weight of the squared critic of the negatives."""
    trials: Annotated[int, Field(ge=2)] = 200
    """The fresh batches of the evaluation."""

    @model_validator(mode="after")
    def _consistent(self) -> Any:
        if (self.rho is None) == (self.information is None):
            raise ValueError("needs one of `rho` and `information`")
        if self.candidates and self.candidates > self.samples:
            raise ValueError("`candidates` must not be more than `samples`")
        if self.dependent and self.shared is None:
            raise ValueError("`dependent` needs `shared`")
        if "demi" in self.estimators and (self.dim % 2 or self.shared is not None):
            raise ValueError("`demi` needs an even `dim`, and no `shared`")
        return self

    @property
    def metrics(self) -> Collection[str]:
        both = {"rpc": ("rpc", "rpc_mean"), "demi": ("demi", "demi_bound")}
        names = [name for estimator in self.estimators for name in both.get(estimator, (estimator,))]
        names = [f"{name}{suffix}" for name in names for suffix in ("", "_exact")]
        return ["information", *(f"{what}{name}" for what in ("", "gap_", "sd_", "max_") for name in names)]
