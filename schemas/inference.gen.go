// Code generated from schemas/proto by schemas/gen. DO NOT EDIT.

package schemas

// Inference is one call of a model. Names are those of OpenTelemetry's conventions
// for generative AI, with underscores.
type Inference struct {
	Envelope
	// chat, text_completion, embeddings, classify, and so on.
	OperationName  string
	ProviderName   string
	RequestModel   string
	ResponseModel  string
	ResponseID     string
	ConversationID string
	// The version of the model, as its registry names it.
	ModelVersion string
	// champion or canary, where Millrace serves the model.
	Role          string
	PromptName    string
	PromptVersion string
	// What was asked: JSON in OpenTelemetry's form, or a plain text.
	InputMessages string
	// What was answered, in the same form.
	OutputMessages     string
	SystemInstructions string
	ToolDefinitions    string
	// A classifier's answer.
	Prediction string
	// The probability of the prediction, 0 to 1.
	Confidence float64
	// The text event that a classifier judged.
	TextID                  string
	RequestStream           bool
	RequestTemperature      *float64
	RequestTopP             *float64
	RequestTopK             *int64
	RequestMaxTokens        *int64
	RequestSeed             *int64
	RequestFrequencyPenalty *float64
	RequestPresencePenalty  *float64
	RequestStopSequences    []string
	RequestChoiceCount      int64
	OutputType              string
	ResponseFinishReasons   []string
	// Tokens of the input, cached ones included.
	UsageInputTokens           int64
	UsageOutputTokens          int64
	UsageCacheReadInputTokens  int64
	UsageCacheWriteInputTokens int64
	UsageReasoningOutputTokens int64
	// US dollars.
	CostUSD float64
	// Seconds.
	Duration         float64
	TimeToFirstChunk float64
	ErrorType        string
	ServerAddress    string
	ServerPort       int64
	// Of a call through the gateway: the upstream's name in its configuration.
	Upstream string
	// How often it was tried.
	Attempts int64
	// The name of the key that it came with.
	KeyName string
	// How many calls were answered of which no event could be kept; such an event is of the
	// operation capture_gap, and of no call.
	CaptureGap int64
	// The client's own values, by their names.
	Attributes map[string]string
}

func (m *Inference) Kind() Kind { return KindInference }

func (m *Inference) Env() *Envelope { return &m.Envelope }

func (m *Inference) Reset() { *m = Inference{} }

func (m *Inference) Size() (n int) {
	if e := m.Envelope.size(); e > 0 {
		n += sizeOfEnvelope(e)
	}
	n += sizeString(2<<3|2, m.OperationName)
	n += sizeString(3<<3|2, m.ProviderName)
	n += sizeString(4<<3|2, m.RequestModel)
	n += sizeString(5<<3|2, m.ResponseModel)
	n += sizeString(6<<3|2, m.ResponseID)
	n += sizeString(7<<3|2, m.ConversationID)
	n += sizeString(8<<3|2, m.ModelVersion)
	n += sizeString(9<<3|2, m.Role)
	n += sizeString(10<<3|2, m.PromptName)
	n += sizeString(11<<3|2, m.PromptVersion)
	n += sizeString(20<<3|2, m.InputMessages)
	n += sizeString(21<<3|2, m.OutputMessages)
	n += sizeString(22<<3|2, m.SystemInstructions)
	n += sizeString(23<<3|2, m.ToolDefinitions)
	n += sizeString(24<<3|2, m.Prediction)
	n += sizeDouble(25<<3|1, m.Confidence)
	n += sizeString(26<<3|2, m.TextID)
	n += sizeBool(30<<3|0, m.RequestStream)
	n += sizeOptDouble(31<<3|1, m.RequestTemperature)
	n += sizeOptDouble(32<<3|1, m.RequestTopP)
	n += sizeOptInt64(33<<3|0, m.RequestTopK)
	n += sizeOptInt64(34<<3|0, m.RequestMaxTokens)
	n += sizeOptInt64(35<<3|0, m.RequestSeed)
	n += sizeOptDouble(36<<3|1, m.RequestFrequencyPenalty)
	n += sizeOptDouble(37<<3|1, m.RequestPresencePenalty)
	n += sizeStrings(38<<3|2, m.RequestStopSequences)
	n += sizeInt64(39<<3|0, m.RequestChoiceCount)
	n += sizeString(40<<3|2, m.OutputType)
	n += sizeStrings(41<<3|2, m.ResponseFinishReasons)
	n += sizeInt64(50<<3|0, m.UsageInputTokens)
	n += sizeInt64(51<<3|0, m.UsageOutputTokens)
	n += sizeInt64(52<<3|0, m.UsageCacheReadInputTokens)
	n += sizeInt64(53<<3|0, m.UsageCacheWriteInputTokens)
	n += sizeInt64(54<<3|0, m.UsageReasoningOutputTokens)
	n += sizeDouble(55<<3|1, m.CostUSD)
	n += sizeDouble(56<<3|1, m.Duration)
	n += sizeDouble(57<<3|1, m.TimeToFirstChunk)
	n += sizeString(58<<3|2, m.ErrorType)
	n += sizeString(59<<3|2, m.ServerAddress)
	n += sizeInt64(60<<3|0, m.ServerPort)
	n += sizeString(61<<3|2, m.Upstream)
	n += sizeInt64(62<<3|0, m.Attempts)
	n += sizeString(63<<3|2, m.KeyName)
	n += sizeInt64(64<<3|0, m.CaptureGap)
	n += sizeMapString(70<<3|2, m.Attributes)
	return n
}

