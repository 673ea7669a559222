package dataset

import (
	"cmp"
	"slices"
	"strings"
)

// choose makes one example of each content, in the order of their arrival.
func (c *collector) choose() []Example {
	groups := map[string][]*item{}
	for _, it := range slices.Concat(c.labelled, c.judged) {
		if !it.found {
			c.manifest.LeftOut.Missing++
			continue
		}
		groups[it.ContentHash] = append(groups[it.ContentHash], it)
	}
	chosen := make([]*item, 0, len(groups))
	for hash, copies := range groups {
		it := elect(copies)
		it.Test = IsTest(hash)
		chosen = append(chosen, it)
		for _, other := range copies {
			switch {
			case other == it:
			case other.Label == it.Label:
				c.manifest.LeftOut.Copies++
			default:
				c.manifest.LeftOut.Conflicts++
			}
		}
	}
	chosen = c.sample(chosen)
	slices.SortFunc(chosen, byArrival)
	out := make([]Example, len(chosen))
	for i, it := range chosen {
		out[i] = it.Example
		c.manifest.Rules[it.rules]++
	}
	return out
}

func byArrival(a, b *item) int {
	return cmp.Or(cmp.Compare(a.At, b.At), strings.Compare(a.tenant, b.tenant), strings.Compare(a.ID, b.ID), strings.Compare(a.ContentHash, b.ContentHash))
}

// elect returns, of copies of one content, the latest with the label that weighs most; of
// labels that weigh the same, the one that was given last.
func elect(copies []*item) *item {
	slices.SortFunc(copies, byArrival)
	votes := map[string]float64{}
	latest := map[string]*item{}
	for _, it := range copies {
		votes[it.Label] += float64(it.Weight)
		latest[it.Label] = it
	}
	var best *item
	for _, it := range copies {
		if best == nil || votes[it.Label] >= votes[best.Label] {
			best = it
		}
	}
	return latest[best.Label]
}

// sample leaves out what goes beyond the bounds of each period: the last by content
// hash, so that snapshots of a model agree on what they leave out.
func (c *collector) sample(chosen []*item) []*item {
	slices.SortFunc(chosen, func(a, b *item) int { return strings.Compare(a.ContentHash, b.ContentHash) })
	left := map[bool]int{false: c.cfg.MaxBefore, true: c.cfg.MaxAfter}
	return slices.DeleteFunc(chosen, func(it *item) bool {
		left[it.After]--
		if left[it.After] < 0 {
			c.manifest.LeftOut.Sampled++
			return true
		}
		return false
	})
}
