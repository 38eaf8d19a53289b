package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/text/language"

	"github.com/grosz/grosz/console/phrases"
)

// Answers say what is wrong in the language that is asked for: English unless
// the request prefers one that the book of phrases has. Whatever the language,
// each message has its phrase's code and what fills it.

// speaker says answers in a request's language.
type speaker struct {
	book *phrases.Book
	tags language.Matcher
	// unknown hears of a sentence that the book does not have.
	unknown func(text string)
}

// Language of those who ask for none, and of all sentences as they are written.
const plainLanguage = "en"

// codeUnknown is the code of a message that is no phrase; it stays in English.
const codeUnknown = "other"

func newSpeaker(unknown func(text string)) (*speaker, error) {
	lists := map[string]map[string]string{}
	tags := make([]language.Tag, 0, len(languages()))
	for _, lang := range languages() {
		raw, err := web.ReadFile("web/words/problems." + lang + ".json")
		if err != nil {
			return nil, fmt.Errorf("read the phrases: %w", err)
		}
		list := map[string]string{}
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("read the phrases of %s: %w", lang, err)
		}
		lists[lang] = list
		tags = append(tags, language.Make(lang))
	}
	book, err := phrases.New(plainLanguage, lists)
	if err != nil {
		return nil, err
	}
	return &speaker{book: book, tags: language.NewMatcher(tags), unknown: unknown}, nil
}

type languageKey struct{}

// listen notes the language that a request asks for.
func (v *speaker) listen(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lang := v.wanted(r.Header.Get("Accept-Language")); lang != plainLanguage {
			r = r.WithContext(context.WithValue(r.Context(), languageKey{}, lang))
		}
		next.ServeHTTP(w, r)
	})
}

// wanted is the language that the header prefers (RFC 9110 §12.5.4).
func (v *speaker) wanted(header string) string {
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil || len(tags) == 0 {
		return plainLanguage
	}
	_, i, sure := v.tags.Match(tags...)
	if sure == language.No {
		return plainLanguage
	}
	return languages()[i]
}

// languageOf is the language that the request of ctx asks for.
func languageOf(ctx context.Context) string {
	if lang, ok := ctx.Value(languageKey{}).(string); ok {
		return lang
	}
	return plainLanguage
}

// say says a sentence in a language, with its code and what fills it. A
// sentence that the book does not have stays as it is. Several mistakes in one
// text stand in lines; the first gives the code.
func (v *speaker) say(lang, text string) (said, code string, places map[string]string) {
	s, ok := v.book.Say(lang, text)
	first, rest, lines := strings.Cut(text, "\n")
	switch {
	case !ok && lines:
		said, code, places = v.say(lang, first)
		more, _, _ := v.say(lang, rest)
		return said + "\n" + more, code, places
	case !ok:
		v.unknown(text)
		return text, codeUnknown, nil
	case lang == plainLanguage:
		return text, s.Code, s.Places
	}
	return s.Text, s.Code, s.Places
}

// Problem is an answer in problem+json (RFC 9457).
type Problem struct {
	Title  string            `json:"title"`
	Status int               `json:"status"`
	Detail string            `json:"detail,omitempty"`
	Code   string            `json:"code,omitempty"`
	Params map[string]string `json:"params,omitempty"`
	Errors []FieldProblem    `json:"errors,omitempty"`
}

// FieldProblem is what is wrong with a field.
type FieldProblem struct {
	Message  string            `json:"message"`
	Location string            `json:"location,omitempty"`
	Value    any               `json:"value,omitempty"`
	Code     string            `json:"code"`
	Params   map[string]string `json:"params,omitempty"`
}

// problem is an answer as it is sent.
func (v *speaker) problem(lang string, e *huma.ErrorModel) *Problem {
	p := &Problem{Title: e.Title, Status: e.Status}
	if lang != plainLanguage {
		p.Title, _, _ = v.say(lang, e.Title)
	}
	if e.Detail != "" {
		p.Detail, p.Code, p.Params = v.say(lang, e.Detail)
	}
	for _, d := range e.Errors {
		f := FieldProblem{Location: d.Location, Value: d.Value}
		f.Message, f.Code, f.Params = v.say(lang, d.Message)
		p.Errors = append(p.Errors, f)
	}
	return p
}

// writeProblem answers for a middleware of the API.
func (s *Server) writeProblem(hc huma.Context, status huma.StatusError) {
	answer, _ := s.speaker.transform(hc, "", status) // never fails
	hc.SetHeader("Content-Type", "application/problem+json")
	hc.SetStatus(status.GetStatus())
	if err := json.NewEncoder(hc.BodyWriter()).Encode(answer); err != nil {
		s.log.Debug("answer not written", "err", err)
	}
}

// plainProblem answers where there is no API; without a request, in English.
func (s *Server) plainProblem(w http.ResponseWriter, r *http.Request, status int, detail string) {
	lang := plainLanguage
	if r != nil {
		lang = languageOf(r.Context())
	}
	var e *huma.ErrorModel
	errors.As(failure(status, detail), &e)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Language", lang)
	w.Header().Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(s.speaker.problem(lang, e)) // the client is gone then
}

// describeProblems adds to the schemas of errors what transform adds to them.
func describeProblems(schemas map[string]*huma.Schema) {
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		schema := schemas[name]
		if schema == nil {
			continue
		}
		schema.Properties["code"] = &huma.Schema{Type: huma.TypeString, Examples: []any{"range"},
			Description: "What is wrong, whatever the language; other where it has no name"}
		schema.Properties["params"] = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: &huma.Schema{Type: huma.TypeString},
			Description: "What fills the message, as in value, low and high"}
	}
}
