package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace-io/millrace/producers/client"
	"github.com/millrace-io/millrace/schemas"
)

// TestMemory checks that a request costs a small factor of its body, and its answer little,
// whatever the body is made of.
func TestMemory(t *testing.T) {
	c := collector(t, nil, func(c *Config, _ *Deps) { *c = DefaultConfig() })
	const size, lines = 8 << 20, "application/x-ndjson"
	const tooMany = "the body has more than 10000 events, which is the limit (max_events); send them in several requests"
	var wide strings.Builder // as many events as there may be, in as many bytes
	for wide.Len() < size-1000 {
		fmt.Fprintf(&wide, "{\"text\":%q}\n", strings.Repeat("x", 830))
	}
	for _, k := range []struct {
		name, path, body, media string
		status                  int
		want                    string
	}{
		{"lines of 1", "/v1/text", strings.Repeat("1\n", size/2), lines, 413, tooMany},
		{"an array of 1", "/v1/text", "[" + strings.Repeat("1,", size/2-2) + "1]", "application/json", 413, tooMany},
		{"lines of small texts", "/v1/text", strings.Repeat("{\"text\":\"a\"}\n", size/13), lines, 413, tooMany},
		{"an array of small texts", "/v1/text", "[" + strings.Repeat("{\"text\":\"a\"},", size/13-1) + "{}]", "application/json", 413, tooMany},
		{"an event too large", "/v1/text", "[{\"text\":\"a\"},\"" + strings.Repeat("x", size-100) + "\"]", "application/json", 202, "too_large"},
		{"lines that are all bad", "/v1/text", strings.Repeat("{\"text\":1}\n", 10_000), lines, 422, `"more_errors":9900`},
		{"more members than fit", "/v1/inferences", "[" + strings.Repeat(`{"request_stop_sequences":[`+strings.Repeat(`"",`, 9_999)+`""],"model":"m"},`, 270) + "{}]", "application/json", 413, "send its events in several requests"},
		{"as many as may be", "/v1/text", strings.Repeat("{\"text\":\"a\"}\n", 10_000), lines, 202, `"accepted":10000`},
		{"as many and as large", "/v1/text", wide.String(), lines, 202, `"ids"`},
	} {
		r := httptest.NewRequest(http.MethodPost, k.path, strings.NewReader(k.body))
		r.Header.Set("Content-Type", k.media)
		w := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c.ServeHTTP(w, r)
		runtime.ReadMemStats(&after)
		said := w.Body.String()
		if w.Code != k.status || !strings.Contains(said, k.want) {
			t.Errorf("%s: got %d %.300s; want %d %s", k.name, w.Code, said, k.status, k.want)
		}
		if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 8*size>>20 {
			t.Errorf("%s: %d MiB were allocated, the body has %d", k.name, mib, len(k.body)>>20)
		} else {
			t.Logf("%s: %d MiB were allocated, the answer has %d KiB", k.name, mib, len(said)>>10)
		}
		if w.Code != 202 && len(said) > 32<<10 {
			t.Errorf("%s: the answer has %d bytes", k.name, len(said))
		}
	}
	if n := c.inFlight.Load(); n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}

