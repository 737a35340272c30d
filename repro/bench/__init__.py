"""Benchmarks that anyone can run: `python -m repro.bench`, or `make bench`, for speed, with `memory` for memory."""
