//go:build !(linux && amd64)

package clickhouse

import "fmt"

// supported says whether this platform has the engine.
const supported = false

// RunChild says that there is no engine.
func RunChild([]string) int {
	fmt.Printf("error %v\n", errUnsupported)
	return 1
}
