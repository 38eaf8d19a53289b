package world

import (
	"fmt"
	"math"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/internal/money"
)

// Shops is how many shops there are; their ids are 1 to Shops.
func (w *World) Shops() int { return w.shops }

// lines are what shops sell, and the IAB category of their ads.
var lines = []struct {
	name, iab string
	nouns     []string
}{
	{"Furniture", "IAB10-6", []string{"sofa", "armchair", "table", "wardrobe", "lamp", "carpet"}},
	{"Shoes", "IAB18-3", []string{"boots", "trainers", "sandals", "heels", "slippers"}},
	{"Electronics", "IAB19-18", []string{"laptop", "phone", "camera", "monitor", "headphones", "router"}},
	{"Garden", "IAB10-4", []string{"mower", "spade", "hose", "planter", "trellis"}},
	{"Sport", "IAB17-3", []string{"bicycle", "racket", "tent", "rucksack", "skis"}},
	{"Toys", "IAB6-6", []string{"blocks", "puzzle", "doll", "train", "kite"}},
	{"Books", "IAB1-1", []string{"novel", "atlas", "cookbook", "comic", "biography"}},
	{"Kitchen", "IAB8-5", []string{"kettle", "pan", "oven", "knife", "blender"}},
}

func domainOfShop(i int) string { return fmt.Sprintf("shop%d.example", i) }

// Shop is the shop of an id, from 1; without keys and salt.
func (w *World) Shop(id int) campaigns.Shop {
	d, line := w.draw(ofShop, id), lines[id%len(lines)]
	return campaigns.Shop{
		ID: uint32(id), Name: fmt.Sprintf("%s house %d", line.name, id), Domain: domainOfShop(id), URL: "https://www." + domainOfShop(id) + "/",
		LogoURL: "https://cdn." + domainOfShop(id) + "/logo.png", Currency: usd, Language: one(d, "pl", "pl", "en", ""),
		TimeZone: one(d, "Europe/Warsaw", "Europe/Warsaw", "Europe/Berlin", "UTC"), FeeBPS: int64(500 + 100*d.IntN(11)),
		Categories: []string{line.iab}, Active: true,
	}
}

// productsOf is how many products a shop has: a few shops have many.
func (w *World) productsOf(id int) int {
	share := func(n int) int { return int(float64(w.cfg.Products) * math.Sqrt(float64(n)/float64(w.shops))) }
	return share(id) - share(id-1)
}

func productID(shop, i int) string { return fmt.Sprintf("s%d-p%d", shop, i) }

func category(shop, k int) string {
	line := lines[shop%len(lines)]
	return line.name + " > " + line.nouns[k%len(line.nouns)]
}

var qualities = []string{"Grey", "Oak", "Soft", "Light", "Large", "Classic", "Blue", "Folding", "Warm", "Quiet"}

// Products are the products of a shop.
func (w *World) Products(shop int) []campaigns.Product {
	d, domain := w.draw(ofProduct, shop), domainOfShop(shop)
	out := make([]campaigns.Product, w.productsOf(shop))
	for i := range out {
		k := d.IntN(len(lines[shop%len(lines)].nouns))
		out[i] = campaigns.Product{
			ID: productID(shop, i), Title: fmt.Sprintf("%s %s model %d", one(d, qualities...), lines[shop%len(lines)].nouns[k], d.IntN(1000)),
			Category: category(shop, k), Brand: fmt.Sprintf("Brand %d", d.IntN(60)),
			URL: fmt.Sprintf("https://www.%s/p/%d", domain, i), ImageURL: fmt.Sprintf("https://cdn.%s/p/%d.jpg", domain, i),
			Price: money.Nano(d.logNormal(60, 1)*100) * (money.NanoUnit / 100), Currency: usd, Available: d.chance(0.95),
		}
		out[i].Price = max(out[i].Price, money.NanoUnit)
	}
	return out
}
