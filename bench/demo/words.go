package demo

// line is a category with what its products are made from. A noun carries its
// gender, m, f, n or p (plural), behind a bar, and what follows the model's
// name behind another; qualities are adjectives in the masculine.
type line struct {
	category  string
	slug      string
	nouns     []string
	qualities []string
	low       int // cheapest, whole zloty
	high      int
	shape     string // of the drawn picture
}

// concept is an invented shop.
type concept struct {
	slug, name, domain, tagline string
	come                        string   // headline for who was there before
	language                    string   // of the ads; empty takes any wlang
	categories                  []string // IAB
	hue                         int      // of its colours, degrees
	brands                      []string
	lines                       []line
	size                        int // products in the feed
}

func concepts() []concept {
	fabric := []string{"tapicerowany", "skandynawski", "welurowy", "pikowany", "lniany"}
	wood := []string{"dębowy", "jesionowy", "skandynawski", "loftowy", "bielony", "orzechowy"}
	leather := []string{"skórzany", "zamszowy", "klasyczny", "lakierowany"}
	return []concept{
		{
			slug: "furniture", name: "Dębowy Kąt", domain: "debowykat.example", language: "pl", tagline: "Meble, które zostają na lata",
			come: "Wróć po swoje meble", categories: []string{"IAB10", "IAB10-7"}, hue: 28, size: 600,
			brands: []string{"Sosna&Syn", "Nordlund", "Warsztat 7", "Lipa", "Forma Cicha"},
			lines: []line{
				{"Meble > Salon > Sofy", "sofy", []string{"Sofa|f", "Kanapa|f", "Narożnik|m"}, fabric, 899, 4999, "sofa"},
				{"Meble > Salon > Stoliki", "stoliki", []string{"Stolik kawowy|m", "Ława|f", "Stolik pomocniczy|m"}, wood, 149, 1299, "table"},
				{"Meble > Jadalnia > Stoły", "stoly", []string{"Stół|m", "Stół rozkładany|m"}, wood, 599, 3999, "table"},
				{"Meble > Jadalnia > Krzesła", "krzesla", []string{"Krzesło|n", "Hoker|m"}, wood, 129, 799, "chair"},
				{"Meble > Sypialnia > Łóżka", "lozka", []string{"Łóżko|n", "Łóżko kontynentalne|n"}, fabric, 799, 4599, "bed"},
				{"Oświetlenie > Lampy", "lampy", []string{"Lampa stojąca|f", "Lampa wisząca|f", "Kinkiet|m"}, []string{"loftowy", "mosiężny", "skandynawski", "szklany"}, 89, 899, "lamp"},
			},
		},
		{
			slug: "shoes", name: "Szybka Stopa", domain: "szybkastopa.example", language: "pl", tagline: "Buty na każdą drogę",
			come: "Twoje buty czekają", categories: []string{"IAB18", "IAB18-4"}, hue: 210, size: 900,
			brands: []string{"Kilometr", "Halny", "Tempo", "Obcas&Co", "Wydma"},
			lines: []line{
				{"Buty > Sportowe > Do biegania", "bieganie", []string{"Buty do biegania|p", "Startówki|p"}, []string{"lekki", "terenowy", "amortyzowany", "uliczny"}, 199, 899, "sneaker"},
				{"Buty > Sportowe > Sneakersy", "sneakersy", []string{"Sneakersy|p", "Trampki|p"}, []string{"miejski", "skórzany", "letni", "klasyczny"}, 149, 699, "sneaker"},
				{"Buty > Damskie > Szpilki", "szpilki", []string{"Szpilki|p", "Czółenka|p"}, leather, 179, 599, "heel"},
				{"Buty > Damskie > Kozaki", "kozaki", []string{"Kozaki|p", "Botki|p"}, leather, 249, 999, "boot"},
				{"Buty > Męskie > Półbuty", "polbuty", []string{"Półbuty|p", "Mokasyny|p"}, leather, 229, 899, "shoe"},
				{"Buty > Turystyczne", "turystyczne", []string{"Buty trekkingowe|p", "Buty górskie|p"}, []string{"wodoodporny", "skórzany", "lekki", "zimowy"}, 299, 1199, "boot"},
			},
		},
		{
			slug: "electronics", name: "Wolt i Amper", domain: "woltiamper.example", tagline: "Elektronika bez szumu",
			come: "Nadal o tym myślisz?", categories: []string{"IAB19", "IAB19-18"}, hue: 265, size: 450,
			brands: []string{"Ohmly", "Piksel", "Decybel", "Novak", "Kwarc"},
			lines: []line{
				{"Elektronika > Laptopy", "laptopy", []string{"Laptop|m|13″", "Laptop|m|15″", "Laptop|m|17″"}, []string{"smukły", "gamingowy", "biznesowy", "srebrny"}, 1999, 8999, "laptop"},
				{"Elektronika > Telefony", "telefony", []string{"Smartfon|m|128 GB", "Smartfon|m|256 GB"}, []string{"czarny", "srebrny", "kompaktowy", "niebieski"}, 499, 5499, "phone"},
				{"Elektronika > Audio > Słuchawki", "sluchawki", []string{"Słuchawki|p", "Słuchawki nauszne|p"}, []string{"bezprzewodowy", "studyjny", "czarny", "gamingowy"}, 79, 1499, "headphones"},
				{"Elektronika > Telewizory", "telewizory", []string{"Telewizor|m|43″", "Telewizor|m|55″", "Telewizor|m|65″"}, []string{"smukły", "domowy", "gamingowy"}, 1299, 7999, "screen"},
				{"Elektronika > Foto > Aparaty", "aparaty", []string{"Aparat|m", "Kamera sportowa|f"}, []string{"kompaktowy", "wodoodporny", "srebrny", "turystyczny"}, 599, 6999, "camera"},
			},
		},
	}
}
