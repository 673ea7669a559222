package schemas

// Peek reads of an event in its Protobuf form only whose it is and when it arrived, at a
// fraction of what Unmarshal costs: who has many events can put them in order first, and
// decode one after another. The tenant lies in b.
//
// It is what Unmarshal would say of an event that Unmarshal takes; of others nothing is
// promised, so b must be decoded before it counts for anything.
func Peek(b []byte) (tenant []byte, arrived Micros, err error) {
	w := wireReader{b: b, end: len(b)}
	for w.next() {
		if w.num != 1 {
			w.skip()
			continue
		}
		outer := w.enter("envelope")
		for w.next() {
			switch w.num {
			case 1:
				tenant = w.readBytes("tenant")
			case 13:
				arrived = w.readMicros("arrived_at")
			default:
				w.skip()
			}
		}
		w.leave(outer)
	}
	return tenant, arrived, w.finish()
}
