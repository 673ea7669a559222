module github.com/millrace-io/millrace/schemas/gen

go 1.26.0

require (
	github.com/bufbuild/protocompile v0.14.1
	google.golang.org/protobuf v1.36.12
)

require (
	github.com/millrace-io/millrace v0.0.0
	golang.org/x/sync v0.24.0 // indirect
)

replace github.com/millrace-io/millrace => ../..
