package demo

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// picture draws a product as SVG: the outline of its kind on a soft ground,
// in colours that follow from its id.
func picture(c *concept, l *line, id string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // cannot fail
	n := h.Sum32()
	hue := (c.hue + int(n%60) - 30 + 360) % 360
	ground, body, dark := hsl(hue, 45, 93), hsl(hue, 55, 48+int((n>>8)%14)), hsl(hue, 50, 26)
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" width="800" height="800" role="img">
<rect width="400" height="400" fill="%s"/><ellipse cx="200" cy="322" rx="130" ry="14" fill="%s" opacity=".14"/>
<g fill="%s" stroke="%s" stroke-width="5" stroke-linejoin="round" stroke-linecap="round">%s</g></svg>`,
		ground, dark, body, dark, shape(l.shape))
}

func hsl(h, s, l int) string { return fmt.Sprintf("hsl(%d %d%% %d%%)", h, s, l) }

func shape(kind string) string {
	legs := func(x1, x2, top int) string {
		return fmt.Sprintf(`<path d="M%d %dV318M%d %dV318"/>`, x1, top, x2, top)
	}
	switch kind {
	case "sofa":
		return `<rect x="92" y="168" width="216" height="90" rx="22"/><rect x="70" y="206" width="56" height="84" rx="20"/><rect x="274" y="206" width="56" height="84" rx="20"/><rect x="112" y="238" width="176" height="52" rx="12"/>` + legs(96, 304, 290)
	case "table":
		return `<rect x="70" y="186" width="260" height="24" rx="8"/>` + legs(98, 302, 210)
	case "chair":
		return `<rect x="138" y="104" width="124" height="96" rx="16"/><rect x="128" y="214" width="144" height="26" rx="10"/>` + legs(146, 254, 240)
	case "bed":
		return `<rect x="70" y="138" width="28" height="176" rx="10"/><rect x="84" y="228" width="250" height="62" rx="14"/><rect x="104" y="200" width="76" height="36" rx="14"/>` + legs(92, 322, 290)
	case "lamp":
		return `<path d="M152 92h96l34 96H118z"/><path d="M200 188v118M156 312h88"/>`
	case "sneaker":
		return `<path d="M84 226c34 6 60-14 78-52l56 34c22 26 60 34 96 40 14 4 16 30 6 42H92c-14 0-18-40-8-64z"/><path d="M84 272h238M176 196l24-14M196 210l22-14"/>`
	case "heel":
		return `<path d="M96 152c20 54 66 74 110 96 34 18 76 22 108 38 8 6 4 16-4 16H226c-48 0-70-40-98-52l-10 52h-14z"/>`
	case "boot":
		return `<path d="M136 88h96v120c26 20 62 30 84 46 10 10 8 40 0 48H136z"/><path d="M136 282h184M136 120h96"/>`
	case "shoe":
		return `<path d="M82 214c40 10 78-2 104-30l52 36c24 14 60 18 82 36 8 12 6 26-2 34H86c-10-16-12-54-4-76z"/><path d="M84 272h238"/>`
	case "laptop":
		return `<rect x="96" y="112" width="208" height="140" rx="12"/><rect x="114" y="130" width="172" height="104" rx="4" fill="#fff" opacity=".6"/><path d="M66 276h268l-18 28H84z"/>`
	case "phone":
		return `<rect x="140" y="84" width="120" height="224" rx="20"/><rect x="154" y="108" width="92" height="164" rx="6" fill="#fff" opacity=".6"/><path d="M190 292h20"/>`
	case "headphones":
		return `<path d="M104 232c0-150 192-150 192 0" fill="none"/><rect x="84" y="216" width="44" height="88" rx="18"/><rect x="272" y="216" width="44" height="88" rx="18"/>`
	case "screen":
		return `<rect x="66" y="106" width="268" height="166" rx="10"/><rect x="82" y="122" width="236" height="134" rx="3" fill="#fff" opacity=".6"/><path d="M200 272v34M150 310h100"/>`
	default:
		return `<rect x="82" y="148" width="236" height="152" rx="20"/><path d="M150 148l16-30h68l16 30"/><circle cx="200" cy="224" r="48" fill="#fff" opacity=".7"/><circle cx="200" cy="224" r="24"/>`
	}
}

// logo is the shop's mark.
func logo(c *concept) string {
	first, _, _ := strings.Cut(c.name, " ")
	letter := string([]rune(first)[:1])
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" width="400" height="400"><rect width="200" height="200" rx="44" fill="%s"/><text x="100" y="140" font-family="Georgia,serif" font-size="120" text-anchor="middle" fill="#fff">%s</text></svg>`,
		hsl(c.hue, 55, 38), letter)
}
