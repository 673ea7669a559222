package predict

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/ksuid"
	"golang.org/x/sync/errgroup"

	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/schemas"
)

// API is POST /v1/predict.
type API struct {
	cfg  Config
	deps APIDeps
	busy chan struct{} // holds a token for each request in work
}

// APIDeps is what the API works with.
type APIDeps struct {
	Models *Models
	Rules  *rules.Rules
	// Model is the model that is asked, Tenant whose the inferences are.
	Model, Tenant string
	Clock         func() time.Time
	// Log writes an inference and returns when the log has it.
	Log func(context.Context, *schemas.Inference) error
	// Room says why nothing new may be taken; nil where there is room.
	Room func() error
}

// Bounds of requests.
const (
	// mostRequests are in work at a time; further ones get 429.
	mostRequests = 64
	// logTimeout is what the log may take to acknowledge the inferences of a request.
	logTimeout = 10 * time.Second
	// mostLogging inferences of a request are on their way to the log at a time.
	mostLogging = 64
)

// NewAPI prepares the handler.
func NewAPI(cfg Config, deps APIDeps) (*API, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Models == nil || deps.Rules == nil || deps.Model == "" || deps.Tenant == "" || deps.Clock == nil || deps.Log == nil || deps.Room == nil {
		return nil, errors.New("predict: the API lacks a dependency")
	}
	return &API{cfg: cfg, deps: deps, busy: make(chan struct{}, mostRequests)}, nil
}

// question is the body of a request: one text, or several.
type question struct {
	Text        *string  `json:"text"`
	Texts       []string `json:"texts"`
	Data        []byte   `json:"data"`
	ContentType string   `json:"content_type"`
	Subject     string   `json:"subject"`
	SessionID   string   `json:"session_id"`

	single bool // text or data was given, not texts
}

// Answer is what is said of one text.
type Answer struct {
	InferenceID  string  `json:"inference_id,omitempty"`
	Prediction   string  `json:"prediction,omitempty"`
	Probability  float64 `json:"probability,omitempty"`
	ModelVersion string  `json:"model_version,omitempty"`
	// Rejected is the rule that refused the text.
	Rejected string `json:"rejected,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// ServeHTTP answers {"text": …} with an Answer and {"texts": […]} with {"answers": […]}.
// Every inference is on the log before it is answered.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		fail(w, http.StatusMethodNotAllowed, "POST a JSON object with text or texts")
		return
	}
	select {
	case a.busy <- struct{}{}:
		defer func() { <-a.busy }()
	default:
		later(w, http.StatusTooManyRequests, 1, fmt.Sprintf("%d requests are in work", mostRequests))
		return
	}
	q, status, err := a.read(w, r)
	if err != nil {
		fail(w, status, err.Error())
		return
	}
	if err := a.deps.Room(); err != nil {
		later(w, http.StatusServiceUnavailable, 30, "the inference could not be logged: "+err.Error())
		return
	}
	champion := a.deps.Models.Champion(a.deps.Model)
	if champion == nil {
		later(w, http.StatusServiceUnavailable, 5, "the model "+a.deps.Model+" has no champion yet: post labelled texts, or millrace train")
		return
	}
	answers := make([]Answer, len(q.Texts))
	logging, ctx := errgroup.WithContext(r.Context())
	logging.SetLimit(mostLogging)
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	for i, text := range q.Texts {
		inf := a.one(champion, q, text, &answers[i])
		if inf != nil {
			logging.Go(func() error { return a.deps.Log(ctx, inf) })
		}
	}
	if err := logging.Wait(); err != nil {
		later(w, http.StatusServiceUnavailable, 1, "the inference cannot be logged: "+err.Error())
		return
	}
	if q.single {
		reply(w, http.StatusOK, answers[0])
		return
	}
	reply(w, http.StatusOK, map[string]any{"answers": answers})
}

// read takes a request's body apart; where that fails, status is what to answer.
func (a *API) read(w http.ResponseWriter, r *http.Request) (q *question, status int, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, a.cfg.MaxBytes))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("the body has more than %d bytes", large.Limit)
	}
	if err != nil {
		return nil, http.StatusBadRequest, fmt.Errorf("the body cannot be read: %w", err)
	}
	q = new(question)
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(q); err != nil {
		return nil, http.StatusBadRequest, errors.New("the body is not a JSON object with text or texts: " + explain(err))
	}
	if d.More() {
		return nil, http.StatusBadRequest, errors.New("the body is more than one JSON object")
	}
	if q.single = q.Text != nil || len(q.Data) > 0; q.single {
		q.Texts = []string{""}
		if q.Text != nil {
			q.Texts[0] = *q.Text
		}
	}
	if n := len(q.Texts); n == 0 || n > a.cfg.MaxTexts {
		return nil, http.StatusUnprocessableEntity, fmt.Errorf("there are %d texts; 1 to %d are answered", n, a.cfg.MaxTexts)
	}
	return q, 0, nil
}

// explain says of a decoding error what the field has and should have, in JSON's words.
func explain(err error) string {
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field == "":
		return "it is a JSON " + wrong.Value
	case errors.As(err, &wrong):
		return fmt.Sprintf("%s is a JSON %s", wrong.Field, wrong.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// one answers for a text, and returns the inference that is to be logged; nil where the
// text was refused.
func (a *API) one(champion *Loaded, q *question, text string, answer *Answer) *schemas.Inference {
	in := schemas.Text{Text: text, Data: q.Data, ContentType: q.ContentType}
	in.Tenant, in.Subject, in.SessionID = a.deps.Tenant, q.Subject, q.SessionID
	var clean schemas.CleanText
	clean.ArrivedAt = schemas.MicrosOf(a.deps.Clock())
	if v := a.deps.Rules.Text(&in, &clean); !v.Clean() {
		*answer = Answer{Rejected: v.Rule, Detail: v.Detail}
		return nil
	}
	inf := infer(champion, a.deps.Model, &clean)
	inf.EventID = ksuid.New().String()
	inf.Source = "predict"
	inf.InputMessages = clean.Text
	*answer = Answer{InferenceID: inf.EventID, Prediction: inf.Prediction, Probability: inf.Confidence, ModelVersion: inf.ModelVersion}
	return inf
}

// later refuses a request that may be sent again.
func later(w http.ResponseWriter, status, seconds int, message string) {
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	fail(w, status, message)
}

func fail(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]string{"error": message})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}
