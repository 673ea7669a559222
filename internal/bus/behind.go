package bus

import "context"

// stagePartition is a partition as a stage of this process reads it.
type stagePartition struct {
	stage string
	at    Partition
}

// Behind returns how many offsets lie between the ends of the inputs of a stage that runs
// in this process and what it has committed there. It is exact where Lags, which asks the
// group, is some seconds old. It is -1 while the stage has no partition here.
func (b *Bus) Behind(ctx context.Context, stage string) (int64, error) {
	ends := map[string]map[int32]int64{}
	var behind int64
	var err error
	b.reading.Range(func(key, value any) bool {
		k := key.(stagePartition)
		if k.stage != stage {
			return true
		}
		at := k.at
		if ends[at.Topic] == nil {
			if ends[at.Topic], err = b.Ends(ctx, at.Topic); err != nil {
				return false
			}
		}
		behind += max(0, ends[at.Topic][at.Partition]-value.(*worker).position.Load())
		return true
	})
	if len(ends) == 0 {
		return -1, err
	}
	return behind, err
}
