package schemas

import "testing"

// checkPeek compares Peek with the whole event.
func checkPeek(t *testing.T, m Message, b []byte) {
	t.Helper()
	tenant, arrived, err := Peek(b)
	if e := m.Env(); err != nil || string(tenant) != e.Tenant || arrived != e.ArrivedAt {
		t.Errorf("Peek at %s %x: got %q, %s, %v; want %q, %s", m.Kind(), b, tenant, arrived, err, e.Tenant, e.ArrivedAt)
	}
}

// TestPeek holds for every kind: the envelope's place and numbers are written down in
// Peek once more, and nothing but this keeps them equal to the definitions'.
func TestPeek(t *testing.T) {
	for _, k := range Kinds() {
		for _, m := range []Message{New(k), filled(k)} {
			checkPeek(t, m, m.MarshalAppend(nil))
		}
	}
	if _, _, err := Peek([]byte{1<<3 | 2, 9, 1}); err == nil {
		t.Error("an envelope that is cut short was taken")
	}
}

func FuzzPeek(f *testing.F) {
	f.Add(filled(KindCleanText).MarshalAppend(nil))
	f.Add([]byte{1<<3 | 2, 3, 1<<3 | 2, 1, 'a', 1<<3 | 2, 3, 1<<3 | 2, 1, 'b'}) // two envelopes
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(CleanText)
		if err := m.Unmarshal(b); err != nil {
			_, _, _ = Peek(b) // it need only come back
			return
		}
		checkPeek(t, m, b)
	})
}
