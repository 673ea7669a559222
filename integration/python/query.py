"""Asks the embedded ClickHouse with clickhouse-connect; prints one JSON object.

usage: query.py HOST PORT COMPRESSION
"""

import datetime
import json
import sys

import clickhouse_connect
from clickhouse_connect.driver.exceptions import DatabaseError

host, port, compression = sys.argv[1], int(sys.argv[2]), sys.argv[3]
client = clickhouse_connect.get_client(
    host=host, port=port, database="millrace", compress=False if compression == "none" else compression
)


def plain(value):
    """A value as JSON has it; times in RFC 3339 with microseconds, UTC."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value


def rows(result):
    return [{n: plain(v) for n, v in zip(result.column_names, row)} for row in result.result_rows]


texts = client.query(
    "SELECT event_id, event_time, source, text, language, label, attributes, characters, redactions"
    " FROM clean_text WHERE event_id != {not:String} ORDER BY event_id",
    parameters={"not": "nobody"},
)
calls = client.query(
    "SELECT event_id, request_model, operation_name, input_messages, output_messages, request_temperature,"
    " request_top_p, request_stop_sequences, response_finish_reasons, usage_input_tokens, request_stream"
    " FROM inferences ORDER BY event_id"
)

# The same rows as a stream of blocks, and as Arrow, which is another format on the wire.
with client.query_row_block_stream("SELECT event_id FROM clean_text ORDER BY event_id") as stream:
    streamed = [row[0] for block in stream for row in block]
arrow = client.query_arrow("SELECT event_id, characters FROM clean_text ORDER BY event_id", use_strings=True)

# A long answer, in many blocks.
total = sum(row[0] for row in client.query("SELECT number FROM numbers(300000)").result_rows)

try:
    client.insert("clean_text", [["x"]], column_names=["event_id"])
    refused = ""
except DatabaseError as e:
    refused = str(e)
try:
    client.query("SELECT nonsense FROM clean_text")
    wrong = ""
except DatabaseError as e:
    wrong = str(e)

print(
    json.dumps(
        {
            "texts": rows(texts),
            "calls": rows(calls),
            "types": {n: t.name for r in (texts, calls) for n, t in zip(r.column_names, r.column_types)},
            "streamed": streamed,
            "arrow": arrow.to_pylist(),
            "total": total,
            "refused": refused,
            "wrong": wrong,
        }
    )
)
