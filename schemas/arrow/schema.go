// Package schemaarrow knows the Arrow schemas of the stored kinds. Their columns are
// those of the Parquet files.
package schemaarrow

import "github.com/apache/arrow/go/v17/arrow"

func listOf(t arrow.DataType) arrow.DataType { return arrow.ListOf(t) }

func mapOf(t arrow.DataType) arrow.DataType { return arrow.MapOf(arrow.BinaryTypes.String, t) }

// withMeta adds the columns of schemas.Meta.
func withMeta(fields []arrow.Field) *arrow.Schema {
	return arrow.NewSchema(append(fields,
		arrow.Field{Name: "_topic", Type: arrow.BinaryTypes.String},
		arrow.Field{Name: "_partition", Type: arrow.PrimitiveTypes.Int32},
		arrow.Field{Name: "_offset", Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: "_step", Type: arrow.BinaryTypes.String},
		arrow.Field{Name: "_origin_topic_id", Type: arrow.BinaryTypes.String},
		arrow.Field{Name: "_origin_partition", Type: arrow.PrimitiveTypes.Int32},
		arrow.Field{Name: "_origin_offset", Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: "_origin_index", Type: arrow.PrimitiveTypes.Int32},
	), nil)
}
