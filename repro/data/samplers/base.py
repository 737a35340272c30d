from torch import Tensor


class Sampler:
    group: tuple[int, ...] = ()
    per_epoch = 1

    def index(self, step: int) -> Tensor: ...
