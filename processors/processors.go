// Package processors is where events become other events: each child is a stage of the
// bus, which reads some logs and writes others.
//
// A processor decides by its records, their times and its state alone: never by the wall
// clock, a random number or the order of a map, so that a replay decides alike. It knows
// nothing of offsets, acknowledgements or crashes; the bus does.
package processors
