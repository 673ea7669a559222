package hostguard

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHandler(t *testing.T) {
	for _, x := range []struct {
		listen, host string
		passes       bool
	}{
		{"127.0.0.1:8080", "localhost:8080", true},
		{"127.0.0.1:8080", "LOCALHOST.", true},
		{"127.0.0.1:8080", "127.0.0.1", true},
		{"[::1]:8080", "[::1]:8080", true},
		{"localhost:8080", "[::1]", true},
		{"127.0.0.1:8080", "evil.example", false},
		{"127.0.0.1:8080", "evil.example:8080", false},
		{"127.0.0.1:8080", "localhost.evil.example", false},
		{"127.0.0.1:8080", "127.0.0.1.evil.example", false},
		{"127.0.0.1:8080", "192.0.2.1:8080", false},
		{"127.0.0.1:8080", "", false},
		{"0.0.0.0:8080", "collector.example", true},
		{":8080", "collector.example", true},
	} {
		h := Handler(x.listen, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.Host = x.host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if passes := w.Code == http.StatusAccepted; passes != x.passes || !passes && w.Code != http.StatusForbidden {
			t.Errorf("host %q of a server on %s: %d, passes should be %v", x.host, x.listen, w.Code, x.passes)
		}
	}
}
