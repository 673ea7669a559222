package dataset

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/internal/content"
)

// choose makes one example of each text, in the order of their arrival.
func (c *collector) choose() []Example {
	groups := map[string][]*item{}
	for _, it := range slices.Concat(c.labelled, c.judged) {
		if !it.found {
			c.manifest.LeftOut.Missing++
			continue
		}
		groups[it.ContentHash] = append(groups[it.ContentHash], it)
	}
	var chosen []*item
	for hash, copies := range groups {
		it, confirmed := elect(copies)
		for _, other := range copies {
			switch {
			case other == it:
			case other.Label == it.Label:
				c.manifest.LeftOut.Copies++
			default:
				c.manifest.LeftOut.Conflicts++
			}
		}
		it.Test = content.IsTest(hash)
		it.LearnOnly = confirmed && !content.Below(hash, c.known[it.After].share())
		var ok bool
		if it.Text, ok = c.texts[hash]; !ok || !c.samplers[it.After].held[hash] {
			c.manifest.LeftOut.Sampled++
			continue
		}
		if it.Test && it.LearnOnly {
			c.manifest.LeftOut.Confirmed++
			continue
		}
		chosen = append(chosen, it)
	}
	chosen = c.dropLabels(chosen)
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

// elect returns, of copies of one text, the latest with the label that weighs most; of
// labels that weigh the same, the one that was given last. Where there are copies from
// after the drift, only these vote: what was right before it may be wrong now. confirmed
// says whether all that it is known by is that a version's answer was right.
func elect(copies []*item) (elected *item, confirmed bool) {
	voters := slices.Clone(copies)
	if slices.ContainsFunc(voters, func(it *item) bool { return it.After }) {
		voters = slices.DeleteFunc(voters, func(it *item) bool { return !it.After })
	}
	slices.SortFunc(voters, byArrival)
	votes := map[string]float64{}
	latest := map[string]*item{}
	for _, it := range voters {
		votes[it.Label] += float64(it.Weight)
		latest[it.Label] = it
	}
	var best *item
	for _, it := range voters {
		if best == nil || votes[it.Label] >= votes[best.Label] {
			best = it
		}
	}
	elected = latest[best.Label]
	return elected, !slices.ContainsFunc(voters, func(it *item) bool { return it.Label == elected.Label && !it.right })
}

// dropLabels leaves out the examples of labels beyond the bound: those with the fewest
// examples, the last by name of those with as many. Whoever posts may give each text a
// label of its own, and a model's size is a multiple of their number.
func (c *collector) dropLabels(chosen []*item) []*item {
	examples := map[string]int{}
	for _, it := range chosen {
		examples[it.Label]++
	}
	if len(examples) <= c.cfg.MaxLabels {
		return chosen
	}
	labels := slices.SortedFunc(maps.Keys(examples), func(a, b string) int {
		return cmp.Or(cmp.Compare(examples[b], examples[a]), strings.Compare(a, b))
	})
	for _, l := range labels[c.cfg.MaxLabels:] {
		c.manifest.LeftOut.RareLabels += examples[l]
		delete(examples, l)
	}
	return slices.DeleteFunc(chosen, func(it *item) bool { return examples[it.Label] == 0 })
}

// known counts the wrong answers of versions: those of which the right label is known,
// and those of which it is only known that they are wrong.
type known struct{ labelled, unlabelled int }

// share is the part of the wrong answers of which the right label is known. Of right
// answers the label is always known, so where a thumb calls an answer wrong and nobody
// says what is right, the examples that are left hold too many right answers of the
// version that gave them, and no other version could be shown to be better by them. Of
// the right answers the same share judges therefore: one in as many stands for its like,
// as one of the wrong answers does (Horvitz, Thompson, JASA 47, 1952: weighing by the
// inverse of the chance of being seen, here by leaving out what weighs too much).
func (k known) share() float64 {
	if k.unlabelled == 0 {
		return 1
	}
	return float64(k.labelled) / float64(k.labelled+k.unlabelled)
}
