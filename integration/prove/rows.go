package main

// rows are those of the table in docs/reliability.md, in its order, and what is measured
// beside them.
var rows = []row{
	{name: "kills", what: "kill -9 of any process at random times while events flow (embedded engines)", short: 30, long: 500, unit: "kills", prove: proveKills},
	{name: "broker", what: "kill -9 of the embedded broker's process", short: 10, long: 200, unit: "kills", prove: proveBroker},
	{name: "kafka", what: "real Kafka 4.4: kill, pause, restart brokers while roles are killed too", short: 5, long: 100, unit: "faults", prove: proveKafka},
	{name: "members", what: "members joining and leaving every 2 s", short: 60, long: 3600, unit: "seconds", prove: proveMembers},
	{name: "zombie", what: "a process paused beyond its session timeout, then resumed", short: 3, long: 50, unit: "pauses", prove: proveZombie},
	{name: "rules", what: "rules changed amid kills", short: 10, long: 100, unit: "kills", prove: proveRules},
}