// TestHeld checks that what the events of a request hold, until the log has them, is no
// more than what is reckoned for it.
func TestHeld(t *testing.T) {
	var attributes strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&attributes, "\"%d\":\"\",", i)
	}
	long := strings.Repeat("x", 100)
	for _, k := range []struct {
		path   string
		kind   schemas.Kind
		event  string
		events int
	}{
		{"/v1/text", schemas.KindText, `{"text":"a"}`, 10_000},
		{"/v1/text", schemas.KindText, `{"text":"` + long + `","attributes":{"a":"b"}}`, 10_000},
		{"/v1/inferences", schemas.KindInference, `{"model":"m","attributes":{"a":"b"}}`, 10_000},
		{"/v1/inferences", schemas.KindInference, `{"model":"` + long + `"}`, 10_000},
		{"/v1/feedback", schemas.KindFeedback, `{"inference_id":"a"}`, 10_000},
		{"/v1/text", schemas.KindText, `{"text":"a","attributes":{` + attributes.String() + `"a":""}}`, 10},
		{"/v1/inferences", schemas.KindInference, `{"model":"m","request_stop_sequences":[` + strings.Repeat(`"",`, 20_000) + `""]}`, 10},
	} {
		c := collector(t, []string{"127.0.0.1:1"}, func(c *Config, _ *Deps) { *c = DefaultConfig() })
		body := strings.Repeat(k.event+"\n", k.events)
		r := httptest.NewRequest(http.MethodPost, k.path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-ndjson")
		live := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before, room := live(), &room{c: c}
		events, bad, err := c.read(httptest.NewRecorder(), r, k.kind, room)
		if err != nil || len(events) != k.events {
			t.Fatal(len(events), bad, err)
		}
		read := live() - before
		results := make([]*client.Result, len(events))
		for i, e := range events {
			if results[i], err = c.deps.Client.Send(context.Background(), e.message); err != nil {
				t.Fatal(err)
			}
			events[i].message = nil
		}
		sent := live() - before
		t.Logf("%.40s…: %d KiB of body; %d reckoned; %d held when read, %d when sent", k.event, len(body)>>10, room.held>>10, read>>10, sent>>10)
		if most := max(read, sent); most > room.held {
			t.Errorf("%.40s…: %d KiB of body hold %d KiB, and %d are reckoned", k.event, len(body)>>10, most>>10, room.held>>10)
		}
		runtime.KeepAlive(results)
		runtime.KeepAlive(events)
	}
}

// TestOverhead checks that the members of every list and map of an input are reckoned.
func TestOverhead(t *testing.T) {
	for _, m := range []schemas.Message{&schemas.Text{}, &schemas.Inference{}, &schemas.Feedback{}} {
		for i, v := 0, reflect.ValueOf(m).Elem(); i < v.NumField(); i++ {
			field, before := v.Field(i), overhead(m)
			switch {
			case field.Kind() == reflect.Map:
				field.Set(reflect.MakeMap(field.Type()))
				field.SetMapIndex(reflect.Zero(field.Type().Key()), reflect.Zero(field.Type().Elem()))
			case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.String:
				field.Set(reflect.MakeSlice(field.Type(), 1, 1))
			default:
				continue
			}
			if overhead(m) <= before {
				t.Errorf("the members of %s of %s are not reckoned", v.Type().Field(i).Name, m.Kind())
			}
		}
	}
}

// TestSlow checks that requests that have sent little hold little, whatever they may yet
// send.
func TestSlow(t *testing.T) {
	c := collector(t, nil, func(c *Config, _ *Deps) { *c = DefaultConfig() })
	var slow sync.WaitGroup
	var ends []func()
	for i := range 100 {
		out, in := io.Pipe()
		r := httptest.NewRequest(http.MethodPost, "/v1/text", out)
		r.ContentLength = -1
		r.Header.Set("Content-Type", "application/json")
		encoding := []string{"", "gzip", "zstd"}[i%3]
		r.Header.Set("Content-Encoding", encoding)
		first := map[string]string{"": `{"te`, "gzip": gzipped("{}")[:12], "zstd": "\x28\xb5\x2f\xfd\x00\x68"}[encoding] // a window of 8 MiB
		slow.Go(func() { c.ServeHTTP(httptest.NewRecorder(), r) })
		if _, err := io.WriteString(in, first); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, func() { _ = in.Close() })
	}
	if status, a, _ := post(c, "/v1/text", `{"text":"quick"}`); status != 202 {
		t.Errorf("beside slow requests a quick one gave %d %v", status, a)
	}
	if n := c.inFlight.Load(); n > 100*(requestOverhead+100) {
		t.Errorf("100 slow requests hold %d bytes", n)
	}
	for _, end := range ends {
		end()
	}
	slow.Wait()
	if n := c.inFlight.Load(); n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}

