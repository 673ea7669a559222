"""Reads the lake with ClickHouse's own Parquet reader; prints JSON lines.

The engine is loaded here, as a reader that knows nothing of Millrace: the embedded one
lets no stranger read files.

usage: lake_clickhouse.py LIBRARY FOLDER QUERY...
"""

import ctypes
import sys

library, folder, queries = sys.argv[1], sys.argv[2], sys.argv[3:]
lib = ctypes.CDLL(library)
pointer = ctypes.c_void_p
lib.chdb_connect.restype = pointer
lib.chdb_connect.argtypes = [ctypes.c_int, pointer]
lib.chdb_query_n.restype = pointer
lib.chdb_query_n.argtypes = [pointer, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
lib.chdb_result_buffer.restype = pointer
lib.chdb_result_buffer.argtypes = [pointer]
lib.chdb_result_length.restype = ctypes.c_size_t
lib.chdb_result_length.argtypes = [pointer]
lib.chdb_result_error.restype = ctypes.c_char_p
lib.chdb_result_error.argtypes = [pointer]

args = [b"clickhouse", b"--path=" + folder.encode()]
holder = lib.chdb_connect(len(args), (ctypes.c_char_p * len(args))(*args))
if not holder:
    sys.exit("the engine does not open " + folder)
connection = ctypes.cast(holder, ctypes.POINTER(pointer))[0]
for query in queries:
    text, form = query.encode(), b"JSONEachRow"
    result = lib.chdb_query_n(connection, text, len(text), form, len(form))
    error = lib.chdb_result_error(result)
    if error:
        sys.exit(error.decode())
    sys.stdout.write(ctypes.string_at(lib.chdb_result_buffer(result), lib.chdb_result_length(result)).decode())
