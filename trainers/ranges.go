package trainers

import (
	"fmt"
	"strconv"
	"strings"
)

// Range is a stretch of offsets of one partition, To exclusive.
type Range struct {
	Topic     string
	Partition int32
	From, To  int64
}

// String is r as events hold it: "topic/partition:from-to".
func (r Range) String() string {
	return fmt.Sprintf("%s/%d:%d-%d", r.Topic, r.Partition, r.From, r.To)
}

// Contains says whether r holds offset.
func (r Range) Contains(offset int64) bool { return offset >= r.From && offset < r.To }

// ParseRange reads what String writes.
func ParseRange(s string) (Range, error) {
	p, rest, err := parsePlace(s)
	from, to, ok := strings.Cut(rest, "-")
	if err != nil || !ok {
		return Range{}, fmt.Errorf("range %q is not topic/partition:from-to", s)
	}
	r := Range{Topic: p.Topic, Partition: p.Partition}
	if r.From, err = parseOffset(from); err == nil {
		r.To, err = parseOffset(to)
	}
	if err != nil || r.To < r.From {
		return Range{}, fmt.Errorf("range %q is not topic/partition:from-to", s)
	}
	return r, nil
}

// ParseRanges reads a list of ranges.
func ParseRanges(list []string) ([]Range, error) {
	out := make([]Range, 0, len(list))
	for _, s := range list {
		r, err := ParseRange(s)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Place is an offset of a partition.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String is p as events hold it: "topic/partition:offset".
func (p Place) String() string { return fmt.Sprintf("%s/%d:%d", p.Topic, p.Partition, p.Offset) }

// ParsePlace reads what String writes.
func ParsePlace(s string) (Place, error) {
	p, rest, err := parsePlace(s)
	if err == nil {
		p.Offset, err = parseOffset(rest)
	}
	if err != nil {
		return Place{}, fmt.Errorf("place %q is not topic/partition:offset", s)
	}
	return p, nil
}

func parsePlace(s string) (p Place, rest string, err error) {
	at, rest, ok := strings.Cut(s, ":")
	slash := strings.LastIndexByte(at, '/')
	if !ok || slash < 1 {
		return p, "", strconv.ErrSyntax
	}
	n, err := strconv.ParseUint(at[slash+1:], 10, 31)
	if err != nil {
		return p, "", err
	}
	return Place{Topic: at[:slash], Partition: int32(n)}, rest, nil
}

func parseOffset(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err
}
