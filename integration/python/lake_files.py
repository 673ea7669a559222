"""Counts rows of the lake with DuckDB; prints one JSON object.

usage: lake_files.py TABLE...
"""

import json
import sys

import duckdb

counts = [duckdb.sql(f"SELECT count(*), count(DISTINCT event_id) FROM {table}").fetchall()[0] for table in sys.argv[1:]]
print(json.dumps([{"rows": rows, "events": events} for rows, events in counts]))
