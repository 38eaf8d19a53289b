package console

import (
	"fmt"
	"strconv"

	"github.com/grosz/grosz/console/store"
)

// alertWords writes the texts of alerts, for people, in a shop's language where
// it is one that we speak.
type alertWords struct {
	polish bool
	names  map[uint32]string // of campaigns
}

func newAlertWords(shop *store.Shop, found []store.Campaign) alertWords {
	w := alertWords{polish: shop.Language == "pl", names: make(map[uint32]string, len(found))}
	for i := range found {
		w.names[found[i].ID] = found[i].Name
	}
	return w
}

func (w alertWords) pick(en, pl string) string {
	if w.polish {
		return pl
	}
	return en
}

// campaign is its name; one that was deleted meanwhile has its number.
func (w alertWords) campaign(id uint32) string {
	if name := w.names[id]; name != "" {
		return strconv.Quote(name)
	}
	return strconv.FormatUint(uint64(id), 10)
}

func (w alertWords) budget(id uint32, state string) string {
	en, pl := "budget", "budżet"
	switch state {
	case StateDayBudget:
		en, pl = "day budget", "budżet dzienny"
	case StateWeekBudget:
		en, pl = "week budget", "budżet tygodniowy"
	case StateTotalBudget:
		en, pl = "total budget", "budżet całkowity"
	}
	return w.pick(fmt.Sprintf("Campaign %s has reached its %s.", w.campaign(id), en), fmt.Sprintf("Kampania %s: wyczerpany %s.", w.campaign(id), pl))
}

func (w alertWords) noBids(id uint32) string {
	return w.pick(fmt.Sprintf("Campaign %s is active and has not bid for an hour.", w.campaign(id)), fmt.Sprintf("Kampania %s jest włączona i nie licytuje od godziny.", w.campaign(id)))
}

func (w alertWords) feedStale() string {
	return w.pick("The feed is older than two days.", "Plik z produktami jest starszy niż dwa dni.")
}

// costPerOrder tells the lower end of what an order costs, in currency units.
func (w alertWords) costPerOrder(campaign string, low float64, currency string) string {
	id, _ := strconv.ParseUint(campaign, 10, 32) // a key of a report by campaign; 0 has no name
	return w.pick(fmt.Sprintf("An order of campaign %s costs at least %.2f %s with 95%% certainty.", w.campaign(uint32(id)), low, currency),
		fmt.Sprintf("Kampania %s: zamówienie kosztuje z pewnością 95%% co najmniej %.2f %s.", w.campaign(uint32(id)), low, currency))
}

func (w alertWords) test() string {
	return w.pick("This is a test.", "To jest próba.")
}
