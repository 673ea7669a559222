package rules

import (
	"reflect"
	"slices"
	"testing"

	"github.com/millrace-io/millrace/schemas"
)

// TestTextFields checks that whatever a producer may say of a text arrives in its clean
// form: what stands in both definitions, and what the generator carries over.
func TestTextFields(t *testing.T) {
	r, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	consumed := []string{"Envelope", "Data"} // carried as a whole; what Text is made of, where it is no text
	in := schemas.Text{Text: "some words of a text"}
	v := reflect.ValueOf(&in).Elem()
	for _, f := range reflect.VisibleFields(v.Type()) {
		if len(f.Index) > 1 || slices.Contains(consumed, f.Name) || f.Name == "Text" {
			continue
		}
		switch field := v.FieldByIndex(f.Index); field.Interface().(type) {
		case string:
			field.SetString("plain")
		case map[string]string:
			field.Set(reflect.ValueOf(map[string]string{"a": "b"}))
		default:
			t.Fatalf("Text has a field %s of type %s: this test does not know how to fill it", f.Name, f.Type)
		}
	}
	in.ContentType = "text/plain"
	var out schemas.CleanText
	if verdict := r.Text(&in, &out); !verdict.Clean() {
		t.Fatalf("the text is refused: %+v", verdict)
	}
	clean := reflect.ValueOf(out)
	for _, f := range reflect.VisibleFields(v.Type()) {
		if len(f.Index) > 1 || slices.Contains(consumed, f.Name) {
			continue
		}
		switch field := clean.FieldByName(f.Name); {
		case !field.IsValid():
			t.Errorf("Text has a field %s and CleanText has none: what producers say there would be lost", f.Name)
		case !reflect.DeepEqual(field.Interface(), v.FieldByIndex(f.Index).Interface()):
			t.Errorf("field %s is %v in a text and %v in its clean form: carry it over in Rules.Text", f.Name, v.FieldByIndex(f.Index), field)
		}
	}
}
