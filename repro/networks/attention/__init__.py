"""Attention, each kind once: full, with shared queries and keys, by hashing, on projected keys and values.

All take queries, keys or values (…, L, d), any leading dimensions (batch, heads), and give (…, L, e).
"""