// TestRoomRunsOut checks that a request that no longer fits beside others is refused amid
// its body, and leaves nothing behind.
func TestRoomRunsOut(t *testing.T) {
	c := collector(t, nil, func(c *Config, _ *Deps) { *c = DefaultConfig() })
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	body := "[" + strings.Repeat(`{"text":"a"},`, 9_999) + `{"text":"a"}]`
	for encoding, b := range map[string]string{"": body, "gzip": gzipped(body), "zstd": string(z.EncodeAll([]byte(body), nil))} {
		free := int64(requestOverhead + 10_000)
		others := c.cfg.MaxInFlight - free
		c.inFlight.Store(others)
		status, a, h := post(c, "/v1/text", b, "Content-Encoding", encoding)
		if status != 429 || h.Get("Retry-After") == "" {
			t.Errorf("%q: got %d %v", encoding, status, a)
		}
		if n := c.inFlight.Load(); n != others {
			t.Errorf("%q: %d bytes are still held", encoding, n-others)
		}
	}
}

// TestLasting checks that what the log will never take is the event's fault and not told
// to be sent again.
func TestLasting(t *testing.T) {
	small := collector(t, nil, func(c *Config, d *Deps) {
		c.MaxEventBytes = 2000
		cl, err := client.New([]string{"127.0.0.1:1"}, client.WithMaxBytes(2000))
		if err != nil {
			t.Fatal(err)
		}
		d.Client = cl
	})
	// Within the edge's limit, and above the log's with the tenant and an id.
	large := fmt.Sprintf(`{"text":%q}`, strings.Repeat("x", 1980))
	for _, body := range []string{large, "[" + large + "," + large + "]"} {
		status, a, h := post(small, "/v1/text", body)
		if status != 413 || h.Get("Retry-After") != "" || len(a.Errors) == 0 || a.Errors[0].Class != "too_large" || !strings.Contains(a.Errors[0].Message, "the limit is 2000") {
			t.Errorf("an event above the log's limit gave %d %+v", status, a)
		}
	}
	unfit := collector(t, nil, func(_ *Config, d *Deps) { d.Tenant = strings.Repeat("t", 65) })
	if status, a, h := post(unfit, "/v1/text", `{"text":"x"}`); status != 422 || h.Get("Retry-After") != "" || len(a.Errors) != 1 || a.Errors[0].Field != "tenant" {
		t.Errorf("an event that is not valid gave %d %+v", status, a)
	}
	mixed := collector(t, nil, func(c *Config, d *Deps) {
		c.MaxEventBytes = 2000
		cl, err := client.New(brokers(t), client.WithMaxBytes(2000))
		if err != nil {
			t.Fatal(err)
		}
		d.Client = cl
	})
	status, a, _ := post(mixed, "/v1/text", `[{"text":"a"},`+large+`,{"text":1},{"text":"b"}]`)
	if status != 202 || a.Accepted != 2 || len(a.Errors) != 2 || a.Errors[0].Index != 1 || a.Errors[1].Index != 2 {
		t.Errorf("an event among others gave %d %+v", status, a)
	}
}

