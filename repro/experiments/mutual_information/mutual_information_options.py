"""Options of the stage `mutual_information`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import model_validator

from repro.options import Collection, Field, Optimizer, PositiveFloat, PositiveInt, Ref, StageOptions


class MutualInformationOptions(StageOptions):
    precision: ClassVar[str | None] = "fp32"
    trains: ClassVar[bool] = True
    leaves: ClassVar[tuple[str, ...]] = ("critics",)
    of: Annotated[str, Ref("critics")] | None = None
    dim: PositiveInt
    rho: Annotated[float, Field(gt=-1, lt=1)] | None = None
    information: PositiveFloat | None = None
    shared: Annotated[float, Field(gt=-1, lt=1)] | None = None
    dependent: bool = False
    estimators: Annotated[tuple[Literal["mine", "nwj", "infonce", "rpc", "demi"], ...], Field(min_length=1)]
    critic: Literal["joint", "separable"] = "separable"
    width: PositiveInt = 64
    hidden: PositiveInt = 2
    embed: PositiveInt = 32
    samples: Annotated[int, Field(ge=2)] = 128
    candidates: Annotated[int, Field(ge=2)] | None = None
    steps: PositiveInt = 2000
    optimizer: Optimizer = Optimizer(name="adam", lr=1e-3)
    average: Annotated[float, Field(gt=0, lt=1)] = 0.01
    alpha: float = 0.01
    beta: PositiveFloat = 0.005
    gamma: PositiveFloat = 0.995
    trials: Annotated[int, Field(ge=2)] = 200

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
