"""Reads the lake with DuckDB; prints one JSON object.

usage: lake_duckdb.py LAKE
"""

import json
import sys

import duckdb

lake = sys.argv[1]
db = duckdb.connect()
db.execute("SET TimeZone = 'UTC'")


def rows(columns, kind):
    # Names of folders become columns; the filter on kind reads only its folders.
    found = db.execute(
        f"SELECT {columns} FROM read_parquet('{lake}/tenant=*/kind={kind}/day=*/*.parquet', hive_partitioning = true)"
        f" WHERE tenant = 'default' AND kind = '{kind}' ORDER BY event_id"
    )
    names = [d[0] for d in found.description]
    return [dict(zip(names, row)) for row in found.fetchall()]


at = "strftime(event_time, '%Y-%m-%dT%H:%M:%S.%fZ') AS event_time"
print(
    json.dumps(
        {
            "texts": rows(f"event_id, {at}, source, text, language, label, attributes, characters, redactions", "clean_text"),
            "calls": rows(
                "event_id, request_model, operation_name, input_messages, output_messages, request_temperature,"
                " request_top_p, request_stop_sequences, response_finish_reasons, usage_input_tokens, request_stream",
                "inferences",
            ),
            "days": rows("DISTINCT event_id, CAST(day AS VARCHAR) AS day, CAST(CAST(arrived_at AS DATE) AS VARCHAR) AS arrived", "clean_text"),
            "codecs": [r[0] for r in db.execute(f"SELECT DISTINCT compression FROM parquet_metadata('{lake}/*/*/*/*.parquet')").fetchall()],
        }
    )
)
