// Package gateway stands between apps and their models: it speaks OpenAI's HTTP interface,
// passes each call on to an upstream, and writes one event of it to inference.logs, whatever
// became of it.
//
// What passes is untouched. A request's bytes go on as they came, but for the model's name
// where the configuration gives it another; an answer's bytes come back as they come, each
// piece as soon as it is there. What the event needs is read beside them.
//
// An event is captured off the answer's path: the answer does not wait for the disk. What
// kill -9 takes with it are the calls whose events were not yet durable, which docs/gateway.md
// says how many that are.
package gateway
