package creatives

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write golden files")

var pln = money.MustCurrency("PLN")

// sizes are the standard sizes and a few that nobody plans for.
var sizes = []campaigns.Size{
	{W: 300, H: 250}, {W: 300, H: 600}, {W: 160, H: 600}, {W: 728, H: 90}, {W: 970, H: 250}, {W: 320, H: 50},
	{W: 320, H: 100}, {W: 336, H: 280}, {W: 468, H: 60}, {W: 120, H: 600}, {W: 250, H: 250}, {W: 200, H: 200},
	{W: 970, H: 90}, {W: 300, H: 50}, {W: 320, H: 480}, {W: 480, H: 320}, {W: 180, H: 150}, {W: 300, H: 1050}, {W: 1, H: 1},
}

func products() []*campaigns.Product {
	row := func(id, title, category, brand, price string) *campaigns.Product {
		p, err := money.ParseNano(price)
		if err != nil {
			panic(err)
		}
		return &campaigns.Product{ID: id, Title: title, Category: category, Brand: brand, Price: p, Currency: pln, Available: true,
			URL: "https://meble.example/p/" + id, ImageURL: "https://img.meble.example/" + id + ".svg?w=400&h=400"}
	}
	return []*campaigns.Product{
		row("sofa-1", "Sofa trzyosobowa Nordvik z funkcją spania, szary melanż", "Meble > Sofy", "Nordvik", "2499.00"),
		row("fotel 2/żółty", "Fotel uszak Żubr, welur musztardowy", "Meble > Fotele", "Łoś & Syn", "1149.99"),
		row("lampa-3", "Lampa podłogowa Arco", "Oświetlenie > Lampy", "Świt", "389.50"),
		row("stolik-4", "Stolik kawowy dębowy, okrągły 80 cm", "Meble > Stoliki", "Dębina", "749.00"),
		row("regal-5", "Regał Loft 5 półek", "Meble > Regały", "Loft", "12999.90"),
		row("dywan-6", "Dywan wełniany 160 × 230 cm w jodełkę", "Tekstylia > Dywany", "Jodła", "899.00"),
	}
}

func choices(n int) []Choice {
	var out []Choice
	for _, p := range products()[:n] {
		out = append(out, Choice{p, FromViewed})
	}
	return out
}

func testLinks() *Links {
	return &Links{
		ImpURL:    []byte("https://dsp.example/i?t=djEuYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo&p=${AUCTION_PRICE}"),
		ClickURL:  []byte("https://dsp.example/c?t=djEuYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo"),
		ViewURL:   []byte("https://dsp.example/v?t=djEuYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo"),
		WhyURL:    []byte("https://dsp.example/assets/why?t=djEuYWJj"),
		HideURL:   []byte("https://dsp.example/hide?t=djEuYWJj&in=ad"),
		ErrorURL:  []byte("https://dsp.example/e?t=djEuYWJj"),
		TrackURL:  []byte("https://dsp.example/p?t=djEuYWJj"),
		AssetBase: "https://dsp.example/assets",
		Secure:    true,
	}
}

func testBanner(w, h, n int) *Banner {
	return &Banner{W: w, H: h, Links: testLinks(), Brand: Brand{Name: "Dom & Ogród", Domain: "meble.example"},
		Copy: Copy{Title: "Wróć po swoje ulubione meble", Body: "Dostawa gratis od 300 zł i 30 dni na zwrot.", Lang: "pl"}, Products: choices(n)}
}

// golden compares got with a file of testdata, which -update writes.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to write it")
	require.Equal(t, string(want), string(got), "%s: look at the difference, then run with -update", path)
}
