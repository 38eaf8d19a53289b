package demo

// line is a category with what its products are made from.
type line struct {
	category string
	slug     string
	nouns    []string
	low      int // cheapest, whole zloty
	high     int
	shape    string // of the drawn picture
}

// concept is an invented shop.
type concept struct {
	slug, name, domain, tagline string
	language                    string   // of the ads; empty takes any wlang
	categories                  []string // IAB
	hue                         int      // of its colours, degrees
	brands, qualities           []string
	lines                       []line
	size                        int // products in the feed
}

func concepts() []concept {
	return []concept{
		{
			slug: "furniture", name: "Dębowy Kąt", domain: "debowykat.example", language: "pl", tagline: "Meble, które zostają na lata",
			categories: []string{"IAB10", "IAB10-7"}, hue: 28, size: 600,
			brands:    []string{"Sosna&Syn", "Nordlund", "Warsztat 7", "Lipa", "Forma Cicha"},
			qualities: []string{"dębowy", "jesionowy", "tapicerowany", "składany", "narożny", "skandynawski", "loftowy", "bielony"},
			lines: []line{
				{"Meble > Salon > Sofy", "sofy", []string{"Sofa", "Kanapa", "Narożnik"}, 899, 4999, "sofa"},
				{"Meble > Salon > Stoliki", "stoliki", []string{"Stolik kawowy", "Ława", "Stolik pomocnik"}, 149, 1299, "table"},
				{"Meble > Jadalnia > Stoły", "stoly", []string{"Stół", "Stół rozkładany"}, 599, 3999, "table"},
				{"Meble > Jadalnia > Krzesła", "krzesla", []string{"Krzesło", "Hoker"}, 129, 799, "chair"},
				{"Meble > Sypialnia > Łóżka", "lozka", []string{"Łóżko", "Łóżko kontynentalne"}, 799, 4599, "bed"},
				{"Oświetlenie > Lampy", "lampy", []string{"Lampa stojąca", "Lampa wisząca", "Kinkiet"}, 89, 899, "lamp"},
			},
		},
		{
			slug: "shoes", name: "Szybka Stopa", domain: "szybkastopa.example", language: "pl", tagline: "Buty na każdą drogę",
			categories: []string{"IAB18", "IAB18-4"}, hue: 210, size: 900,
			brands:    []string{"Kilometr", "Halny", "Tempo", "Obcas&Co", "Wydma"},
			qualities: []string{"lekkie", "skórzane", "wodoodporne", "miejskie", "zamszowe", "terenowe", "klasyczne", "letnie"},
			lines: []line{
				{"Buty > Sportowe > Do biegania", "bieganie", []string{"Buty do biegania", "Startówki"}, 199, 899, "sneaker"},
				{"Buty > Sportowe > Sneakersy", "sneakersy", []string{"Sneakersy", "Trampki"}, 149, 699, "sneaker"},
				{"Buty > Damskie > Szpilki", "szpilki", []string{"Szpilki", "Czółenka"}, 179, 599, "heel"},
				{"Buty > Damskie > Kozaki", "kozaki", []string{"Kozaki", "Botki"}, 249, 999, "boot"},
				{"Buty > Męskie > Półbuty", "polbuty", []string{"Półbuty", "Mokasyny"}, 229, 899, "shoe"},
				{"Buty > Turystyczne", "turystyczne", []string{"Trekkingi", "Buty górskie"}, 299, 1199, "boot"},
			},
		},
		{
			slug: "electronics", name: "Wolt i Amper", domain: "woltiamper.example", tagline: "Elektronika bez szumu",
			categories: []string{"IAB19", "IAB19-18"}, hue: 265, size: 450,
			brands:    []string{"Ohmly", "Piksel", "Decybel", "Novak", "Kwarc"},
			qualities: []string{"bezprzewodowy", "smukły", "czarny", "srebrny", "kompaktowy", "gamingowy", "turystyczny", "domowy"},
			lines: []line{
				{"Elektronika > Laptopy", "laptopy", []string{"Laptop 13\"", "Laptop 15\"", "Laptop 17\""}, 1999, 8999, "laptop"},
				{"Elektronika > Telefony", "telefony", []string{"Smartfon", "Telefon"}, 499, 5499, "phone"},
				{"Elektronika > Audio > Słuchawki", "sluchawki", []string{"Słuchawki", "Słuchawki douszne"}, 79, 1499, "headphones"},
				{"Elektronika > Telewizory", "telewizory", []string{"Telewizor 43\"", "Telewizor 55\"", "Telewizor 65\""}, 1299, 7999, "screen"},
				{"Elektronika > Foto > Aparaty", "aparaty", []string{"Aparat", "Kamera sportowa"}, 599, 6999, "camera"},
			},
		},
	}
}