func (m *Inference) MarshalAppend(b []byte) []byte {
	if e := m.Envelope.size(); e > 0 {
		b = m.Envelope.marshalAppend(putEnvelope(b, e))
	}
	b = putString(b, 2<<3|2, m.OperationName)
	b = putString(b, 3<<3|2, m.ProviderName)
	b = putString(b, 4<<3|2, m.RequestModel)
	b = putString(b, 5<<3|2, m.ResponseModel)
	b = putString(b, 6<<3|2, m.ResponseID)
	b = putString(b, 7<<3|2, m.ConversationID)
	b = putString(b, 8<<3|2, m.ModelVersion)
	b = putString(b, 9<<3|2, m.Role)
	b = putString(b, 10<<3|2, m.PromptName)
	b = putString(b, 11<<3|2, m.PromptVersion)
	b = putString(b, 20<<3|2, m.InputMessages)
	b = putString(b, 21<<3|2, m.OutputMessages)
	b = putString(b, 22<<3|2, m.SystemInstructions)
	b = putString(b, 23<<3|2, m.ToolDefinitions)
	b = putString(b, 24<<3|2, m.Prediction)
	b = putDouble(b, 25<<3|1, m.Confidence)
	b = putString(b, 26<<3|2, m.TextID)
	b = putBool(b, 30<<3|0, m.RequestStream)
	b = putOptDouble(b, 31<<3|1, m.RequestTemperature)
	b = putOptDouble(b, 32<<3|1, m.RequestTopP)
	b = putOptInt64(b, 33<<3|0, m.RequestTopK)
	b = putOptInt64(b, 34<<3|0, m.RequestMaxTokens)
	b = putOptInt64(b, 35<<3|0, m.RequestSeed)
	b = putOptDouble(b, 36<<3|1, m.RequestFrequencyPenalty)
	b = putOptDouble(b, 37<<3|1, m.RequestPresencePenalty)
	b = putStrings(b, 38<<3|2, m.RequestStopSequences)
	b = putInt64(b, 39<<3|0, m.RequestChoiceCount)
	b = putString(b, 40<<3|2, m.OutputType)
	b = putStrings(b, 41<<3|2, m.ResponseFinishReasons)
	b = putInt64(b, 50<<3|0, m.UsageInputTokens)
	b = putInt64(b, 51<<3|0, m.UsageOutputTokens)
	b = putInt64(b, 52<<3|0, m.UsageCacheReadInputTokens)
	b = putInt64(b, 53<<3|0, m.UsageCacheWriteInputTokens)
	b = putInt64(b, 54<<3|0, m.UsageReasoningOutputTokens)
	b = putDouble(b, 55<<3|1, m.CostUSD)
	b = putDouble(b, 56<<3|1, m.Duration)
	b = putDouble(b, 57<<3|1, m.TimeToFirstChunk)
	b = putString(b, 58<<3|2, m.ErrorType)
	b = putString(b, 59<<3|2, m.ServerAddress)
	b = putInt64(b, 60<<3|0, m.ServerPort)
	b = putString(b, 61<<3|2, m.Upstream)
	b = putInt64(b, 62<<3|0, m.Attempts)
	b = putString(b, 63<<3|2, m.KeyName)
	b = putInt64(b, 64<<3|0, m.CaptureGap)
	b = putMapString(b, 70<<3|2, m.Attributes)
	return b
}

