package sim

// publisher is a site or an app with its slots.
type publisher struct {
	id, name, domain, lang string
	app                    bool // domain is then the bundle
	search                 bool // result pages carry the query
	cat                    []string
	sections               []string // path and keyword
	bcat                   []string
	slots                  []slot
}

// slot is a placement. Median is the usual rival's price and floor the
// publisher's, both in USD cents CPM.
type slot struct {
	tag           string
	media         string // banner, video, native
	sizes         [][2]int
	durations     [2]int // video: least and most seconds
	pos           int
	median, floor int64
}

func banner(tag string, pos int, median, floor int64, sizes ...[2]int) slot {
	return slot{tag: tag, media: "banner", sizes: sizes, pos: pos, median: median, floor: floor}
}

func video(tag string, lo, hi int, median, floor int64) slot {
	return slot{tag: tag, media: "video", sizes: [][2]int{{640, 360}}, durations: [2]int{lo, hi}, pos: 1, median: median, floor: floor}
}

func native(tag string, median, floor int64) slot {
	return slot{tag: tag, media: "native", pos: 3, median: median, floor: floor}
}

// publishers are invented: their names lie under reserved domains.
func publishers() []publisher {
	var (
		mrec   = [2]int{300, 250}
		half   = [2]int{300, 600}
		sky    = [2]int{160, 600}
		board  = [2]int{728, 90}
		bill   = [2]int{970, 250}
		phone  = [2]int{320, 50}
		phone2 = [2]int{320, 100}
	)
	adult := []string{"IAB25", "IAB26"}
	return []publisher{
		{id: "101", name: "Kurier Miejski", domain: "kurier-miejski.example", lang: "pl", cat: []string{"IAB12"}, bcat: adult,
			sections: []string{"wiadomosci", "sport", "kultura"},
			slots:    []slot{banner("top", 1, 120, 30, bill, board), banner("side", 1, 150, 40, half, mrec), banner("low", 3, 70, 15, mrec)}},
		{id: "102", name: "Dom i Ogród Dziś", domain: "dom-i-ogrod.example", lang: "pl", cat: []string{"IAB10", "IAB10-5"}, bcat: adult,
			sections: []string{"salon", "sypialnia", "kuchnia", "ogrod"},
			slots:    []slot{banner("hero", 1, 200, 60, bill), banner("sky", 1, 110, 25, sky), native("feed", 160, 40)}},
		{id: "103", name: "Bieganie Codziennie", domain: "biegam.example", lang: "pl", cat: []string{"IAB17", "IAB17-5"},
			sections: []string{"buty", "trening", "maraton"},
			slots:    []slot{banner("in-text", 3, 140, 30, mrec), native("more", 150, 35), video("clip", 5, 30, 420, 150)}},
		{id: "104", name: "Testy Sprzętu", domain: "testy-sprzetu.example", lang: "pl", cat: []string{"IAB19", "IAB19-6"}, bcat: []string{"IAB25", "IAB7-39"},
			sections: []string{"laptopy", "telefony", "audio", "telewizory"},
			slots:    []slot{banner("top", 1, 170, 45, board, bill), banner("side", 1, 190, 50, half), video("review", 10, 30, 480, 180)}},
		{id: "105", name: "Szukacz", domain: "szukacz.example", lang: "pl", search: true, cat: []string{"IAB19-29"},
			sections: []string{"szukaj"},
			slots:    []slot{banner("results", 1, 220, 70, mrec), native("result", 240, 80)}},
		{id: "106", name: "The Daily Quill", domain: "dailyquill.example", lang: "en", cat: []string{"IAB12", "IAB12-2"}, bcat: adult,
			sections: []string{"world", "business", "travel"},
			slots:    []slot{banner("leader", 1, 130, 30, board), banner("mpu", 3, 110, 25, mrec, half), native("river", 120, 30)}},
		{id: "107", name: "Cinema Loop", domain: "cinemaloop.example", lang: "en", cat: []string{"IAB1", "IAB1-5"},
			sections: []string{"trailers", "series"},
			slots:    []slot{video("preroll", 5, 30, 520, 200), video("short", 5, 15, 450, 160)}},
		{id: "108", name: "Pogoda Teraz", domain: "com.pogoda.teraz", lang: "pl", app: true, cat: []string{"IAB15", "IAB15-10"},
			sections: []string{"today", "week"},
			slots:    []slot{banner("strip", 1, 60, 10, phone), banner("card", 3, 90, 20, mrec, phone2)}},
		{id: "109", name: "Puzzle Farm", domain: "com.puzzle.farm", lang: "en", app: true, cat: []string{"IAB9", "IAB9-30"}, bcat: adult,
			sections: []string{"level", "shop"},
			slots:    []slot{banner("bottom", 1, 50, 10, phone, phone2), video("reward", 15, 30, 600, 220), native("tile", 100, 25)}},
		{id: "110", name: "Wiadomości Kieszonkowe", domain: "com.kieszonkowe.news", lang: "pl", app: true, cat: []string{"IAB12"},
			sections: []string{"kraj", "swiat", "sport"},
			slots:    []slot{banner("top", 1, 80, 15, phone2), banner("article", 3, 110, 25, mrec), native("feed", 130, 30)}},
	}
}
