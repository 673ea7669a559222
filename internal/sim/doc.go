// Package sim plays a whole deployment in one process and in virtual time: producers,
// clean, join, the sinks and verify, against a Kafka in memory, disks that crash and a
// ClickHouse that loses and delays its answers. Everything that goes wrong is drawn from a
// seed. The producers keep books of their own, and what must come of each record is worked
// out by a few lines that share nothing with the product.
//
// It is all tests. A seed that fails prints itself:
//
//	go test ./internal/sim -run TestSim -seed N
//
// plays the same workload and the same schedule of faults again. How goroutines take turns
// between two points of virtual time is the runtime's, so a race may need a few runs.
package sim
