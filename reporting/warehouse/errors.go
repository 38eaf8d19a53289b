package warehouse

import (
	"fmt"
	"net/http"
)

// ClickHouse's error codes that this package gives or maps by itself.
const (
	codeSyntax             = 62
	codeIncorrectData      = 117
	codeTimeout            = 159
	codeReadonly           = 164
	codeCannotWrite        = 75
	codeTooManyQueries     = 202
	codeQueryTooLarge      = 229
	codeAborted            = 236
	codeMemoryLimit        = 241
	codeSessionNotFound    = 372
	codeSessionLocked      = 373
	codeNotImplemented     = 48
	codeBadArguments       = 36
	codeAccessDenied       = 497
	codeAuthentication     = 516
	codeStdException       = 1001
	codeUnknownCompression = 89
)

// Error is an error as ClickHouse gives it: its code, the code's name and text.
type Error struct {
	Code    int
	Name    string
	Message string
}

// Error is the text as a server writes it, without its version.
func (e *Error) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("Code: %d. DB::Exception: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("Code: %d. DB::Exception: %s (%s)", e.Code, e.Message, e.Name)
}

func errorf(code int, name, format string, args ...any) *Error {
	return &Error{Code: code, Name: name, Message: fmt.Sprintf(format, args...)}
}

func denied(format string, args ...any) *Error {
	return errorf(codeAccessDenied, "ACCESS_DENIED", format, args...)
}

// httpStatus is the status that a server gives with an error code.
func httpStatus(code int) int {
	switch code {
	case 194: // REQUIRED_PASSWORD
		return http.StatusUnauthorized
	case 192, 193, codeAuthentication, codeAccessDenied:
		return http.StatusForbidden
	case codeBadArguments, 6, 25, 26, 27, 37, 38, 41, 53, codeSyntax, 69, 72, codeIncorrectData, codeUnknownCompression,
		108, 123, 167, 168, 271, 376, 427, 441, 452, 456, 457, 467, 675, 676:
		return http.StatusBadRequest
	case 46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511, codeSessionNotFound:
		return http.StatusNotFound
	case codeTimeout:
		return http.StatusRequestTimeout
	case codeQueryTooLarge:
		return http.StatusRequestEntityTooLarge
	case codeNotImplemented:
		return http.StatusNotImplemented
	case codeTooManyQueries, codeAborted, codeMemoryLimit, 209, 745:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
