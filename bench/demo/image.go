package demo

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// picture draws a product as SVG on white, as shops photograph them: its kind
// in a material and a colour that follow from its id, with light from above.
func picture(c *concept, l *line, id string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // cannot fail
	n := h.Sum32()
	col := l.tones(c)[int(n>>4)%len(l.tones(c))]
	body := fmt.Sprintf(`<linearGradient id="b" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="%s"/><stop offset="1" stop-color="%s"/></linearGradient>`, hsl(col.h, col.s, min(col.l+12, 94)), hsl(col.h, col.s, max(col.l-8, 6)))
	dark := fmt.Sprintf(`<linearGradient id="d" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="%s"/><stop offset="1" stop-color="%s"/></linearGradient>`, hsl(col.h, col.s, max(col.l-6, 10)), hsl(col.h, col.s, max(col.l-22, 4)))
	wood := fmt.Sprintf(`<linearGradient id="w" x1="0" y1="0" x2="1" y2="0"><stop offset="0" stop-color="%[1]s"/><stop offset=".5" stop-color="%[2]s"/><stop offset="1" stop-color="%[1]s"/></linearGradient>`, hsl(30, 38, 34+int(n>>16)%18), hsl(32, 42, 46+int(n>>16)%18))
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" width="800" height="800" role="img"><defs>%s%s%s<radialGradient id="s"><stop offset="0" stop-color="#000" stop-opacity=".22"/><stop offset="1" stop-color="#000" stop-opacity="0"/></radialGradient></defs>
<rect width="400" height="400" fill="#fff"/><ellipse cx="200" cy="326" rx="176" ry="20" fill="url(#s)"/>%s</svg>`, body, dark, wood, shape(l.shape, int(n>>24)))
}

type tone struct{ h, s, l int }

// tones are what a line's products come in: fabrics and woods for furniture,
// leathers for shoes, greys for devices.
func (l *line) tones(c *concept) []tone {
	switch c.slug {
	case "furniture":
		if l.shape == "table" || l.shape == "chair" {
			return []tone{{28, 45, 48}, {32, 40, 62}, {22, 50, 34}, {36, 28, 74}}
		}
		return []tone{{210, 14, 52}, {36, 24, 76}, {16, 52, 48}, {150, 22, 36}, {44, 68, 52}, {222, 32, 34}, {340, 30, 58}}
	case "shoes":
		return []tone{{24, 55, 36}, {0, 0, 16}, {0, 0, 92}, {212, 62, 44}, {4, 72, 48}, {38, 44, 62}, {150, 30, 34}}
	}
	return []tone{{220, 8, 22}, {220, 6, 78}, {220, 12, 40}, {30, 22, 74}, {212, 34, 34}}
}

func hsl(h, s, l int) string { return fmt.Sprintf("hsl(%d %d%% %d%%)", h, s, l) }

// shape is the drawing of a kind; variant chooses among small differences.
func shape(kind string, variant int) string {
	v := variant % 3
	switch kind {
	case "sofa":
		w := []int{0, 26, 44}[v]
		return fmt.Sprintf(`<g fill="url(#w)"><path d="M%[1]d 300h14l-4 26h-8zM%[2]d 300h14l-2 26h-8z"/></g><rect x="%[3]d" y="128" width="%[4]d" height="130" rx="30" fill="url(#b)"/><path d="M200 134v96" stroke="#000" stroke-opacity=".13" stroke-width="3"/><rect x="%[5]d" y="180" width="62" height="122" rx="27" fill="url(#d)"/><rect x="%[6]d" y="180" width="62" height="122" rx="27" fill="url(#d)"/><rect x="%[7]d" y="222" width="%[8]d" height="44" rx="18" fill="url(#b)"/><rect x="%[7]d" y="262" width="%[8]d" height="38" rx="12" fill="url(#d)"/><path d="M200 226v36" stroke="#000" stroke-opacity=".16" stroke-width="3"/><rect x="%[9]d" y="172" width="58" height="52" rx="14" fill="#fff" opacity=".32" transform="rotate(-9 %[9]d 190)"/>`,
			72-w+20, 300+w-10, 62-w/2+10, 256+w, 34-w/2+8, 296+w/2, 76-w/2+10, 228+w, 88-w/2)
	case "table":
		top := []string{`<rect x="44" y="170" width="312" height="22" rx="8" fill="url(#b)"/>`, `<ellipse cx="200" cy="182" rx="160" ry="26" fill="url(#d)"/><ellipse cx="200" cy="174" rx="160" ry="26" fill="url(#b)"/>`, `<rect x="44" y="166" width="312" height="18" rx="9" fill="url(#b)"/><rect x="80" y="184" width="240" height="24" rx="4" fill="url(#d)"/>`}[v]
		return `<path d="M86 190l-16 136h14l26-136zM314 190l16 136h-14l-26-136z" fill="url(#w)"/><path d="M134 190l-6 118h12l10-118zM266 190l6 118h-12l-10-118z" fill="url(#w)" opacity=".7"/>` + top
	case "chair":
		back := []string{`<rect x="132" y="64" width="136" height="128" rx="26" fill="url(#b)"/>`, `<path d="M132 190V92c0-40 136-40 136 0v98h-16v-88c0-22-104-22-104 0v88z" fill="url(#d)"/><path d="M176 76h12v116h-12zM212 76h12v116h-12z" fill="url(#b)"/>`, `<path d="M126 190c-8-120 30-128 74-128s82 8 74 128z" fill="url(#b)"/><path d="M160 84v92M200 78v98M240 84v92" stroke="#000" stroke-opacity=".13" stroke-width="4"/>`}[v]
		return back + `<rect x="116" y="190" width="168" height="40" rx="17" fill="url(#d)"/><path d="M132 228l-14 98h14l20-98zM268 228l14 98h-14l-20-98z" fill="url(#w)"/><path d="M164 228l-4 84h11l7-84zM236 228l4 84h-11l-7-84z" fill="url(#w)" opacity=".7"/>`
	case "bed":
		return `<path d="M66 306h14v20H66zM320 306h14v20h-14z" fill="url(#w)"/><rect x="46" y="116" width="44" height="192" rx="18" fill="url(#d)"/><rect x="60" y="254" width="298" height="54" rx="14" fill="url(#d)"/><rect x="72" y="216" width="286" height="52" rx="20" fill="#f6f3ee"/><path d="M176 214h158c16 0 24 10 24 28v22H176z" fill="url(#b)"/><path d="M176 214c14 14 14 38 0 50" stroke="#000" stroke-opacity=".12" stroke-width="3" fill="none"/><rect x="88" y="188" width="80" height="42" rx="18" fill="#fff" stroke="#e3ded5" stroke-width="2"/>`
	case "lamp":
		return []string{`<path d="M196 178h8v142h-8z" fill="#3b3b3e"/><ellipse cx="200" cy="322" rx="54" ry="10" fill="#2c2c2f"/><path d="M150 76h100l36 108H114z" fill="url(#b)"/><ellipse cx="200" cy="184" rx="86" ry="11" fill="#fff3cf"/>`,
			`<path d="M198 0h4v120h-4z" fill="#3b3b3e"/><path d="M92 236c0-72 50-118 108-118s108 46 108 118z" fill="url(#b)"/><ellipse cx="200" cy="236" rx="108" ry="17" fill="url(#d)"/><ellipse cx="200" cy="236" rx="92" ry="11" fill="#ffeebb"/>`,
			`<path d="M118 320V132c0-74 148-74 148 0v10" fill="none" stroke="#3b3b3e" stroke-width="8"/><ellipse cx="118" cy="322" rx="58" ry="11" fill="#2c2c2f"/><path d="M240 140h52l26 60H214z" fill="url(#b)"/><ellipse cx="266" cy="200" rx="52" ry="8" fill="#ffeebb"/>`}[v]
	case "sneaker":
		return `<path d="M56 232c34 10 66-16 88-62 6-10 18-8 26 0l58 46c34 22 78 26 108 38 18 8 24 22 22 40H60c-14 0-20-48-4-62z" fill="url(#b)"/><path d="M56 232c34 10 66-16 88-62l34 28c-18 44-60 70-124 66z" fill="url(#d)"/><path d="M50 284h310c4 0 4 26-8 30H64c-12 0-18-20-14-30z" fill="#fafafa"/><path d="M50 300h310" stroke="#c9ccd2" stroke-width="4"/><path d="M178 202l22-18M196 216l22-18M214 228l20-16" stroke="#fff" stroke-width="6" stroke-linecap="round"/><path d="M250 262c30 4 60 6 92 4" stroke="#fff" stroke-opacity=".55" stroke-width="7" fill="none" stroke-linecap="round"/>`
	case "heel":
		return `<path d="M92 122c16 72 66 96 122 122 42 20 88 26 118 42 12 8 8 26-6 26H226c-50 0-72-50-100-92l-10 92h-12L84 138c-2-10 4-22 8-16z" fill="url(#b)"/><path d="M92 122c16 72 66 96 122 122 10 5 6 22-10 16-50-20-104-62-116-122z" fill="url(#d)"/><path d="M226 300h106c4 4 0 14-8 14h-96z" fill="#222" opacity=".7"/><path d="M104 312h12v14h-10z" fill="#222"/>`
	case "boot":
		return `<path d="M126 74h112v126c24 24 66 34 92 50 14 10 14 38 6 52H126z" fill="url(#b)"/><path d="M126 74h38v228h-38z" fill="url(#d)"/><path d="M120 296h220c6 0 6 26-6 30H120z" fill="#2a2522"/><path d="M126 74h112v22H126z" fill="#000" opacity=".14"/><path d="M196 122l38 8M196 146l40 8M198 170l42 10M204 194l44 14" stroke="#efe6d6" stroke-width="5" stroke-linecap="round"/>`
	case "shoe":
		return `<path d="M58 210c44 14 84-2 112-40l60 44c28 18 72 24 104 42 16 10 16 32 8 44H62c-14-20-14-66-4-90z" fill="url(#b)"/><path d="M58 210c44 14 84-2 112-40l22 16c-24 40-72 62-138 56z" fill="url(#d)"/><path d="M56 296h288c4 0 2 24-10 26H72c-14 0-18-18-16-26zM56 296h62v30H68z" fill="#241c17"/><path d="M190 196l26-10M206 208l26-10M222 220l26-8" stroke="#241c17" stroke-width="5" stroke-linecap="round"/>`
	case "laptop":
		return `<rect x="76" y="92" width="248" height="166" rx="12" fill="url(#d)"/><rect x="86" y="102" width="228" height="146" rx="4" fill="#12294a"/><path d="M86 248c60-90 110-20 228-110v110z" fill="#2b6cb0" opacity=".85"/><path d="M86 248c80-50 140 0 228-60v60z" fill="#63b3ed" opacity=".6"/><path d="M48 262h304l14 40c2 8-4 12-12 12H46c-8 0-14-4-12-12z" fill="url(#b)"/><path d="M164 262h72l4 10h-80z" fill="#000" opacity=".16"/>`
	case "phone":
		return `<rect x="128" y="56" width="144" height="268" rx="26" fill="url(#d)"/><rect x="136" y="64" width="128" height="252" rx="19" fill="#101a2c"/><path d="M136 240c40-60 80 10 128-70v127c0 12-8 19-19 19h-90c-11 0-19-7-19-19z" fill="#7f5af0" opacity=".8"/><path d="M136 280c50-30 80 10 128-30v47c0 12-8 19-19 19h-90c-11 0-19-7-19-19z" fill="#2cb67d" opacity=".75"/><rect x="178" y="72" width="44" height="11" rx="6" fill="#000"/>`
	case "headphones":
		return `<path d="M96 236c0-190 208-190 208 0" fill="none" stroke="url(#d)" stroke-width="20"/><path d="M112 214c8-130 168-130 176 0" fill="none" stroke="#000" stroke-opacity=".14" stroke-width="6"/><rect x="70" y="212" width="58" height="104" rx="27" fill="url(#b)"/><rect x="272" y="212" width="58" height="104" rx="27" fill="url(#b)"/><rect x="116" y="222" width="22" height="84" rx="11" fill="#1b1b1f"/><rect x="262" y="222" width="22" height="84" rx="11" fill="#1b1b1f"/>`
	case "screen":
		return `<path d="M120 296h20l-10 28h-18zM260 296h20l8 28h-18z" fill="url(#d)"/><rect x="34" y="92" width="332" height="206" rx="7" fill="#15161a"/><rect x="41" y="99" width="318" height="188" rx="3" fill="#0b2545"/><circle cx="282" cy="150" r="24" fill="#ffd166"/><path d="M41 287l90-104 62 64 50-42 116 82z" fill="#1f7a5c"/><path d="M41 287l60-50 70 50zM220 287l70-60 69 60z" fill="#2fae83"/>`
	default:
		return `<path d="M136 132l18-34h92l18 34z" fill="url(#d)"/><rect x="62" y="128" width="276" height="182" rx="24" fill="url(#b)"/><rect x="62" y="168" width="276" height="92" fill="#000" opacity=".13"/><circle cx="200" cy="218" r="72" fill="#1b1b20"/><circle cx="200" cy="218" r="54" fill="#2b3350"/><circle cx="200" cy="218" r="32" fill="#0a0f24"/><circle cx="182" cy="200" r="12" fill="#fff" opacity=".6"/><rect x="278" y="146" width="36" height="16" rx="5" fill="#fff" opacity=".7"/>`
	}
}

// logo is the shop's mark.
func logo(c *concept) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" width="400" height="400"><rect width="200" height="200" rx="44" fill="%s"/><text x="100" y="140" font-family="Georgia,serif" font-size="120" text-anchor="middle" fill="#fff">%s</text></svg>`,
		hsl(c.hue, 55, 38), initialOf(c))
}

// wordmark is the mark with the name beside it, as ads show it.
func wordmark(c *concept) string {
	width := 62 + 23*len([]rune(c.name))
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d 48" width="%[2]d" height="96"><rect y="2" width="44" height="44" rx="10" fill="%[3]s"/><text x="22" y="34" font-family="Georgia,serif" font-size="30" text-anchor="middle" fill="#fff">%[4]s</text><text x="56" y="34" font-family="Georgia,serif" font-weight="600" font-size="30" textLength="%[5]d" lengthAdjust="spacingAndGlyphs" fill="%[6]s">%[7]s</text></svg>`,
		width-6*len([]rune(c.name)), 2*(width-6*len([]rune(c.name))), hsl(c.hue, 55, 38), initialOf(c), width-6*len([]rune(c.name))-58, hsl(c.hue, 30, 18), c.name)
}

func initialOf(c *concept) string {
	first, _, _ := strings.Cut(c.name, " ")
	return string([]rune(first)[:1])
}
