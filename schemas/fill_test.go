package schemas

import (
	"fmt"
	"reflect"
	"testing"
)

// filled is a message of the kind with a value in every field, nil pointers and empty
// maps aside. Only tests use reflection.
func filled(t testing.TB, k Kind) Message {
	t.Helper()
	m := New(k)
	fill(t, reflect.ValueOf(m).Elem(), 1)
	return m
}

func fill(t testing.TB, v reflect.Value, n int) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n+i)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("zä\"%d", n))
	case reflect.Int64:
		v.SetInt(int64(n)*-1_000_000_007 - 1)
	case reflect.Int32:
		v.SetInt(int64(-n))
	case reflect.Float64:
		v.SetFloat(float64(n) + .1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(t, v.Index(i), n+i)
		}
	case reflect.Uint8:
		v.SetUint(uint64(n))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range 3 {
			value := reflect.New(v.Type().Elem()).Elem()
			fill(t, value, n+i)
			v.SetMapIndex(reflect.ValueOf(fmt.Sprintf("key-%d", i)), value)
		}
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}
