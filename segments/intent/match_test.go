package intent

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func shopOf(lang string, docs ...Doc) *Index {
	for i := range docs {
		docs[i].Pos = uint32(i)
	}
	return New(docs, lang)
}

func repeat(times int, docs ...Doc) (out []Doc) {
	for range times {
		out = append(out, docs...)
	}
	return out
}

// The shops of the cases. Pairs of them share words and sell different things.
func shops() map[string]*Index {
	return map[string]*Index{
		"wkładki": shopOf("pl", repeat(3,
			Doc{Title: "Wkładki żelowe do obcasów", Category: "Obuwie > Akcesoria > Wkładki"},
			Doc{Title: "Wkładki do butów na obcasie, antypoślizgowe", Category: "Obuwie > Akcesoria > Wkładki"},
			Doc{Title: "Zapiętki silikonowe do szpilek", Category: "Obuwie > Akcesoria > Zapiętki"},
			Doc{Title: "Półwkładki pod palce do sandałów", Category: "Obuwie > Akcesoria > Wkładki"})...),
		"szpilki": shopOf("pl", repeat(3,
			Doc{Title: "Szpilki czarne na wysokim obcasie", Brand: "Kazar", Category: "Buty > Damskie > Szpilki"},
			Doc{Title: "Czółenka skórzane na słupku", Brand: "Ryłko", Category: "Buty > Damskie > Czółenka"},
			Doc{Title: "Sandały na obcasie złote", Brand: "Kazar", Category: "Buty > Damskie > Sandały"},
			Doc{Title: "Botki zamszowe z miękką wkładką", Brand: "Ryłko", Category: "Buty > Damskie > Botki"})...),
		"insoles": shopOf("en", repeat(3,
			Doc{Title: "Gel heel insoles for high heels", Category: "Shoes > Shoe Care & Accessories > Insoles"},
			Doc{Title: "Heel grips, 2 pairs", Category: "Shoes > Accessories > Heel Grips"},
			Doc{Title: "Memory foam insoles for running shoes", Category: "Shoes > Accessories > Insoles"})...),
		"heels": shopOf("en", repeat(3,
			Doc{Title: "Black high heels", Brand: "Aldo", Category: "Shoes > Women > Heels"},
			Doc{Title: "High-heeled shoes, red", Brand: "Aldo", Category: "Shoes > Women > Heels"},
			Doc{Title: "Leather ankle boots with cushioned insoles", Brand: "Clarks", Category: "Shoes > Women > Boots"})...),
		"meble": shopOf("pl", repeat(3,
			Doc{Title: "Sofa rozkładana Oslo z funkcją spania", Category: "Meble > Salon > Sofy"},
			Doc{Title: "Stolik kawowy dębowy", Category: "Meble > Salon > Stoliki"},
			Doc{Title: "Łóżko tapicerowane 160x200", Category: "Meble > Sypialnia > Łóżka"},
			Doc{Title: "Krzesło do jadalni welurowe", Category: "Meble > Jadalnia > Krzesła"},
			Doc{Title: "Szafa przesuwna z lustrem", Category: "Meble > Sypialnia > Szafy"},
			Doc{Title: "Narożnik z pojemnikiem", Category: "Meble > Salon > Narożniki"})...),
		"pokrowce": shopOf("pl", repeat(3,
			Doc{Title: "Pokrowiec na sofę elastyczny", Category: "Dom > Tekstylia > Pokrowce"},
			Doc{Title: "Pokrowiec na krzesło", Category: "Dom > Tekstylia > Pokrowce"},
			Doc{Title: "Prześcieradło na łóżko 160x200", Category: "Dom > Tekstylia > Prześcieradła"})...),
		"kawa": shopOf("pl", repeat(3,
			Doc{Title: "Kawa ziarnista Arabica 1kg", Brand: "Lavazza", Category: "Kawa > Ziarnista"},
			Doc{Title: "Kawa mielona do ekspresu", Brand: "Illy", Category: "Kawa > Mielona"})...),
		"agd": shopOf("pl", repeat(3,
			Doc{Title: "Ekspres do kawy ciśnieniowy", Brand: "DeLonghi", Category: "AGD > Małe AGD > Ekspresy do kawy"},
			Doc{Title: "Pralka automatyczna 8 kg", Brand: "Bosch", Category: "AGD > Duże AGD > Pralki"},
			Doc{Title: "Lodówka dwudrzwiowa", Brand: "Samsung", Category: "AGD > Duże AGD > Lodówki"})...),
		"telefony": shopOf("pl", repeat(3,
			Doc{Title: "Telefon Samsung Galaxy S24", Brand: "Samsung", Category: "Elektronika > Telefony"},
			Doc{Title: "Smartfon Apple iPhone 15", Brand: "Apple", Category: "Elektronika > Smartfony"})...),
		"etui": shopOf("pl", repeat(3,
			Doc{Title: "Etui na telefon Samsung", Category: "Telefony > Etui"},
			Doc{Title: "Szkło hartowane do telefonu iPhone", Category: "Telefony > Szkła ochronne"})...),
		"rowery": shopOf("pl", repeat(3,
			Doc{Title: "Rower górski 29 cali", Brand: "Kross", Category: "Sport > Rowery > Rowery górskie"},
			Doc{Title: "Rower miejski damski", Brand: "Romet", Category: "Sport > Rowery > Rowery miejskie"})...),
		"kaski": shopOf("pl", repeat(3,
			Doc{Title: "Kask rowerowy dziecięcy", Category: "Sport > Kaski"},
			Doc{Title: "Kask na rower z lampką", Category: "Sport > Kaski"})...),
		"opony": shopOf("pl", repeat(3, Doc{Title: "Opony zimowe 205/55 R16", Brand: "Dębica", Category: "Motoryzacja > Opony"})...),
		"kurtki": shopOf("pl", repeat(3,
			Doc{Title: "Kurtka zimowa damska", Category: "Odzież > Kurtki"},
			Doc{Title: "Kurtka narciarska męska", Category: "Odzież > Kurtki"})...),
		"buty-pasta": shopOf("pl", repeat(3, Doc{Title: "Pasta do butów czarna", Category: "Chemia > Pasty do butów"})...),
		"zęby-pasta": shopOf("pl", repeat(3, Doc{Title: "Pasta do zębów wybielająca", Category: "Higiena > Pasty do zębów"})...),
		"psy": shopOf("pl", repeat(3,
			Doc{Title: "Karma dla psa sucha", Category: "Zwierzęta > Karma dla psów"},
			Doc{Title: "Obroża dla psa skórzana", Category: "Zwierzęta > Obroże"})...),
		"furniture": shopOf("en", repeat(3,
			Doc{Title: "Oslo 3 seater sofa", Category: "Furniture > Living Room > Sofas"},
			Doc{Title: "Oak coffee table", Category: "Furniture > Living Room > Coffee Tables"},
			Doc{Title: "Velvet armchair", Category: "Furniture > Living Room > Armchairs"})...),
		"coffee": shopOf("en", repeat(3, Doc{Title: "Arabica whole bean coffee 1kg", Category: "Food > Coffee"})...),
		"lamps":  shopOf("en", repeat(3, Doc{Title: "LED desk lamp", Category: "Lighting > Desk Lamps"})...),
		"desks":  shopOf("en", repeat(3, Doc{Title: "Standing desk 140 cm", Category: "Furniture > Desks"})...),
		"dogs": shopOf("en", repeat(3,
			Doc{Title: "Dry dog food with chicken", Category: "Pets > Dog Food"},
			Doc{Title: "Orthopedic dog bed", Category: "Pets > Dog Beds"})...),
		"beds": shopOf("en", repeat(3, Doc{Title: "Double bed with storage", Category: "Furniture > Beds"})...),
		"phones": shopOf("en", repeat(3,
			Doc{Title: "Apple iPhone 15 128GB", Brand: "Apple", Category: "Electronics > Phones"},
			Doc{Title: "Galaxy S24 phone", Brand: "Samsung", Category: "Electronics > Phones"})...),
		"cases":   shopOf("en", repeat(3, Doc{Title: "Leather case for iPhone 15", Category: "Phones > Phone Cases"})...),
		"juice":   shopOf("en", repeat(3, Doc{Title: "Apple juice 1L", Category: "Drinks > Juices"})...),
		"dresses": shopOf("en", repeat(3, Doc{Title: "Lace wedding dress", Category: "Clothing > Dresses"})...),
		"rings":   shopOf("en", repeat(3, Doc{Title: "Gold wedding ring", Category: "Jewellery > Rings"})...),
		"running": shopOf("en", repeat(3, Doc{Title: "Nike Pegasus running shoes, black", Brand: "Nike", Category: "Shoes > Running Shoes"})...),
		"socks":   shopOf("en", repeat(3, Doc{Title: "Running socks 3 pack", Category: "Clothing > Socks"})...),
	}
}

