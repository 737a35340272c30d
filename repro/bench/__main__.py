"""`python -m repro.bench [step|views|precision|loop]…` measures speed, `python -m repro.bench memory` memory."""

from __future__ import annotations

import click

from repro.bench import memory, speed


class WithSpeed(click.Group):
    """What is not the name of another benchmark is meant for that of speed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = args and args[0] in ("--help", *self.commands)
        return super().parse_args(ctx, args if named else ["speed", *args])


main = WithSpeed(commands={"speed": speed.main, "memory": memory.main}, help=__doc__)

if __name__ == "__main__":
    main()
