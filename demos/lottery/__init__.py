"""Sparse networks that learn, and why: iterative pruning with rewinding, and its controls."""
