"""What arithmetic makes of a claim of the ledger.

    COMPUTED: dict[str, Compute] = {}
    row = registry(COMPUTED)

    @row("002-068")
    def ten_rounds() -> Finding:
        return judged(near(0.8**10, 0.107), f"0.8^10 = {0.8**10:.5f}")

A function answers whether the claim's own number is the one that is computed, `true` or `false`, or
`conditional` where the number is right and the claim says more; and with what was computed.
"""

from collections.abc import Callable

Finding = tuple[str, str]
"""A verdict, and what was computed."""

Compute = Callable[[], Finding]


def registry(computed: dict[str, Compute]) -> Callable[..., Callable[[Compute], Compute]]:
    """A decorator, `row(*ids)`, that adds functions to the dictionary by the ids of their rows."""

    def row(*ids: str) -> Callable[[Compute], Compute]:
        """A decorator that files a function under each of these ids."""

        def register(compute: Compute) -> Compute:
            computed.update(dict.fromkeys(ids, compute))
            return compute

        return register

    return row


def judged(holds: bool, text: str, more: bool = False) -> Finding:
    """`more`: the claim says more than the number that holds."""
    return ("conditional" if more and holds else "true" if holds else "false"), text


def near(value: float, claimed: float, within: float = 0.01) -> bool:
    """Equal up to a share of the claimed number."""
    return abs(value - claimed) <= within * abs(claimed)
