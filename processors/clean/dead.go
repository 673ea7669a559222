package clean

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace-io/millrace/internal/bus"
	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/internal/state"
	"github.com/millrace-io/millrace/schemas"
)

// outcomeDead is what the metrics call a dead verdict.
const outcomeDead = "dead"

// bury gives the verdict on what cannot be kept, and puts its bytes aside.
func (t *task) bury(r *bus.Record, out *bus.Output, reason, detail string) {
	letter := &schemas.DeadLetter{Envelope: *t.event.Env(), Topic: t.at.Topic, Reason: reason, Detail: rules.Detail(detail), Bytes: int64(len(r.Value))}
	if letter.Validate() != nil {
		letter.Envelope = readable(letter.Envelope)
	}
	t.emit(r, out, letter, outcomeDead, reason)
	out.EmitDead(r, out.ByKey(bus.DeadLetters, t.place(r)), reason)
}

// readable keeps of an envelope that breaks the schema's limits whose it is and as much
// of its id as every reader takes.
func readable(e schemas.Envelope) schemas.Envelope {
	const mostTenant, mostID = 64, 128
	cut := func(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }
	return schemas.Envelope{
		Tenant: cut(e.Tenant, mostTenant), EventID: cut(e.EventID, mostID),
		ArrivedAt: e.ArrivedAt, RulesVersion: e.RulesVersion, ReplayOf: e.ReplayOf,
	}
}

const (
	// deadWindow is of how many of a partition's last records the share of the dead is
	// taken. Where fewer came, those that are missing count as good.
	deadWindow = 1000
	// alertShare is the share of the dead above which the alert is raised.
	alertShare = .01
)

// share counts the dead among the last records of a partition. It is a function of the
// log, and kept under 'w' in the state: records judged, and of each that is dead which of
// them it was, its offset, and its reason.
type share struct {
	st      *state.Partition
	records uint64
	dead    []deadRecord // of the last deadWindow, in order
}

type deadRecord struct {
	record uint64
	offset int64
	reason byte // of reasons
}

var shareKey = []byte("w")

// reasons are those of the dead, as the state names them: one more is added at the end.
var reasons = []string{
	"another", schemas.ClassInvalidJSON, schemas.ClassInvalidProtobuf, schemas.ClassInvalidField, schemas.ClassMissingField,
	schemas.ClassUnknownField, schemas.ClassTooLarge, ReasonIDConflict,
}

const deadRecordBytes = 17

func (s *share) load() error {
	v, ok, err := s.st.Get(shareKey)
	if err != nil || !ok {
		return err
	}
	if len(v) < 8 || (len(v)-8)%deadRecordBytes != 0 || len(v) > 8+deadWindow*deadRecordBytes {
		return fmt.Errorf("clean: the share of the dead in the state has %d bytes; delete the state folder, it is rebuilt", len(v))
	}
	s.records = binary.BigEndian.Uint64(v)
	for v = v[8:]; len(v) > 0; v = v[deadRecordBytes:] {
		s.dead = append(s.dead, deadRecord{binary.BigEndian.Uint64(v), int64(binary.BigEndian.Uint64(v[8:])), min(v[16], byte(len(reasons)-1))})
	}
	return nil
}

func (s *share) save() {
	v := binary.BigEndian.AppendUint64(nil, s.records)
	for _, d := range s.dead {
		v = binary.BigEndian.AppendUint64(v, d.record)
		v = binary.BigEndian.AppendUint64(v, uint64(d.offset))
		v = append(v, d.reason)
	}
	s.st.Set(shareKey, v)
}

// note counts a record.
func (s *share) note(offset int64, dead bool, reason string) {
	s.records++
	if dead {
		s.dead = append(s.dead, deadRecord{s.records, offset, byte(max(0, slices.Index(reasons, reason)))})
	}
	old := 0
	for old < len(s.dead) && s.dead[old].record+deadWindow <= s.records {
		old++
	}
	s.dead = slices.Delete(s.dead, 0, old)
}

// of is the share of the records from an offset on that are dead, and why most of them
// are.
func (s *share) of(from int64) (share float64, most string) {
	var by [256]int
	n, top := 0, 0
	for _, d := range s.dead {
		if d.offset < from {
			continue
		}
		n++
		if by[d.reason]++; by[d.reason] > by[top] {
			top = int(d.reason)
		}
	}
	return float64(n) / deadWindow, reasons[top]
}

// stop ends the stage where too much is dead. What a person has looked at no longer
// counts: else the records that a bad producer left would stop it for ever, also when
// their producer is mended. A restart alone is no look, since a supervisor makes those.
type stop struct {
	share  float64 // 0: never
	looked int64   // the offset below which a person has looked
}

// check is asked before a batch, so that what is dead of the last one has its verdicts and
// letters, for people to look at.
func (s *stop) check(dead *share, at bus.Partition) error {
	if s.share == 0 {
		return nil
	}
	share, most := dead.of(s.looked)
	if share <= s.share {
		return nil
	}
	return fmt.Errorf("clean: %.1f %% of the last %d records of %s are dead, most of them for %s, and clean.stop_on_dead_share is %.1f %%: "+
		"millrace deadletters list shows them; mend what writes them, then millrace deadletters resume lets the stage go on, as does a larger share", 100*share, deadWindow, at, most, 100*s.share)
}
