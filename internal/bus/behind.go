package bus

import "context"

// stagePartition is a partition as a stage of this process reads it.
type stagePartition struct {
	stage string
	at    Partition
}

// Positions returns what a stage that runs in this process has committed of each of the
// partitions that it has here. It is exact where Lags, which asks the group, is some
// seconds old.
func (b *Bus) Positions(stage string) map[Partition]int64 {
	at := map[Partition]int64{}
	b.reading.Range(func(key, value any) bool {
		if k := key.(stagePartition); k.stage == stage {
			at[k.at] = value.(*worker).position.Load()
		}
		return true
	})
	return at
}

// Behind returns how many offsets lie between the ends of a stage's partitions here and
// its positions; -1 while it has none.
func (b *Bus) Behind(ctx context.Context, stage string) (int64, error) {
	positions := b.Positions(stage)
	if len(positions) == 0 {
		return -1, nil
	}
	ends := map[string]map[int32]int64{}
	var behind int64
	for at, position := range positions {
		if ends[at.Topic] == nil {
			var err error
			if ends[at.Topic], err = b.Ends(ctx, at.Topic); err != nil {
				return -1, err
			}
		}
		behind += max(0, ends[at.Topic][at.Partition]-position)
	}
	return behind, nil
}
