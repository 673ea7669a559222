package spool

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/millrace-io/millrace/internal/testvar"
)

// book is what a spool's users know: what was acknowledged to them, and what they have
// passed on and confirmed.
type book struct {
	next                    uint64 // the number of the next record
	acknowledged, confirmed map[uint64]bool
	refused                 int // records that were not acknowledged at the first try
}

func newBook() *book {
	return &book{next: 1, acknowledged: map[uint64]bool{}, confirmed: map[uint64]bool{}}
}

// use plays a spool's users: they append, read, confirm and close, twice. The first error
// ends them where stubborn is false; else they come again, as a client does.
func (b *book) use(t testing.TB, fs *faulty, stubborn bool) {
	for range 2 {
		s, err := small(fs)
		for try := 0; err != nil && stubborn && try < 10; try++ {
			time.Sleep(failPause)
			s, err = small(fs)
		}
		if err != nil {
			if stubborn {
				t.Errorf("it cannot be opened: %v", err)
			}
			return
		}
		for range 6 {
			from := b.next
			b.next += 3
			err := b.append(t, s, from, b.next)
			if fs.isDead() {
				break
			}
			for try := 0; err != nil && stubborn; try++ {
				if try == 10 {
					t.Errorf("records %d to %d are refused: %v", from, b.next-1, err)
					return
				}
				b.refused++
				time.Sleep(failPause)
				err = b.append(t, s, from, b.next)
			}
			if from%2 == 0 {
				b.read(t, s, stubborn)
			}
			if fs.isDead() {
				break
			}
		}
		_ = s.Close() // what it could not do is what the next one finds
		synctest.Wait()
		if fs.isDead() {
			return
		}
	}
}

func (b *book) append(t testing.TB, s *Spool, from, to uint64) error {
	var records [][]byte
	for n := from; n < to; n++ {
		records = append(records, record(n))
	}
	err := s.Append(t.Context(), records...)
	if err == nil {
		for n := from; n < to; n++ {
			b.acknowledged[n] = true
		}
	}
	return err
}

// read passes on the first half of what there is, and confirms it.
func (b *book) read(t testing.TB, s *Spool, stubborn bool) {
	r := s.Reader()
	defer r.Close()
	s.mu.Lock()
	end := s.confirmed + (s.next-s.confirmed)/2
	s.mu.Unlock()
	for failed := 0; r.at < end; {
		batch, err := r.Next(t.Context())
		if err != nil {
			if failed++; !stubborn || failed == 10 {
				return
			}
			time.Sleep(time.Second)
			continue
		}
		for _, rec := range batch.Records {
			n, whole := number(rec)
			if !whole {
				t.Errorf("a record is not whole: %.20q", rec)
			}
			b.confirmed[n] = true
		}
	}
	s.Confirm(r.at - 1)
	synctest.Wait() // the keeper has done its work
}

// check opens what is left: everything that was acknowledged is there or was passed on,
// nothing is torn, nothing is taken for damaged that is not, and it takes more.
func (b *book) check(t testing.TB, fs vfs.FS, what string) {
	for again := range 2 {
		s, err := small(fs)
		if err != nil {
			t.Errorf("%s: it cannot be opened again: %v", what, err)
			return
		}
		r := s.Reader()
		got, through := drain(t, r)
		r.Close()
		seen := map[uint64]int{}
		for _, n := range got {
			seen[n]++
		}
		for n := range b.acknowledged {
			if seen[n] == 0 && !b.confirmed[n] {
				t.Errorf("%s, opening %d: record %d was acknowledged and is lost; there are %d", what, again, n, got)
			}
		}
		for n, times := range seen {
			// A record that was refused and came again may be there twice.
			if n >= b.next || times > 1+b.refused {
				t.Errorf("%s: record %d is there %d times", what, n, times)
			}
		}
		if status := s.Status(); status.Unreadable > 0 {
			t.Errorf("%s: %d records are said to be damaged", what, status.Unreadable)
		}
		if err := b.append(t, s, b.next, b.next+1); err != nil {
			t.Errorf("%s: it takes nothing more: %v", what, err)
		}
		b.next++
		if again == 0 {
			s.Confirm(through)
			for _, n := range got {
				b.confirmed[n] = true
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: close: %v", what, err)
		}
	}
}

// crash makes a file system of which everything fails from the n-th operation that
// changes something on, that one as how says. It counts them in count.
func crash(mem *vfs.MemFS, n int, how fault, count *int) *faulty {
	fs := &faulty{FS: mem}
	fs.play = func(op, _ string) (fault, error) {
		if op == "read" || op == "open" {
			return sound, nil
		}
		*count++
		switch {
		case *count < n:
			return sound, nil
		case *count == n && how != before:
			fs.dead = true
			return how, syscall.EIO
		}
		mem.SetIgnoreSyncs(true)
		fs.dead = true
		return before, syscall.EIO
	}
	return fs
}

// TestCrashEverywhere ends the process at each write, fsync, link and rename, before it, behind
// it and in its midst, and in the next run once more, at random. In some runs the machine
// ends too, each time or only the second: it then forgets what was not synced. Nothing that was acknowledged is lost, nothing is torn, and it always
// opens again.
func TestCrashEverywhere(t *testing.T) {
	seed := testvar.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	points := 0
	for _, how := range []fault{before, after, half} {
		for _, machine := range [][2]bool{{false, false}, {true, true}, {false, true}} {
			for n, ended := 1, false; !ended; n++ {
				what := fmt.Sprintf("operation %d, fault %d, machine %v, seed %d", n, how, machine, seed)
				second := 1 + rng.IntN(60)
				synctest.Test(t, func(t *testing.T) {
					mem, b := memory(t), newBook()
					for i, at := range []int{n, second} {
						count := 0
						fs := crash(mem, at, how, &count)
						b.use(t, fs, false)
						if i == 0 && count < n {
							ended = true
						}
						if machine[i] {
							mem.ResetToSyncedState()
						}
						mem.SetIgnoreSyncs(false)
					}
					b.check(t, mem, what)
				})
				points++
			}
		}
	}
	t.Logf("%d points", points)
	if points < 300 {
		t.Errorf("there were only %d points to crash at", points)
	}
}

// TestFaultEverywhere lets each operation fail once, and in other runs all of them for a while,
// with EIO and ENOSPC, reads included. Nothing is acknowledged that is not kept, and
// without anybody's hands everything is taken in the end. The machine then dies.
func TestFaultEverywhere(t *testing.T) {
	points := 0
	for _, no := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
		for _, how := range []fault{before, after, half} {
			for _, lasts := range []int{1, 4} {
				for n, ended := 1, false; !ended; n++ {
					what := fmt.Sprintf("operation %d, fault %d, %d times, %v", n, how, lasts, no)
					synctest.Test(t, func(t *testing.T) {
						mem, b, count := memory(t), newBook(), 0
						fs := &faulty{FS: mem}
						fs.play = func(string, string) (fault, error) {
							count++
							if count < n || count >= n+lasts {
								return sound, nil
							}
							return how, no
						}
						b.use(t, fs, true)
						ended = count < n
						mem.ResetToSyncedState()
						b.check(t, mem, what)
						if got := len(b.acknowledged); got < 36 {
							t.Errorf("%s: %d records were acknowledged, want all of 36", what, got)
						}
					})
					points++
				}
			}
		}
	}
	t.Logf("%d points", points)
	if points < 600 {
		t.Errorf("there were only %d points to fail at", points)
	}
}

