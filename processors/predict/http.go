package predict

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/segmentio/ksuid"

	"github.com/millrace-io/millrace/internal/rules"
	"github.com/millrace-io/millrace/schemas"
)

// API is POST /v1/predict.
type API struct {
	cfg    Config
	models *Models
	rules  *rules.Rules
	model  string
	tenant string
	log    func(ctx context.Context, i *schemas.Inference) error
	clock  func() time.Time
}

// NewAPI prepares the handler. log writes an inference and returns when the log has it.
func NewAPI(cfg Config, models *Models, r *rules.Rules, model, tenant string, clock func() time.Time, log func(context.Context, *schemas.Inference) error) (*API, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &API{cfg: cfg, models: models, rules: r, model: model, tenant: tenant, log: log, clock: clock}, nil
}

// question is the body of a request: one text, or several.
type question struct {
	Text        *string  `json:"text"`
	Texts       []string `json:"texts"`
	Data        []byte   `json:"data"`
	ContentType string   `json:"content_type"`
	Subject     string   `json:"subject"`
	SessionID   string   `json:"session_id"`
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
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, a.cfg.MaxBytes))
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", a.cfg.MaxBytes))
		return
	}
	var q question
	if err := json.Unmarshal(body, &q); err != nil {
		fail(w, http.StatusBadRequest, "the body is not a JSON object with text or texts: "+err.Error())
		return
	}
	texts := q.Texts
	single := q.Text != nil || len(q.Data) > 0
	if single {
		texts = []string{""}
		if q.Text != nil {
			texts[0] = *q.Text
		}
	}
	if len(texts) == 0 || len(texts) > a.cfg.MaxTexts {
		fail(w, http.StatusUnprocessableEntity, fmt.Sprintf("there are %d texts; 1 to %d are answered", len(texts), a.cfg.MaxTexts))
		return
	}
	champion := a.models.Champion(a.model)
	if champion == nil {
		w.Header().Set("Retry-After", "5")
		fail(w, http.StatusServiceUnavailable, "the model "+a.model+" has no champion yet: post labelled texts, or millrace train")
		return
	}
	answers := make([]Answer, len(texts))
	for i, text := range texts {
		if answers[i], err = a.one(r.Context(), champion, &q, text); err != nil {
			w.Header().Set("Retry-After", "1")
			fail(w, http.StatusServiceUnavailable, "the inference cannot be logged: "+err.Error())
			return
		}
	}
	if single {
		reply(w, http.StatusOK, answers[0])
		return
	}
	reply(w, http.StatusOK, map[string]any{"answers": answers})
}

func (a *API) one(ctx context.Context, champion *Loaded, q *question, text string) (Answer, error) {
	in := schemas.Text{Text: text, Data: q.Data, ContentType: q.ContentType}
	in.Tenant, in.Subject, in.SessionID = a.tenant, q.Subject, q.SessionID
	var clean schemas.CleanText
	clean.ArrivedAt = schemas.MicrosOf(a.clock())
	if v := a.rules.Text(&in, &clean); !v.Clean() {
		return Answer{Rejected: v.Rule, Detail: v.Detail}, nil
	}
	inf := infer(champion, a.model, &clean)
	inf.EventID = ksuid.New().String()
	inf.Source = "predict"
	inf.InputMessages = clean.Text
	if err := a.log(ctx, inf); err != nil {
		return Answer{}, errors.Join(errors.New("predict: log an inference"), err)
	}
	return Answer{InferenceID: inf.EventID, Prediction: inf.Prediction, Probability: inf.Confidence, ModelVersion: inf.ModelVersion}, nil
}

func fail(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]string{"error": message})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}