func TestContentTypes(t *testing.T) {
	c := collector(t, nil, nil)
	for _, k := range []struct {
		media  string
		status int
		want   string
	}{
		{"application/json; charset=utf-8", 202, ""},
		{"text/json", 202, ""},
		{"application/jsonl", 202, ""},
		{"", 415, "-H 'Content-Type: application/json'"},
		{"application/x-www-form-urlencoded", 415, "-H 'Content-Type: application/json'"},
		{"text/plain;charset=UTF-8", 415, "application/x-ndjson"},
		{"multipart/form-data; boundary=x", 415, "application/json"},
		{"/", 415, "cannot be read"},
	} {
		if status, a, _ := post(c, "/v1/text", `{"text":"x"}`, "Content-Type", k.media); status != k.status || !strings.Contains(a.Error, k.want) {
			t.Errorf("%q gave %d %q; want %d %q", k.media, status, a.Error, k.status, k.want)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, k := range []struct {
		edit func(*Config)
		want string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.MaxEvents = 0 }, "positive"},
		{func(c *Config) { c.MaxInFlight = c.MaxBodyBytes }, "max_in_flight_bytes is 8388608, and one request may hold"},
		{func(c *Config) { c.MaxEvents = 1_000_000 }, "max_events (1000000)"},
		{func(c *Config) { c.MaxEventBytes = 5 << 20 }, "topics.max_input_bytes"},
	} {
		cl, err := client.New([]string{"127.0.0.1:1"}) // takes 4 MiB
		if err != nil {
			t.Fatal(err)
		}
		cfg := DefaultConfig()
		k.edit(&cfg)
		_, err = New(cfg, Deps{Client: cl, Tenant: "acme", Metrics: prometheus.NewRegistry()})
		if said := fmt.Sprint(err); (err == nil) != (k.want == "") || !strings.Contains(said, k.want) {
			t.Errorf("%+v: got %v, want %q", cfg, err, k.want)
		}
	}
}

// FuzzParts checks the cutting of JSON against encoding/json: the parts of what is JSON are
// its elements, and of what is not, one is not or it is refused.
func FuzzParts(f *testing.F) {
	for _, s := range []string{
		`[]`, ` [ ] `, `[1]`, "[1 ,\n2]", `[{"a":"]}\"\\"},"x",[[1,{}]],null,-1e5]`, `{"a":[1]}`, `[1,]`, `[,1]`, `[1 2]`, `[1}`, `[{]}]`, `[1]x`, `[`, `["`, `[tru]`, `["a""b"]`, `[{}{}]`, `[1"a"]`, ``, ` `,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, in := range []io.Reader{bytes.NewReader(body), iotest.OneByteReader(bytes.NewReader(body))} {
			got, err := cutAll(in)
			if errors.Is(err, errNotJSON) != !json.Valid(body) {
				t.Fatalf("%q: cut into %q, %v", body, got, err)
			}
			if err != nil {
				continue
			}
			want := []json.RawMessage{bytes.Trim(body, " \t\r\n")}
			if want[0][0] == '[' {
				if err := json.Unmarshal(body, &want); err != nil {
					t.Fatal(err)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("%q: cut into %q, not %q", body, got, want)
			}
			for i := range got {
				if !bytes.Equal(got[i], want[i]) {
					t.Fatalf("%q: cut into %q, not %q", body, got, want)
				}
			}
		}
	})
}

var errNotJSON = errors.New("not JSON")

// cutAll cuts a body and checks each part, as whoever decodes it does.
func cutAll(in io.Reader) (all [][]byte, err error) {
	p, err := newParts(in, mediaJSON, 1<<20)
	if err != nil {
		return nil, err
	}
	for {
		err := p.next()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil || !json.Valid(p.kept):
			return all, errNotJSON
		case p.size != int64(len(p.kept)):
			return all, fmt.Errorf("%d bytes of %d are kept", len(p.kept), p.size)
		}
		all = append(all, bytes.Clone(p.kept))
	}
}

func TestLines(t *testing.T) {
	body := "a\r\n\n  \nbcd\r\nabcde\n\tb \nabcdefgh"
	for _, in := range []io.Reader{strings.NewReader(body), iotest.OneByteReader(strings.NewReader(body))} {
		p, err := newParts(in, mediaLines, 3)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for err = p.next(); err == nil; err = p.next() {
			part := string(p.kept)
			if p.size > 3 {
				part = fmt.Sprint(p.size)
			}
			got = append(got, part)
		}
		if !errors.Is(err, io.EOF) || strings.Join(got, " ") != "a bcd 5 b 8" {
			t.Errorf("got %q, %v", got, err)
		}
	}
}
