"""Reads the lake with pyarrow; prints one JSON object.

usage: lake_pyarrow.py LAKE
"""

import json
import pathlib
import sys

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

lake = pathlib.Path(sys.argv[1])


def plain(value):
    if hasattr(value, "strftime"):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return dict(value)  # a map
    return value


def rows(kind, columns):
    # The dataset is of one kind, since kinds have different columns.
    dataset = ds.dataset(lake / "tenant=default" / f"kind={kind}", format="parquet", partitioning="hive")
    table = dataset.to_table(columns=columns).sort_by("event_id")
    maps = [f.name for f in table.schema if str(f.type).startswith("map")]
    return [{n: {} if n in maps and not v else plain(v) for n, v in row.items()} for row in table.to_pylist()]


whole = ds.dataset(lake / "tenant=default" / "kind=clean_text", format="parquet", partitioning="hive")
days = whole.to_table(columns=["event_id", "day", "arrived_at"])
print(
    json.dumps(
        {
            "texts": rows(
                "clean_text",
                ["event_id", "event_time", "source", "text", "language", "label", "attributes", "characters", "redactions"],
            ),
            "calls": rows(
                "inferences",
                ["event_id", "request_model", "operation_name", "input_messages", "output_messages", "request_temperature",
                 "request_top_p", "request_stop_sequences", "response_finish_reasons", "usage_input_tokens", "request_stream"],
            ),
            "days": [
                {"event_id": i, "day": str(d), "arrived": str(a)}
                for i, d, a in zip(
                    days["event_id"].to_pylist(),
                    days["day"].to_pylist(),
                    pc.strftime(days["arrived_at"], format="%Y-%m-%d").to_pylist(),
                )
            ],
            "types": {f.name: str(f.type) for f in whole.schema},
            "codecs": sorted(
                {
                    pq.ParquetFile(p).metadata.row_group(0).column(c).compression
                    for p in lake.glob("*/*/*/*.parquet")
                    for c in range(pq.ParquetFile(p).metadata.num_columns)
                }
            ),
        }
    )
)
