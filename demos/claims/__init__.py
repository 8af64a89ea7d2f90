"""The ledger: what five texts claim about depth, and what this project found of it."""

SUMMARY = "303 claims of five texts about depth, and what holds."
PLACE = 200