func (m *Inference) Unmarshal(b []byte) error {
	m.Reset()
	w := newWireReader(b)
	for w.next() {
		switch w.num {
		case 1:
			outer := w.enter("envelope")
			m.Envelope.unmarshal(&w)
			w.leave(outer)
		case 2:
			m.OperationName = w.readString("operation_name")
		case 3:
			m.ProviderName = w.readString("provider_name")
		case 4:
			m.RequestModel = w.readString("request_model")
		case 5:
			m.ResponseModel = w.readString("response_model")
		case 6:
			m.ResponseID = w.readString("response_id")
		case 7:
			m.ConversationID = w.readString("conversation_id")
		case 8:
			m.ModelVersion = w.readString("model_version")
		case 9:
			m.Role = w.readString("role")
		case 10:
			m.PromptName = w.readString("prompt_name")
		case 11:
			m.PromptVersion = w.readString("prompt_version")
		case 20:
			m.InputMessages = w.readString("input_messages")
		case 21:
			m.OutputMessages = w.readString("output_messages")
		case 22:
			m.SystemInstructions = w.readString("system_instructions")
		case 23:
			m.ToolDefinitions = w.readString("tool_definitions")
		case 24:
			m.Prediction = w.readString("prediction")
		case 25:
			m.Confidence = w.readDouble("confidence")
		case 26:
			m.TextID = w.readString("text_id")
		case 30:
			m.RequestStream = w.readBool("request_stream")
		case 31:
			m.RequestTemperature = w.readOptDouble("request_temperature")
		case 32:
			m.RequestTopP = w.readOptDouble("request_top_p")
		case 33:
			m.RequestTopK = w.readOptInt64("request_top_k")
		case 34:
			m.RequestMaxTokens = w.readOptInt64("request_max_tokens")
		case 35:
			m.RequestSeed = w.readOptInt64("request_seed")
		case 36:
			m.RequestFrequencyPenalty = w.readOptDouble("request_frequency_penalty")
		case 37:
			m.RequestPresencePenalty = w.readOptDouble("request_presence_penalty")
		case 38:
			m.RequestStopSequences = w.readStrings("request_stop_sequences", m.RequestStopSequences)
		case 39:
			m.RequestChoiceCount = w.readInt64("request_choice_count")
		case 40:
			m.OutputType = w.readString("output_type")
		case 41:
			m.ResponseFinishReasons = w.readStrings("response_finish_reasons", m.ResponseFinishReasons)
		case 50:
			m.UsageInputTokens = w.readInt64("usage_input_tokens")
		case 51:
			m.UsageOutputTokens = w.readInt64("usage_output_tokens")
		case 52:
			m.UsageCacheReadInputTokens = w.readInt64("usage_cache_read_input_tokens")
		case 53:
			m.UsageCacheWriteInputTokens = w.readInt64("usage_cache_write_input_tokens")
		case 54:
			m.UsageReasoningOutputTokens = w.readInt64("usage_reasoning_output_tokens")
		case 55:
			m.CostUSD = w.readDouble("cost_usd")
		case 56:
			m.Duration = w.readDouble("duration")
		case 57:
			m.TimeToFirstChunk = w.readDouble("time_to_first_chunk")
		case 58:
			m.ErrorType = w.readString("error_type")
		case 59:
			m.ServerAddress = w.readString("server_address")
		case 60:
			m.ServerPort = w.readInt64("server_port")
		case 61:
			m.Upstream = w.readString("upstream")
		case 62:
			m.Attempts = w.readInt64("attempts")
		case 63:
			m.KeyName = w.readString("key_name")
		case 64:
			m.CaptureGap = w.readInt64("capture_gap")
		case 70:
			m.Attributes = w.readMapString("attributes", m.Attributes)
		default:
			w.skip()
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *Inference) AppendJSON(b []byte) []byte {
	b = m.Envelope.appendJSON(append(b, '{'))
	b = jsonString(b, `"operation_name":`, m.OperationName)
	b = jsonString(b, `"provider_name":`, m.ProviderName)
	b = jsonString(b, `"request_model":`, m.RequestModel)
	b = jsonString(b, `"response_model":`, m.ResponseModel)
	b = jsonString(b, `"response_id":`, m.ResponseID)
	b = jsonString(b, `"conversation_id":`, m.ConversationID)
	b = jsonString(b, `"model_version":`, m.ModelVersion)
	b = jsonString(b, `"role":`, m.Role)
	b = jsonString(b, `"prompt_name":`, m.PromptName)
	b = jsonString(b, `"prompt_version":`, m.PromptVersion)
	b = jsonString(b, `"input_messages":`, m.InputMessages)
	b = jsonString(b, `"output_messages":`, m.OutputMessages)
	b = jsonString(b, `"system_instructions":`, m.SystemInstructions)
	b = jsonString(b, `"tool_definitions":`, m.ToolDefinitions)
	b = jsonString(b, `"prediction":`, m.Prediction)
	b = jsonDouble(b, `"confidence":`, m.Confidence)
	b = jsonString(b, `"text_id":`, m.TextID)
	b = jsonBool(b, `"request_stream":`, m.RequestStream)
	b = jsonOptDouble(b, `"request_temperature":`, m.RequestTemperature)
	b = jsonOptDouble(b, `"request_top_p":`, m.RequestTopP)
	b = jsonOptInt64(b, `"request_top_k":`, m.RequestTopK)
	b = jsonOptInt64(b, `"request_max_tokens":`, m.RequestMaxTokens)
	b = jsonOptInt64(b, `"request_seed":`, m.RequestSeed)
	b = jsonOptDouble(b, `"request_frequency_penalty":`, m.RequestFrequencyPenalty)
	b = jsonOptDouble(b, `"request_presence_penalty":`, m.RequestPresencePenalty)
	b = jsonStrings(b, `"request_stop_sequences":`, m.RequestStopSequences)
	b = jsonInt64(b, `"request_choice_count":`, m.RequestChoiceCount)
	b = jsonString(b, `"output_type":`, m.OutputType)
	b = jsonStrings(b, `"response_finish_reasons":`, m.ResponseFinishReasons)
	b = jsonInt64(b, `"usage_input_tokens":`, m.UsageInputTokens)
	b = jsonInt64(b, `"usage_output_tokens":`, m.UsageOutputTokens)
	b = jsonInt64(b, `"usage_cache_read_input_tokens":`, m.UsageCacheReadInputTokens)
	b = jsonInt64(b, `"usage_cache_write_input_tokens":`, m.UsageCacheWriteInputTokens)
	b = jsonInt64(b, `"usage_reasoning_output_tokens":`, m.UsageReasoningOutputTokens)
	b = jsonDouble(b, `"cost_usd":`, m.CostUSD)
	b = jsonDouble(b, `"duration":`, m.Duration)
	b = jsonDouble(b, `"time_to_first_chunk":`, m.TimeToFirstChunk)
	b = jsonString(b, `"error_type":`, m.ErrorType)
	b = jsonString(b, `"server_address":`, m.ServerAddress)
	b = jsonInt64(b, `"server_port":`, m.ServerPort)
	b = jsonString(b, `"upstream":`, m.Upstream)
	b = jsonInt64(b, `"attempts":`, m.Attempts)
	b = jsonString(b, `"key_name":`, m.KeyName)
	b = jsonInt64(b, `"capture_gap":`, m.CaptureGap)
	b = jsonMapString(b, `"attributes":`, m.Attributes)
	return append(b, '}')
}

func (m *Inference) DecodeJSON(b []byte) error {
	m.Reset()
	r := newJSONReader(b)
	for key, ok := r.first(); ok; key, ok = r.next() {
		switch key {
		case "operation_name", "gen_ai.operation.name", "operationName":
			m.OperationName = r.readString("operation_name", 64)
		case "provider_name", "gen_ai.provider.name", "providerName", "gen_ai.system":
			m.ProviderName = r.readString("provider_name", 64)
		case "request_model", "gen_ai.request.model", "requestModel", "model":
			m.RequestModel = r.readString("request_model", 256)
		case "response_model", "gen_ai.response.model", "responseModel":
			m.ResponseModel = r.readString("response_model", 256)
		case "response_id", "gen_ai.response.id", "responseId":
			m.ResponseID = r.readString("response_id", 256)
		case "conversation_id", "gen_ai.conversation.id", "conversationId":
			m.ConversationID = r.readString("conversation_id", 256)
		case "model_version", "modelVersion":
			m.ModelVersion = r.readString("model_version", 128)
		case "role":
			m.Role = r.readString("role", 32)
		case "prompt_name", "gen_ai.prompt.name", "promptName":
			m.PromptName = r.readString("prompt_name", 256)
		case "prompt_version", "gen_ai.prompt.version", "promptVersion":
			m.PromptVersion = r.readString("prompt_version", 128)
		case "input_messages", "gen_ai.input.messages", "inputMessages", "gen_ai.prompt", "input":
			m.InputMessages = r.readJSON("input_messages", 0)
		case "output_messages", "gen_ai.output.messages", "outputMessages", "gen_ai.completion", "output":
			m.OutputMessages = r.readJSON("output_messages", 0)
		case "system_instructions", "gen_ai.system_instructions", "systemInstructions":
			m.SystemInstructions = r.readJSON("system_instructions", 0)
		case "tool_definitions", "gen_ai.tool.definitions", "toolDefinitions":
			m.ToolDefinitions = r.readJSON("tool_definitions", 0)
		case "prediction":
			m.Prediction = r.readString("prediction", 256)
		case "confidence":
			m.Confidence = r.readDouble("confidence")
		case "text_id", "textId":
			m.TextID = r.readString("text_id", 128)
		case "request_stream", "gen_ai.request.stream", "requestStream":
			m.RequestStream = r.readBool("request_stream")
		case "request_temperature", "gen_ai.request.temperature", "requestTemperature":
			m.RequestTemperature = r.readOptDouble("request_temperature")
		case "request_top_p", "gen_ai.request.top_p", "requestTopP":
			m.RequestTopP = r.readOptDouble("request_top_p")
		case "request_top_k", "gen_ai.request.top_k", "requestTopK":
			m.RequestTopK = r.readOptInt64("request_top_k")
		case "request_max_tokens", "gen_ai.request.max_tokens", "requestMaxTokens":
			m.RequestMaxTokens = r.readOptInt64("request_max_tokens")
		case "request_seed", "gen_ai.request.seed", "requestSeed":
			m.RequestSeed = r.readOptInt64("request_seed")
		case "request_frequency_penalty", "gen_ai.request.frequency_penalty", "requestFrequencyPenalty":
			m.RequestFrequencyPenalty = r.readOptDouble("request_frequency_penalty")
		case "request_presence_penalty", "gen_ai.request.presence_penalty", "requestPresencePenalty":
			m.RequestPresencePenalty = r.readOptDouble("request_presence_penalty")
		case "request_stop_sequences", "gen_ai.request.stop_sequences", "requestStopSequences":
			m.RequestStopSequences = r.readStrings("request_stop_sequences")
		case "request_choice_count", "gen_ai.request.choice.count", "requestChoiceCount":
			m.RequestChoiceCount = r.readInt64("request_choice_count")
		case "output_type", "gen_ai.output.type", "outputType":
			m.OutputType = r.readString("output_type", 64)
		case "response_finish_reasons", "gen_ai.response.finish_reasons", "responseFinishReasons":
			m.ResponseFinishReasons = r.readStrings("response_finish_reasons")
		case "usage_input_tokens", "gen_ai.usage.input_tokens", "usageInputTokens", "gen_ai.usage.prompt_tokens":
			m.UsageInputTokens = r.readInt64("usage_input_tokens")
		case "usage_output_tokens", "gen_ai.usage.output_tokens", "usageOutputTokens", "gen_ai.usage.completion_tokens":
			m.UsageOutputTokens = r.readInt64("usage_output_tokens")
		case "usage_cache_read_input_tokens", "gen_ai.usage.cache_read.input_tokens", "usageCacheReadInputTokens":
			m.UsageCacheReadInputTokens = r.readInt64("usage_cache_read_input_tokens")
		case "usage_cache_write_input_tokens", "gen_ai.usage.cache_write.input_tokens", "usageCacheWriteInputTokens", "gen_ai.usage.cache_creation.input_tokens":
			m.UsageCacheWriteInputTokens = r.readInt64("usage_cache_write_input_tokens")
		case "usage_reasoning_output_tokens", "gen_ai.usage.reasoning.output_tokens", "usageReasoningOutputTokens":
			m.UsageReasoningOutputTokens = r.readInt64("usage_reasoning_output_tokens")
		case "cost_usd", "costUsd":
			m.CostUSD = r.readDouble("cost_usd")
		case "duration", "gen_ai.client.inference.duration", "gen_ai.client.operation.duration":
			m.Duration = r.readDouble("duration")
		case "time_to_first_chunk", "gen_ai.response.time_to_first_chunk", "timeToFirstChunk":
			m.TimeToFirstChunk = r.readDouble("time_to_first_chunk")
		case "error_type", "error.type", "errorType":
			m.ErrorType = r.readString("error_type", 256)
		case "server_address", "server.address", "serverAddress":
			m.ServerAddress = r.readString("server_address", 256)
		case "server_port", "server.port", "serverPort":
			m.ServerPort = r.readInt64("server_port")
		case "upstream":
			m.Upstream = r.readString("upstream", 128)
		case "attempts":
			m.Attempts = r.readInt64("attempts")
		case "key_name", "keyName":
			m.KeyName = r.readString("key_name", 128)
		case "capture_gap", "captureGap":
			m.CaptureGap = r.readInt64("capture_gap")
		case "attributes":
			m.Attributes = r.readMapString("attributes")
		default:
			if !m.Envelope.readJSON(&r, key) {
				r.unknown(key, inferenceNames())
			}
		}
	}
	if err := r.finish(); err != nil {
		return err
	}
	return m.checkValues()
}

func (m *Inference) Validate() error {
	if err := m.checkValues(); err != nil {
		return err
	}
	if err := m.Envelope.checkText(); err != nil {
		return err
	}
	if !validString(m.OperationName) {
		return notUTF8("operation_name")
	}
	if !validString(m.ProviderName) {
		return notUTF8("provider_name")
	}
	if !validString(m.RequestModel) {
		return notUTF8("request_model")
	}
	if !validString(m.ResponseModel) {
		return notUTF8("response_model")
	}
	if !validString(m.ResponseID) {
		return notUTF8("response_id")
	}
	if !validString(m.ConversationID) {
		return notUTF8("conversation_id")
	}
	if !validString(m.ModelVersion) {
		return notUTF8("model_version")
	}
	if !validString(m.Role) {
		return notUTF8("role")
	}
	if !validString(m.PromptName) {
		return notUTF8("prompt_name")
	}
	if !validString(m.PromptVersion) {
		return notUTF8("prompt_version")
	}
	if !validString(m.InputMessages) {
		return notUTF8("input_messages")
	}
	if !validString(m.OutputMessages) {
		return notUTF8("output_messages")
	}
	if !validString(m.SystemInstructions) {
		return notUTF8("system_instructions")
	}
	if !validString(m.ToolDefinitions) {
		return notUTF8("tool_definitions")
	}
	if !validString(m.Prediction) {
		return notUTF8("prediction")
	}
	if !validString(m.TextID) {
		return notUTF8("text_id")
	}
	if !validStrings(m.RequestStopSequences) {
		return notUTF8("request_stop_sequences")
	}
	if !validString(m.OutputType) {
		return notUTF8("output_type")
	}
	if !validStrings(m.ResponseFinishReasons) {
		return notUTF8("response_finish_reasons")
	}
	if !validString(m.ErrorType) {
		return notUTF8("error_type")
	}
	if !validString(m.ServerAddress) {
		return notUTF8("server_address")
	}
	if !validString(m.Upstream) {
		return notUTF8("upstream")
	}
	if !validString(m.KeyName) {
		return notUTF8("key_name")
	}
	if !validMapString(m.Attributes) {
		return notUTF8("attributes")
	}
	return nil
}

// checkValues is what Unmarshal and DecodeJSON have yet to check: they take no text
// that is not UTF-8.
func (m *Inference) checkValues() error {
	if err := m.Envelope.checkValues(); err != nil {
		return err
	}
	if len(m.OperationName) > 64 {
		return tooLarge("operation_name", 64, len(m.OperationName))
	}
	if len(m.ProviderName) > 64 {
		return tooLarge("provider_name", 64, len(m.ProviderName))
	}
	if m.RequestModel == "" {
		return missingField("request_model")
	}
	if len(m.RequestModel) > 256 {
		return tooLarge("request_model", 256, len(m.RequestModel))
	}
	if len(m.ResponseModel) > 256 {
		return tooLarge("response_model", 256, len(m.ResponseModel))
	}
	if len(m.ResponseID) > 256 {
		return tooLarge("response_id", 256, len(m.ResponseID))
	}
	if len(m.ConversationID) > 256 {
		return tooLarge("conversation_id", 256, len(m.ConversationID))
	}
	if len(m.ModelVersion) > 128 {
		return tooLarge("model_version", 128, len(m.ModelVersion))
	}
	if len(m.Role) > 32 {
		return tooLarge("role", 32, len(m.Role))
	}
	if len(m.PromptName) > 256 {
		return tooLarge("prompt_name", 256, len(m.PromptName))
	}
	if len(m.PromptVersion) > 128 {
		return tooLarge("prompt_version", 128, len(m.PromptVersion))
	}
	if len(m.Prediction) > 256 {
		return tooLarge("prediction", 256, len(m.Prediction))
	}
	if len(m.TextID) > 128 {
		return tooLarge("text_id", 128, len(m.TextID))
	}
	if len(m.OutputType) > 64 {
		return tooLarge("output_type", 64, len(m.OutputType))
	}
	if len(m.ErrorType) > 256 {
		return tooLarge("error_type", 256, len(m.ErrorType))
	}
	if len(m.ServerAddress) > 256 {
		return tooLarge("server_address", 256, len(m.ServerAddress))
	}
	if len(m.Upstream) > 128 {
		return tooLarge("upstream", 128, len(m.Upstream))
	}
	if len(m.KeyName) > 128 {
		return tooLarge("key_name", 128, len(m.KeyName))
	}
	return nil
}

func inferenceNames() []string {
	return append(envelopeNames(), "operation_name", "gen_ai.operation.name", "operationName", "provider_name", "gen_ai.provider.name", "providerName", "gen_ai.system", "request_model", "gen_ai.request.model", "requestModel", "model", "response_model", "gen_ai.response.model", "responseModel", "response_id", "gen_ai.response.id", "responseId", "conversation_id", "gen_ai.conversation.id", "conversationId", "model_version", "modelVersion", "role", "prompt_name", "gen_ai.prompt.name", "promptName", "prompt_version", "gen_ai.prompt.version", "promptVersion", "input_messages", "gen_ai.input.messages", "inputMessages", "gen_ai.prompt", "input", "output_messages", "gen_ai.output.messages", "outputMessages", "gen_ai.completion", "output", "system_instructions", "gen_ai.system_instructions", "systemInstructions", "tool_definitions", "gen_ai.tool.definitions", "toolDefinitions", "prediction", "confidence", "text_id", "textId", "request_stream", "gen_ai.request.stream", "requestStream", "request_temperature", "gen_ai.request.temperature", "requestTemperature", "request_top_p", "gen_ai.request.top_p", "requestTopP", "request_top_k", "gen_ai.request.top_k", "requestTopK", "request_max_tokens", "gen_ai.request.max_tokens", "requestMaxTokens", "request_seed", "gen_ai.request.seed", "requestSeed", "request_frequency_penalty", "gen_ai.request.frequency_penalty", "requestFrequencyPenalty", "request_presence_penalty", "gen_ai.request.presence_penalty", "requestPresencePenalty", "request_stop_sequences", "gen_ai.request.stop_sequences", "requestStopSequences", "request_choice_count", "gen_ai.request.choice.count", "requestChoiceCount", "output_type", "gen_ai.output.type", "outputType", "response_finish_reasons", "gen_ai.response.finish_reasons", "responseFinishReasons", "usage_input_tokens", "gen_ai.usage.input_tokens", "usageInputTokens", "gen_ai.usage.prompt_tokens", "usage_output_tokens", "gen_ai.usage.output_tokens", "usageOutputTokens", "gen_ai.usage.completion_tokens", "usage_cache_read_input_tokens", "gen_ai.usage.cache_read.input_tokens", "usageCacheReadInputTokens", "usage_cache_write_input_tokens", "gen_ai.usage.cache_write.input_tokens", "usageCacheWriteInputTokens", "gen_ai.usage.cache_creation.input_tokens", "usage_reasoning_output_tokens", "gen_ai.usage.reasoning.output_tokens", "usageReasoningOutputTokens", "cost_usd", "costUsd", "duration", "gen_ai.client.inference.duration", "gen_ai.client.operation.duration", "time_to_first_chunk", "gen_ai.response.time_to_first_chunk", "timeToFirstChunk", "error_type", "error.type", "errorType", "server_address", "server.address", "serverAddress", "server_port", "server.port", "serverPort", "upstream", "attempts", "key_name", "keyName", "capture_gap", "captureGap", "attributes")
}
