//go:build !linux

package openrtb

import "testing"

// fence returns a function that copies bytes to where quotes follow, which would end a string that is read past its end.
func fence(testing.TB) func(body []byte) []byte {
	return func(body []byte) []byte {
		around := make([]byte, 0, len(body)+16)
		around = append(around, body...)
		for range 16 {
			around = append(around, '"')
		}
		return around[:len(body):len(body)]
	}
}
