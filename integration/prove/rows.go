package main

// rows are those of the table in docs/reliability.md, in its order, and what is measured
// beside them.
var rows = []row{
	{name: "kills", what: "kill -9 of any process at random times while events flow (embedded engines)", short: 30, long: 500, unit: "kills", prove: proveKills},
	{name: "broker", what: "kill -9 of the embedded broker's process", short: 10, long: 200, unit: "kills", prove: proveBroker},
	{name: "kafka", what: "real Kafka 4.4: kill, pause, restart brokers while roles are killed too", short: 5, long: 100, unit: "faults", prove: proveKafka},
	{name: "crash", what: "crash at every write, fsync and rename of each component that writes files", short: 1, long: 1, unit: "of all points", prove: proveCrash},
	{name: "disk", what: "disk full and EIO at each of them", short: 1, long: 1, unit: "of all points", prove: proveDisk},
	{name: "requests", what: "every Kafka request × {applied then failed, retriable, fatal}", short: 1, long: 1, unit: "of all pairs", prove: proveRequests},
	{name: "members", what: "members joining and leaving every 2 s", short: 60, long: 3600, unit: "seconds", prove: proveMembers},
	{name: "zombie", what: "a process paused beyond its session timeout, then resumed", short: 3, long: 50, unit: "pauses", prove: proveZombie},
	{name: "inserts", what: "ClickHouse cut before and after the reply, replies delayed past a retry", short: 100, long: 5_000, unit: "inserts", prove: proveInserts},
	{name: "fuzz", what: "fuzzed and malformed records on every input, in JSON and Protobuf", short: 50_000, long: 1_000_000, unit: "records", prove: proveFuzz},
	{name: "overload", what: "collector at ten times its capacity, broker away, kill -9", short: 10, long: 600, unit: "seconds", prove: proveOverload},
	{name: "rules", what: "rules changed amid kills", short: 10, long: 100, unit: "kills", prove: proveRules},
	{name: "sim", what: "simulation seeds", short: 200, long: 10_000, unit: "seeds", prove: proveSimulation},
	{name: "decoders", what: "go test -fuzz on each decoder", short: 5, long: 600, unit: "seconds", apart: true, prove: proveDecoders},
	{name: "recovery", what: "kill -9 with so many events behind: until all can be asked for, and verify on them", short: 30_000, long: 1_000_000, unit: "events", apart: true, prove: proveRecovery},
}
