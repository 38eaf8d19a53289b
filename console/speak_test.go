package console

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProblemsInTheLanguageAskedFor(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	const wrong = `{"name": "", "kind": "banner", "bid": {"cpm": "-1"}, "end": "soon", "targeting": "vistied within 30d"}`
	for name, c := range map[string]struct{ header, lang, title, name, targeting string }{
		"nothing asked":       {"", "en", "Unprocessable Entity", "is missing", `line 1, column 1: "vistied" is not a predicate (did you mean "visited"?)`},
		"English":             {"en-GB,en;q=0.9,pl;q=0.8", "en", "Unprocessable Entity", "is missing", `line 1, column 1: "vistied" is not a predicate (did you mean "visited"?)`},
		"Polish":              {"pl", "pl", "Błędne dane", "nie może być puste", "wiersz 1, znak 1: „vistied” nie jest warunkiem (czy chodzi o „visited”?)"},
		"Polish of a browser": {"pl-PL,pl;q=0.9,en;q=0.5", "pl", "Błędne dane", "nie może być puste", "wiersz 1, znak 1: „vistied” nie jest warunkiem (czy chodzi o „visited”?)"},
		"Polish first":        {"de;q=0.9, pl;q=0.8, en;q=0.1", "pl", "Błędne dane", "nie może być puste", "wiersz 1, znak 1: „vistied” nie jest warunkiem (czy chodzi o „visited”?)"},
		"none of ours":        {"ja", "en", "Unprocessable Entity", "is missing", `line 1, column 1: "vistied" is not a predicate (did you mean "visited"?)`},
		"no header at all":    {";;;=,=", "en", "Unprocessable Entity", "is missing", `line 1, column 1: "vistied" is not a predicate (did you mean "visited"?)`},
		"endless":             {strings.Repeat("x-", 40_000), "en", "Unprocessable Entity", "is missing", `line 1, column 1: "vistied" is not a predicate (did you mean "visited"?)`},
	} {
		t.Run(name, func(t *testing.T) {
			a := b.call(key, "POST", path+"/campaigns", wrong, "Accept-Language", c.header)
			require.Equal(t, 422, a.code)
			require.Equal(t, c.lang, a.header.Get("Content-Language"))
			require.Contains(t, a.header.Values("Vary"), "Accept-Language")
			var p Problem
			a.into(t, &p)
			require.Equal(t, c.title, p.Title)
			said := map[string]FieldProblem{}
			for _, e := range p.Errors {
				said[e.Location] = e
			}
			require.Equal(t, FieldProblem{Location: "body.name", Message: c.name, Code: "missing"}, said["body.name"])
			require.Equal(t, c.targeting, said["body.targeting"].Message)
			require.Equal(t, map[string]string{"value": "-1.00", "high": "1000000.00"}, said["body.bid.cpm"].Params, "whatever the language")
			require.Equal(t, "range_above_0", said["body.bid.cpm"].Code)
			require.Equal(t, "fields", p.Code)
		})
	}
}

