package gateway

import "testing"

func TestIDs(t *testing.T) {
	ids := NewIDs([]byte("one secret"))
	id := ids.New("acme")
	forged := id[:5] + "x" + id[6:]
	for _, c := range []struct {
		tenant, id string
		fine       bool
	}{
		{"acme", id, true}, {"other", id, false}, {"acme", forged, false}, {"acme", "call-1", true}, {"acme", "", true},
		{"acme", id[:len(id)-1], true}, // no id of the gateway's form: one of the app's own
		{"acme", NewIDs([]byte("another secret")).New("acme"), false},
	} {
		if err := ids.Check(c.tenant, c.id); (err == nil) != c.fine {
			t.Errorf("%s of %s: %v", c.id, c.tenant, err)
		}
	}
}
