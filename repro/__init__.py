"""repro: reproduces machine-learning papers from recipes and says how well it did."""

__version__ = "0.1.0"