// TestAnswersInPolish: whatever layer answers, it speaks the language.
func TestAnswersInPolish(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	campaign := b.campaign(path, key)
	read := b.key(path, "read")
	for name, c := range map[string]struct {
		key, method, path, body string
		headers                 []string
		code                    string
		want                    string
	}{
		"no such page":         {key, "GET", "/nothing", "", nil, "nothing_here", "tu nic nie ma"},
		"no such method":       {key, "DELETE", "/api/v1/shops", "", nil, "no_method", "ten adres nie przyjmuje tej metody"},
		"no key":               {"", "GET", path, "", nil, "key_needed", "potrzebny jest klucz: Authorization: Bearer gz_…"},
		"another's":            {key, "GET", "/api/v1/shops/9", "", nil, "not_found", "dla tego klucza nic tu nie ma"},
		"a scope":              {read, "POST", path + "/campaigns", campaignJSON, nil, "scope_needed", "to wymaga klucza o zakresie write"},
		"no JSON":              {key, "POST", path + "/campaigns", "{", nil, "body_json", "treść nie jest poprawnym JSON: unexpected end of JSON input"},
		"no type":              {key, "POST", path + "/campaigns", "{}", []string{"Content-Type", "text/plain"}, "want_json", "treść musi być w JSON: wyślij nagłówek Content-Type: application/json"},
		"a parameter":          {key, "GET", path + "/campaigns?limit=0", "", nil, "h_validation", "parametry są błędne"},
		"an unknown parameter": {key, "GET", path + "/campaigns?lmit=1", "", nil, "h_validation", "parametry są błędne"},
		"another version":      {key, "PATCH", campaign, `{"name": "x"}`, []string{"If-Match", `"1"`}, "at_version", "ktoś inny w tym czasie to zmienił (wersja \"3\"): wczytaj ponownie i powtórz zmianę"},
		"without a bidder":     {key, "POST", "/api/v1/explain?exchange=x&shop=1", "{}", nil, "no_bidder", "nie ma licytatora, którego można by zapytać: konsolę uruchomiono bez niego"},
	} {
		t.Run(name, func(t *testing.T) {
			a := b.call(c.key, c.method, c.path, c.body, append(c.headers, "Accept-Language", "pl")...)
			require.Equal(t, "pl", a.header.Get("Content-Language"), a.body)
			var p Problem
			a.into(t, &p)
			require.Equal(t, c.code, p.Code)
			require.Equal(t, c.want, p.Detail)
			require.NotEqual(t, http.StatusText(a.code), p.Title)
			for _, e := range p.Errors {
				require.NotEqual(t, codeUnknown, e.Code, e.Message)
			}
		})
	}
}

func TestAnswersThatTellOfMistakesInPolish(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	a := b.call(key, "PUT", path+"/feed", `{"id":"a"}`+"\n"+`{}`, "Accept-Language", "pl")
	require.Contains(t, a.body, `"reason":"nie może być puste"`)
	require.Contains(t, b.call(key, "GET", path+"/feed", "").body, `"reason":"is missing"`, "what is stored stays as it was written")
	require.Contains(t, b.call(key, "GET", path+"/feed", "", "Accept-Language", "pl").body, `"reason":"nie może być puste"`)
	a = b.call(key, "POST", "/api/v1/targeting/check", `{"expression": "cart_value >= 5 EUR"}`, "Accept-Language", "pl")
	require.Contains(t, a.body, `"message":"waluta sklepu to PLN, a nie EUR","hint":"podaj kwotę w PLN"`)
	a = b.call(key, "POST", path+"/segments", `{"name": "a", "source": "import"}`)
	require.Equal(t, 201, a.code, a.body)
	a = b.call(key, "PUT", path+"/segments/1/members?dry_run=true", "uid\nxyz\n", "Content-Type", "text/csv", "Accept-Language", "pl")
	require.Contains(t, a.body, `"reason":"musi mieć 32 cyfry szesnastkowe"`)
}

func TestWhatHasNoPhraseIsCounted(t *testing.T) {
	b := start(t, nil)
	said, code, places := b.s.speaker.say("pl", "the moon is full")
	require.Equal(t, []any{"the moon is full", codeUnknown, map[string]string(nil)}, []any{said, code, places})
	require.EqualValues(t, 1, b.s.metrics.unsaid.Get())
	said, code, _ = b.s.speaker.say("pl", "a budget must not be negative\nend must be after start")
	require.Equal(t, "budżet nie może być ujemny\nkoniec musi być po początku", said)
	require.Equal(t, "budget_negative", code)
	require.EqualValues(t, 1, b.s.metrics.unsaid.Get())
}

func TestProblemsAreDocumented(t *testing.T) {
	b := start(t, nil)
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		schema := b.s.OpenAPI().Components.Schemas.Map()[name]
		require.NotNil(t, schema, name)
		require.Contains(t, schema.Properties, "code")
		require.Contains(t, schema.Properties, "params")
	}
}

// TestTheLanguageOfAnAddressIsRemembered: also where one has to sign in first.
func TestTheLanguageOfAnAddressIsRemembered(t *testing.T) {
	b := start(t, nil)
	res := b.page("GET", "/console/?lang=pl", "", nil)
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	require.Len(t, res.Cookies(), 1)
	require.Equal(t, langCookie+"=pl", res.Cookies()[0].Name+"="+res.Cookies()[0].Value)
	require.Empty(t, b.page("GET", "/console/?lang=xx", "", nil).Cookies())
}
