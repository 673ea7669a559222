// Package classifier is a linear text model of the fastText class: a bag of hashed word
// and character n-grams, a softmax over labels, trained by stochastic gradient descent on
// the CPU in seconds and asked in microseconds.
//
// It differs from fastText where that pays on few labels: features are weighted
// 1 + log(count) and scaled to unit length, there is no hidden layer and no bias, which
// would hold a label's past frequency against it, and every feature
// has a learning rate of its own (row-wise AdaGrad: Duchi, Hazan, Singer, JMLR 12, 2011,
// with one accumulator a feature). Labels that are rare weigh more, so that a new class
// is learned from a few examples.
package classifier

import "fmt"

// Config says how a model is trained.
type Config struct {
	// WordNgrams is the longest run of words that is a feature, 1 or 2.
	WordNgrams int `yaml:"word_ngrams"`
	// CharMin and CharMax are the lengths of character n-grams within words; 0 for none.
	CharMin int `yaml:"char_min"`
	CharMax int `yaml:"char_max"`
	// MaxTokens bounds what is read of a text.
	MaxTokens int `yaml:"max_tokens"`
	// Epochs and LearningRate of the descent; the rate falls linearly to zero.
	Epochs       int     `yaml:"epochs"`
	LearningRate float64 `yaml:"learning_rate"`
	// Balance is the power of the inverse of a label's frequency that its examples weigh:
	// 0 for none, 1 to make all labels equal.
	Balance float64 `yaml:"balance"`
	// Shards is the number of parts that are trained side by side and averaged after each
	// epoch (McDonald, Hall, Mann, NAACL 2010). It is part of the model, whatever the
	// number of cores: the same data, seed and shards give the same bytes.
	Shards int `yaml:"shards"`
	// MaxBytes bounds the weights of a model, 4 bytes for each feature and label; a training
	// holds one such copy for itself and one for each shard. It is no part of the model.
	MaxBytes int64 `yaml:"max_bytes" json:"-"`
}

// DefaultConfig was chosen on mail and on short questions alike (docs/benchmarks.md).
func DefaultConfig() Config {
	return Config{WordNgrams: 2, MaxTokens: 1000, Epochs: 10, LearningRate: .5, Balance: .5, Shards: 2, MaxBytes: 512 << 20}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	switch {
	case c.WordNgrams < 1 || c.WordNgrams > 2:
		return fmt.Errorf("classifier: word_ngrams must be 1 or 2, got %d", c.WordNgrams)
	case c.CharMin < 0 || c.CharMax < c.CharMin || c.CharMax > 8 || c.CharMin == 0 && c.CharMax > 0:
		return fmt.Errorf("classifier: char_min and char_max must be 0, or 1 to 8 and in order, got %d, %d", c.CharMin, c.CharMax)
	case c.MaxTokens < 1 || c.Epochs < 1 || c.Epochs > 1000 || c.Shards < 1 || c.Shards > 256:
		return fmt.Errorf("classifier: max_tokens must be positive, epochs 1 to 1000, shards 1 to 256, got %d, %d, %d", c.MaxTokens, c.Epochs, c.Shards)
	case c.MaxBytes < 1<<20:
		return fmt.Errorf("classifier: max_bytes must be 1048576 or more, got %d", c.MaxBytes)
	case !(c.LearningRate > 0 && c.LearningRate <= 100) || !(c.Balance >= 0 && c.Balance <= 1):
		return fmt.Errorf("classifier: learning_rate must be above 0 and balance 0 to 1, got %g, %g", c.LearningRate, c.Balance)
	}
	return nil
}