// TestTorn cuts the last segment short at every length, and puts zeros, or what lay on
// the disk before, behind the cut: what one fsync had not covered reads as if it had
// never been written, and what lies before it is all there.
func TestTorn(t *testing.T) {
	whole := memory(t)
	s := mustOpen(t, whole)
	appendAll(t, s, sequence(1, 4)...)
	durable := s.segments[len(s.segments)-1].size
	name := s.segments[len(s.segments)-1].name
	appendAll(t, s, 5)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b := contents(t, whole, folder+"/"+name)
	for cut := durable; cut <= int64(len(b)); cut += 13 {
		for tail, behind := range map[string][]byte{"nothing": nil, "zeros": make([]byte, 5000), "an older block": b[page : 2*page]} {
			fs := memory(t)
			copyAll(t, whole, fs)
			store(t, fs, folder+"/"+name, slices.Concat(b[:cut], behind))
			s := mustOpen(t, fs)
			appendAll(t, s, 6)
			r := s.Reader()
			got, _ := drain(t, r)
			r.Close()
			without := slices.DeleteFunc(slices.Clone(got), func(n uint64) bool { return n == 5 })
			if !slices.Equal(without, []uint64{1, 2, 3, 4, 6}) {
				t.Errorf("cut at %d of %d, with %s behind it: it gave %d", cut, len(b), tail, got)
			}
			if n := s.Status().Quarantined; tail == "nothing" && n > 0 {
				t.Errorf("cut at %d of %d: it is taken to be damaged", cut, len(b))
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// FuzzDecode gives the decoders any bytes, as they are and as the frames behind a sound
// header: they end with an error or with records that lie in them. A batch of which one
// bit is changed never gives other records than it had.
func FuzzDecode(f *testing.F) {
	sample := func(records ...[]byte) []byte {
		b := make([]byte, batchHeader)
		for i, r := range records {
			b = appendFrame(b, 7, uint32(i), r)
		}
		return b
	}
	f.Add(sample([]byte("a"), nil, []byte("a longer record")), uint32(3), uint(77))
	f.Add(sample(record(3)), uint32(1), uint(500))
	f.Add(segmentHead(1, 2), uint32(9), uint(9))
	f.Fuzz(func(t *testing.T, b []byte, count uint32, bit uint) {
		parseSegmentHead(b)
		if len(b) == 0 || len(b) > 1<<20 {
			return
		}
		checkDecode(t, b, bit)
		if len(b) > batchHeader {
			head{nonce: 3, first: 5, time: time.UnixMicro(1), salt: 7, count: count % 10_000, length: uint32(len(b) - batchHeader)}.put(b)
			checkDecode(t, b, bit)
		}
	})
}

func checkDecode(t *testing.T, b []byte, bit uint) {
	h, records, bad, err := decode(b)
	if err != nil {
		return
	}
	read, size := 0, 0
	for _, r := range records {
		if r != nil {
			read, size = read+1, size+len(r)
		}
	}
	if read+bad != int(h.count) || size > len(b) {
		t.Fatalf("%d records, %d bad, of %d; %d bytes of %d", read, bad, h.count, size, len(b))
	}
	other := slices.Clone(b)
	bit %= uint(8 * len(b))
	other[bit/8] ^= 1 << (bit % 8)
	_, changed, _, err := decode(other)
	if err != nil {
		return
	}
	for i := range min(len(records), len(changed)) {
		if changed[i] != nil && records[i] != nil && !slices.Equal(changed[i], records[i]) {
			t.Fatalf("bit %d changed record %d from %q to %q", bit, i, records[i], changed[i])
		}
	}
}
