package campaigns

import (
	"fmt"

	"github.com/grosz/grosz/internal/money"
)

// What a shop pays for.
const (
	BillingCPM = "cpm" // what impressions cost, with the fee
	BillingCPC = "cpc" // clicks at a fixed price; impressions are the platform's
)

// MaxCPC bounds the price of a billed click, in the shop's currency.
const MaxCPC = 10_000 * money.NanoUnit

// PerClick tells whether the shop pays for clicks.
func (c *Campaign) PerClick() bool { return c.Billing == BillingCPC }

// ClickPrice is what a click is billed at, 0 where impressions are billed.
func (c *Campaign) ClickPrice() money.Nano {
	if c.PerClick() {
		return c.CPC
	}
	return 0
}

// ClickBill is what a click takes from the shop's budget: its price, and the fee
// if that is a share.
func (c *Campaign) ClickBill(fee money.Fee) money.Nano { return fee.Share().Gross(c.ClickPrice()) }

// CheckBilling names the field of the billing that is wrong, and what is.
func (c *Campaign) CheckBilling() (field, what string) {
	switch {
	case c.Billing != "" && c.Billing != BillingCPM && c.Billing != BillingCPC:
		return "billing", fmt.Sprintf("%q is not %s or %s", c.Billing, BillingCPM, BillingCPC)
	case c.PerClick() && (c.CPC <= 0 || c.CPC > MaxCPC):
		return "cpc", fmt.Sprintf("%s must be above 0 and at most %s where clicks are billed", c.CPC, money.Nano(MaxCPC))
	case !c.PerClick() && c.CPC != 0:
		return "cpc", fmt.Sprintf("%s is the price of a billed click: it needs billing %q", c.CPC, BillingCPC)
	}
	return "", ""
}

func (c *Campaign) checkBilling() []error {
	if field, what := c.CheckBilling(); field != "" {
		return []error{fmt.Errorf("%s %s", field, what)}
	}
	return nil
}
