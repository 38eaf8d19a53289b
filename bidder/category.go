package bidder

// A request's block and allow lists may be of another taxonomy (cattax, AdCOM
// 1.0 § List: Category Taxonomies) than the shops' categories, which are IAB
// Content Taxonomy 1.0. Content Taxonomies 2.0 to 3.1 number their categories
// in the order of the tree, so that the top category of most numbers is known,
// and top categories correspond, coarsely. That is enough to be careful by: a
// list that might mean the shop blocks it.

// taxon2 is a top category of Content Taxonomy 2.x: its own number is where it
// begins, and the top categories of 1.0 that overlap it. same tells that it is
// one of them in whole.
type taxon2 struct {
	from, to int
	tops     []int
	same     bool
}

var taxa2 = [...]taxon2{
	{1, 41, []int{2}, true},                 // Automotive
	{42, 51, []int{1}, false},               // Books and Literature
	{52, 122, []int{3}, true},               // Business and Finance
	{123, 131, []int{4}, true},              // Careers
	{132, 149, []int{5}, true},              // Education
	{150, 185, []int{1, 14, 17, 20}, false}, // Events and Attractions
	{186, 200, []int{6, 14}, false},         // Family and Relationships
	{201, 209, []int{1}, false},             // Fine Art
	{210, 222, []int{8}, true},              // Food and Drink
	{223, 238, []int{7}, false},             // Healthy Living
	{239, 273, []int{9}, false},             // Hobbies and Interests
	{274, 285, []int{10}, true},             // Home and Garden
	{286, 323, []int{7}, false},             // Medical Health
	{324, 337, []int{1}, false},             // Movies
	{338, 378, []int{1}, false},             // Music and Audio
	{379, 390, []int{11, 12}, false},        // News and Politics
	{391, 421, []int{3, 13}, false},         // Personal Finance
	{422, 431, []int{16}, true},             // Pets
	{432, 440, []int{1}, false},             // Pop Culture
	{441, 452, []int{21}, true},             // Real Estate
	{453, 463, []int{23}, true},             // Religion and Spirituality
	{464, 472, []int{15}, true},             // Science
	{473, 482, []int{22}, true},             // Shopping
	{483, 551, []int{17}, true},             // Sports
	{552, 595, []int{18}, true},             // Style and Fashion
	{596, 639, []int{19}, true},             // Technology and Computing
	{640, 652, []int{1}, false},             // Television
	{653, 679, []int{20}, true},             // Travel
	{680, 698, []int{9, 19}, false},         // Video Gaming
}

// category is how a code of a list stands to one of a shop's.
type category uint8

const (
	categoryApart   category = iota // certainly another one
	categoryWithin                  // the shop's is it, or under it
	categoryMaybe                   // they overlap: it may be meant
	categoryUnknown                 // of a taxonomy that is not known here
)

// compareCategory compares a shop's category (Content Taxonomy 1.0) with a
// code of a list of taxonomy tax.
func compareCategory(cat, code string, tax int32) category {
	if len(code) > 3 && (code[0]|0x20 == 'i' && code[1]|0x20 == 'a' && code[2]|0x20 == 'b') {
		// Taxonomy 1.0, whatever cattax says: many exchanges state another.
		if categoryUnder(cat, code) {
			return categoryWithin
		}
		return categoryApart
	}
	content2 := tax == 2 || tax == 5 || tax == 6 || tax == 7 || tax == 9
	plain := tax == 0 || tax == 1
	if content2 || plain {
		n := number(code)
		if t := topOf(n); t != nil {
			r := t.compare(n, topNumber(cat))
			if plain && r == categoryWithin {
				r = categoryMaybe // a number where none belongs allows nothing
			}
			return r
		}
	}
	if plain {
		return categoryApart // no code of the taxonomy that is meant: odd, and nothing
	}
	return categoryUnknown
}

// topOf finds the top category of a number of Content Taxonomy 2.x.
func topOf(n int) *taxon2 {
	for i := range taxa2 {
		if t := &taxa2[i]; n >= t.from && n <= t.to {
			return t
		}
	}
	return nil
}

func (t *taxon2) compare(n, top int) category {
	for _, k := range t.tops {
		switch {
		case k != top:
		case t.same && n == t.from:
			return categoryWithin
		default:
			return categoryMaybe
		}
	}
	if top == 0 || top > 23 { // uncategorised, non-standard or illegal content has no counterpart
		return categoryUnknown
	}
	return categoryApart
}

// number reads up to four digits; 0 is none.
func number(s string) (n int) {
	if len(s) > 4 {
		return 0
	}
	for i := range len(s) {
		d := int(s[i]) - '0'
		if d < 0 || d > 9 {
			return 0
		}
		n = 10*n + d
	}
	return n
}

// topNumber is 7 of IAB7 and of IAB7-39; 0 of what is no such code.
func topNumber(cat string) (n int) {
	if len(cat) < 4 {
		return 0
	}
	for i := 3; i < len(cat) && cat[i] != '-'; i++ {
		d := int(cat[i]) - '0'
		if d < 0 || d > 9 || n > 100 {
			return 0
		}
		n = 10*n + d
	}
	return n
}

// categories applies bcat and acat to a shop's categories. What may be meant
// by a blocked code is blocked; what cannot be shown to be allowed is not.
func categories(cats, bcat, acat []string, tax int32) NoBidReason {
	unknown := false
	for _, blocked := range bcat {
		for _, cat := range cats {
			switch compareCategory(cat, blocked, tax) {
			case categoryWithin, categoryMaybe:
				return ReasonCategory
			case categoryUnknown:
				unknown = true
			}
		}
	}
	if len(acat) > 0 && !allowed(cats, acat, tax) {
		return ReasonCategory
	}
	if unknown {
		return ReasonTaxonomy
	}
	return ReasonNone
}

// allowed tells whether every category of a shop is in the list; one that
// names none cannot show that it is.
func allowed(cats, acat []string, tax int32) bool {
	for _, cat := range cats {
		within := false
		for _, a := range acat {
			if within = compareCategory(cat, a, tax) == categoryWithin; within {
				break
			}
		}
		if !within {
			return false
		}
	}
	return len(cats) > 0
}
