// Package sample makes events for tests: a value in every field, and no two alike.
package sample

import (
	"fmt"
	"reflect"
)

// Fill sets every field of the struct that to points to. The same n gives the same
// values.
func Fill(to any, n int) { fill(reflect.ValueOf(to).Elem(), n) }

func fill(v reflect.Value, n int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n+i)
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
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n+i)
		}
	case reflect.Uint8:
		v.SetUint(uint64(n))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range 3 {
			value := reflect.New(v.Type().Elem()).Elem()
			fill(value, n+i)
			v.SetMapIndex(reflect.ValueOf(fmt.Sprintf("key-%d", i)), value)
		}
	default:
		panic(fmt.Sprintf("sample: no value for a %s", v.Type()))
	}
}
