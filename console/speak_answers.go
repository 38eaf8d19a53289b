package console

import (
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// answer says in a language what an answer that is no error tells of mistakes:
// the rows of a feed, a fetch that failed, an expression. What is stored stays
// as it was written.
func (v *speaker) answer(lang string, body any) any {
	if lang == plainLanguage {
		return body
	}
	switch b := body.(type) {
	case Feed:
		b.Report.Problems = v.reasons(lang, b.Report.Problems)
		return b
	case ImportReport:
		b.Problems = v.reasons(lang, b.Problems)
		return b
	case FeedSource:
		b.Problem = v.line(lang, b.Problem)
		return b
	case TargetingAnswer:
		if b.Error != nil {
			e := *b.Error
			e.Message, e.Hint = v.line(lang, e.Message), v.line(lang, e.Hint)
			b.Error = &e
		}
		return b
	case Webhook:
		b.Last = v.call(lang, b.Last)
		return b
	case list[Webhook]:
		b.Items = slices.Clone(b.Items)
		for i := range b.Items {
			b.Items[i].Last = v.call(lang, b.Items[i].Last)
		}
		return b
	}
	return body
}

func (v *speaker) call(lang string, last *LastCall) *LastCall {
	if last == nil {
		return nil
	}
	told := *last
	told.Note = v.line(lang, told.Note)
	return &told
}

func (v *speaker) reasons(lang string, problems []FeedProblem) []FeedProblem {
	problems = slices.Clone(problems)
	for i := range problems {
		problems[i].Reason = v.line(lang, problems[i].Reason)
	}
	return problems
}

// line is say for answers that have no place for a code.
func (v *speaker) line(lang, text string) string {
	if text == "" {
		return ""
	}
	said, _, _ := v.say(lang, text)
	return said
}

// transform says the API's answers in the request's language.
func (v *speaker) transform(hc huma.Context, _ string, answer any) (any, error) {
	lang := languageOf(hc.Context())
	e, ok := answer.(*huma.ErrorModel)
	if !ok {
		return v.answer(lang, answer), nil
	}
	hc.SetHeader("Content-Language", lang)
	hc.AppendHeader("Vary", "Accept-Language")
	return v.problem(lang, e), nil
}
