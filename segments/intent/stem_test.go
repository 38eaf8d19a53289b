package intent

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/grosz/grosz/segments"
)

func stemOf(text string, l Language) string {
	w, _ := segments.CutWord(nil, text)
	return Stem(string(w), l)
}

// polishForms are words of shops in their cases and numbers, as dictionaries
// of declension give them: a line is one word.
const polishForms = `
sofa sofy sofie sofę sofą sofo sof sofom sofami sofach
szpilka szpilki szpilce szpilkę szpilką szpilek szpilkom szpilkami szpilkach
but buta butowi butem bucie buty butów butom butami butach
obcas obcasa obcasu obcasowi obcasem obcasie obcasy obcasów obcasom obcasami obcasach
wkładka wkładki wkładce wkładkę wkładką wkładek wkładkom wkładkami wkładkach
kanapa kanapy kanapie kanapę kanapą kanap kanapom kanapami kanapach
krzesło krzesła krzesłu krzesłem krześle krzeseł krzesłom krzesłami krzesłach
łóżko łóżka łóżku łóżkiem łóżek łóżkom łóżkami łóżkach
stół stołu stołowi stołem stole stoły stołów stołom stołami stołach
kurtka kurtki kurtce kurtkę kurtką kurtek kurtkom kurtkami kurtkach
sukienka sukienki sukience sukienkę sukienką sukienek sukienkami sukienkach
rower roweru rowerowi rowerem rowerze rowery rowerów rowerom rowerami rowerach
telefon telefonu telefonowi telefonem telefonie telefony telefonów telefonami telefonach
lodówka lodówki lodówce lodówkę lodówką lodówek lodówkami lodówkach
pralka pralki pralce pralkę pralką pralek pralkami pralkach
materac materaca materacowi materacem materacu materace materaców materacami materacach
ekspres ekspresu ekspresowi ekspresem ekspresie ekspresy ekspresów ekspresami ekspresach
kawa kawy kawie kawę kawą kaw kawom kawami kawach
opona opony oponie oponę oponą opon oponom oponami oponach
zegarek zegarka zegarkowi zegarkiem zegarku zegarki zegarków zegarkami zegarkach
wózek wózka wózkowi wózkiem wózku wózki wózków wózkom wózkami wózkach
fotel fotela fotelowi fotelem fotelu fotele foteli fotelom fotelami fotelach
mebel mebla meblowi meblem meblu meble mebli meblom meblami meblach
sweter swetra swetrowi swetrem swetrze swetry swetrów swetrom swetrami swetrach
koszula koszuli koszulę koszulą koszul koszulom koszulami koszulach
płaszcz płaszcza płaszczowi płaszczem płaszczu płaszcze płaszczy płaszczami płaszczach
komputer komputera komputerowi komputerem komputerze komputery komputerów komputerami
samochód samochodu samochodowi samochodem samochodzie samochody samochodów samochodami
talerz talerza talerzowi talerzem talerzu talerze talerzy talerzami talerzach
szafa szafy szafie szafę szafą szaf szafom szafami szafach
lampa lampy lampie lampę lampą lamp lampom lampami lampach
torebka torebki torebce torebkę torebką torebek torebkom torebkami torebkach
karma karmy karmie karmę karmą karm karmom karmami
pies psa psu psem psie psy psów psom psami psach
dziecko dziecka dziecku dzieckiem dzieci dzieciom dziećmi dzieciach
pokrowiec pokrowca pokrowcem pokrowcu pokrowce pokrowców pokrowcom pokrowcami pokrowcach
damski damska damskie damskiego damskiej damskich damskim damskimi damską
zimowy zimowa zimowe zimowego zimowej zimowych zimowym zimowymi zimową
czerwony czerwona czerwone czerwonego czerwonej czerwonych czerwonym czerwonymi czerwoną
system systemu systemowi systemem systemie systemy systemów systemami systemach
zapach zapachu zapachowi zapachem zapachy zapachów zapachom zapachami zapachach
`

const englishForms = `
shoe shoes
heel heels heeled
insole insoles
box boxes
dress dresses
watch watches
knife knives
shelf shelves
glove gloves
sleeve sleeves
battery batteries
cookie cookies
woman women womens
man men mens
child children
sofa sofas
mouse mice
glass glasses
house houses
case cases
dish dishes
`

func TestFormsOfAWordMeet(t *testing.T) {
	for lang, text := range map[Language]string{Polish: polishForms, English: englishForms} {
		stems := map[string]string{}
		for line := range strings.Lines(strings.TrimSpace(text)) {
			forms := strings.Fields(line)
			want := stemOf(forms[0], lang)
			assert.GreaterOrEqual(t, len(want), minStem)
			for _, f := range forms {
				assert.Equal(t, want, stemOf(f, lang), "%s as %s", f, forms[0])
			}
			assert.Empty(t, stems[want], "%s meets %s", forms[0], stems[want])
			stems[want] = forms[0]
		}
	}
}

func TestDifferentWordsStayApart(t *testing.T) {
	for lang, pairs := range map[Language][][2]string{
		Polish: {
			{"kosz", "koszula"}, {"but", "butelka"}, {"stół", "stolik"}, {"lampa", "lampka"}, {"pasta", "pas"}, {"kot", "kotlet"},
			{"pies", "piec"}, {"kurtka", "kurek"}, {"szafa", "szafka"}, {"rower", "rok"}, {"koc", "kocioł"}, {"łóżko", "łóżeczko"},
		},
		English: {
			{"cap", "cape"}, {"tub", "tube"}, {"car", "care"}, {"pin", "pine"}, {"bed", "bedding"}, {"ear", "earring"}, {"light", "lighting"},
			{"bus", "buss"}, {"ring", "rin"}, {"seed", "see"}, {"plan", "plane"},
		},
	} {
		for _, p := range pairs {
			assert.NotEqual(t, stemOf(p[0], lang), stemOf(p[1], lang), "%s and %s", p[0], p[1])
		}
	}
}

func TestStemsAreStableAndDoNotGrow(t *testing.T) {
	for _, l := range []Language{English, Polish} {
		for _, text := range []string{polishForms, englishForms} {
			for _, f := range strings.Fields(text) {
				w, _ := segments.CutWord(nil, f)
				s := Stem(string(w), l)
				assert.LessOrEqual(t, len(s), max(len(w), 9), f)
				assert.NotEmpty(t, s)
			}
		}
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"buty na obcasie", "", ",,,", "sofa – narożnik | łóżko", "a\xffb \xf0\x9f\x98\x80", "1234567890 xx-yy", strings.Repeat("ab ", 500)} {
		f.Add(s)
	}
	x := shopOf("pl", Doc{Title: "Szpilki czarne na obcasie", Category: "Buty > Szpilki"})
	f.Fuzz(func(t *testing.T, s string) {
		var q Query
		q.Add(s, FromSearch)
		q.AddURL(s)
		q.AddSegment(s)
		var m Match
		x.Match(&m, &q, 1, nil)
		if m.Strength < 0 || m.Strength > 1.0001 {
			t.Fatalf("strength %v", m.Strength)
		}
		for i := range m.N {
			q.Words(&m.Hits[i])
		}
	})
}