func strength(x *Index, text string) float32 {
	var q Query
	q.Add(text, FromSearch)
	var m Match
	x.Match(&m, &q, 1, nil)
	return m.Strength
}

// TestShopsThatShareAWord: what is looked for is found where it is sold, and
// not where only a word of it stands.
func TestShopsThatShareAWord(t *testing.T) {
	all := shops()
	const holds = 0.5 // what the predicate asks without a number
	for _, c := range []struct {
		query    string
		yes, not []string
	}{
		{"buty na obcasie", []string{"szpilki"}, []string{"wkładki", "buty-pasta"}},
		{"czerwone buty na wysokim obcasie", []string{"szpilki"}, []string{"wkładki"}},
		{"wkładki do obcasów", []string{"wkładki"}, []string{"szpilki"}},
		{"wkładka żelowa do butów", []string{"wkładki"}, []string{"szpilki", "buty-pasta"}},
		{"szpilki", []string{"szpilki"}, []string{"wkładki"}},
		{"szpilek", []string{"szpilki"}, []string{"wkładki"}},
		{"szpilkami", []string{"szpilki"}, []string{"wkładki"}},
		{"sandały złote na obcasie", []string{"szpilki"}, []string{"wkładki"}},
		{"high heels", []string{"heels"}, []string{"insoles"}},
		{"high-heeled shoes", []string{"heels"}, []string{"insoles"}},
		{"heel insoles", []string{"insoles"}, []string{"heels"}},
		{"insoles for high heels", []string{"insoles"}, []string{"heels"}},
		{"gel insole", []string{"insoles"}, []string{"heels", "running"}},
		{"ankle boots", []string{"heels"}, []string{"insoles"}},
		{"sofa", []string{"meble"}, []string{"pokrowce"}},
		{"sofy", []string{"meble"}, []string{"pokrowce"}},
		{"sofę", []string{"meble"}, []string{"pokrowce"}},
		{"sofami", []string{"meble"}, []string{"pokrowce"}},
		{"sofie rozkładanej", []string{"meble"}, []string{"pokrowce"}},
		{"pokrowiec na sofę", []string{"pokrowce"}, []string{"meble"}},
		{"pokrowce na krzesła", []string{"pokrowce"}, []string{"meble"}},
		{"krzesła do jadalni", []string{"meble"}, []string{"pokrowce"}},
		{"łóżko 160x200", []string{"meble"}, []string{"pokrowce"}},
		{"LOZKA", []string{"meble"}, []string{"pokrowce"}},
		{"prześcieradła na łóżka", []string{"pokrowce"}, []string{"meble"}},
		{"stolik kawowy", []string{"meble"}, []string{"kawa", "agd"}},
		{"kawa ziarnista", []string{"kawa"}, []string{"meble", "agd"}},
		{"ekspres do kawy", []string{"agd"}, []string{"kawa", "meble"}},
		{"ekspresy do kawy delonghi", []string{"agd"}, []string{"kawa"}},
		{"telefon samsung", []string{"telefony"}, []string{"etui", "agd"}},
		{"etui na telefon", []string{"etui"}, []string{"telefony"}},
		{"szkło do telefonu", []string{"etui"}, []string{"telefony"}},
		{"rower górski", []string{"rowery"}, []string{"kaski"}},
		{"rowerem miejskim", []string{"rowery"}, []string{"kaski"}},
		{"kask rowerowy", []string{"kaski"}, []string{"rowery"}},
		{"kask na rower", []string{"kaski"}, []string{"rowery"}},
		{"opony zimowe", []string{"opony"}, []string{"kurtki"}},
		{"kurtki zimowe damskie", []string{"kurtki"}, []string{"opony"}},
		{"pasta do butów", []string{"buty-pasta"}, []string{"zęby-pasta", "szpilki"}},
		{"pasta do zębów", []string{"zęby-pasta"}, []string{"buty-pasta"}},
		{"karma dla psów", []string{"psy"}, nil},
		{"buda dla psa", nil, []string{"psy"}},
		{"sofas", []string{"furniture"}, []string{"beds"}},
		{"oslo sofa", []string{"furniture"}, nil},
		{"coffee table", []string{"furniture"}, []string{"coffee", "desks"}},
		{"coffee", []string{"coffee"}, []string{"furniture"}},
		{"desk lamp", []string{"lamps"}, []string{"desks"}},
		{"standing desks", []string{"desks"}, []string{"lamps"}},
		{"dog bed", []string{"dogs"}, nil},
		{"double bed", []string{"beds"}, nil},
		{"dog collar", nil, []string{"dogs"}},
		{"iphone 15 case", []string{"cases"}, []string{"phones"}},
		{"apple juice", []string{"juice"}, []string{"phones"}},
		{"samsung phones", []string{"phones"}, []string{"cases"}},
		{"wedding dress", []string{"dresses"}, []string{"rings"}},
		{"wedding rings", []string{"rings"}, []string{"dresses"}},
		{"running shoes", []string{"running"}, []string{"socks", "insoles"}},
		{"shoes for running nike", []string{"running"}, []string{"socks"}},
		{"running socks", []string{"socks"}, []string{"running"}},
		{"cheap running shoes online", []string{"running"}, []string{"socks"}},
		{"weather in Warsaw", nil, []string{"running", "heels", "furniture", "beds"}},
		{"pogoda na jutro", nil, []string{"szpilki", "meble", "psy", "rowery"}},
	} {
		for _, s := range c.yes {
			assert.GreaterOrEqual(t, strength(all[s], c.query), float32(holds), "%q is sold by %s", c.query, s)
		}
		for _, s := range c.not {
			assert.Less(t, strength(all[s], c.query), float32(holds), "%q is not sold by %s", c.query, s)
		}
	}
}
