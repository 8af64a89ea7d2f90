"""A network for a table of one's own: CSV, Parquet or npz."""

SUMMARY = "A network for your own table: trained, judged and saved."
PLACE = 170
