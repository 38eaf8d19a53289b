package events

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/grosz/grosz/internal/jsontext"
	"github.com/grosz/grosz/internal/money"
)

// AppendJSON appends e as one line of JSON, newline included. Fields at their
// zero value are left out. A message of a topic is one or many such lines,
// all of one key.
func (e *Event) AppendJSON(dst []byte) []byte {
	w := begin(dst)
	w.id(`,"event_id":`, e.EventID)
	w.str(`,"type":`, string(e.Type))
	w.num(`,"time":`, e.TimeMS)
	w.num(`,"bid_time":`, e.BidMS)
	w.str(`,"day":`, e.Day)
	w.id(`,"bid_id":`, e.BidID)
	w.num(`,"shop_id":`, int64(e.ShopID))
	w.num(`,"campaign_id":`, int64(e.CampaignID))
	w.num(`,"creative_id":`, int64(e.CreativeID))
	w.str(`,"exchange":`, e.Exchange)
	w.str(`,"media":`, e.Media)
	w.unsigned(`,"user":`, e.User)
	w.flag(`,"settles":`, e.Settles)
	w.decimal(`,"price":`, int64(e.Price), 6)
	w.str(`,"price_status":`, e.PriceStatus)
	w.decimal(`,"bid_price":`, int64(e.BidPrice), 6)
	w.currency(`,"currency":`, e.Currency)
	w.decimal(`,"amount":`, int64(e.Amount), 9)
	w.currency(`,"shop_currency":`, e.ShopCurrency)
	w.decimal(`,"rate":`, int64(e.Rate), 9)
	w.decimal(`,"shop_amount":`, int64(e.ShopAmount), 9)
	w.decimal(`,"shop_fee":`, int64(e.ShopFee), 9)
	w.decimal(`,"fee_cpm":`, int64(e.FeeCPM), 6)
	w.decimal(`,"click_price":`, int64(e.ClickPrice), 9)
	w.decimal(`,"disputed":`, int64(e.Disputed), 9)
	w.flag(`,"test":`, e.Test)
	w.flag(`,"late":`, e.Late)
	w.num(`,"loss_reason":`, int64(e.LossReason))
	w.decimal(`,"min_to_win":`, int64(e.MinToWin), 6)
	w.str(`,"product":`, e.Product)
	w.str(`,"reason":`, e.Reason)
	w.str(`,"raw":`, e.Raw)
	w.num(`,"count":`, e.Count)
	w.unsigned(`,"lease":`, e.Lease)
	w.num(`,"bid_day":`, int64(e.BidDay))
	w.num(`,"ttl":`, e.TTLMS)
	w.decimal(`,"limit_total":`, int64(e.LimitTotal), 9)
	w.decimal(`,"limit_week":`, int64(e.LimitWeek), 9)
	w.decimal(`,"limit_day":`, int64(e.LimitDay), 9)
	w.num(`,"version":`, e.Version)
	w.str(`,"shows":`, e.Shows)
	w.str(`,"node":`, e.Node)
	w.str(`,"request_id":`, e.RequestID)
	w.str(`,"imp_id":`, e.ImpID)
	w.str(`,"domain":`, e.Domain)
	w.str(`,"device":`, e.Device)
	w.str(`,"browser":`, e.Browser)
	w.str(`,"country":`, e.Country)
	w.num(`,"w":`, int64(e.W))
	w.num(`,"h":`, int64(e.H))
	w.str(`,"features":`, e.Features)
	w.num(`,"click_ppb":`, e.ClickPPB)
	w.num(`,"order_ppb":`, e.OrderPPB)
	w.num(`,"win_ppb":`, e.WinPPB)
	w.str(`,"segments":`, e.Segments)
	return append(w.dst, '}', '\n')
}

// AppendJSON appends e as one line of JSON, newline included.
func (e *ShopEvent) AppendJSON(dst []byte) []byte {
	w := begin(dst)
	w.id(`,"event_id":`, e.EventID)
	w.str(`,"type":`, string(e.Type))
	w.num(`,"time":`, e.TimeMS)
	w.num(`,"received":`, e.ReceivedMS)
	w.str(`,"day":`, e.Day)
	w.num(`,"shop_id":`, int64(e.ShopID))
	w.id(`,"uid":`, e.UID)
	w.unsigned(`,"user":`, e.User)
	w.id(`,"click_bid":`, e.ClickBid)
	w.str(`,"product":`, e.Product)
	w.str(`,"category":`, e.Category)
	w.str(`,"query":`, e.Query)
	w.num(`,"quantity":`, e.Quantity)
	w.decimal(`,"price":`, int64(e.Price), 9)
	w.str(`,"order_id":`, e.OrderID)
	w.decimal(`,"value":`, int64(e.Value), 9)
	w.decimal(`,"margin":`, int64(e.Margin), 9)
	w.currency(`,"currency":`, e.Currency)
	if len(e.Items) > 0 {
		w.dst = append(w.dst, `,"items":[`...)
		for i := range e.Items {
			if i > 0 {
				w.dst = append(w.dst, ',')
			}
			it := lineWriter{dst: append(w.dst, `{"product":`...)}
			it.dst = jsontext.AppendString(it.dst, e.Items[i].Product)
			it.num(`,"quantity":`, e.Items[i].Quantity)
			it.decimal(`,"price":`, int64(e.Items[i].Price), 9)
			w.dst = append(it.dst, '}')
		}
		w.dst = append(w.dst, ']')
	}
	w.str(`,"url":`, e.URL)
	w.flag(`,"offline":`, e.Offline)
	w.str(`,"status":`, e.Status)
	w.str(`,"name":`, e.Name)
	w.str(`,"browser":`, e.Browser)
	w.flag(`,"page":`, e.Page)
	w.id(`,"alias":`, e.Alias)
	w.unsigned(`,"alias_user":`, e.AliasUser)
	w.str(`,"node":`, e.Node)
	return append(w.dst, '}', '\n')
}

// begin starts a line with its version.
func begin(dst []byte) lineWriter {
	return lineWriter{dst: strconv.AppendInt(append(dst, `{"v":`...), SchemaVersion, 10)}
}

// lineWriter appends key and value for every value that is not zero; a key
// comes as it is written, with its comma and colon.
type lineWriter struct{ dst []byte }

func (w *lineWriter) str(key, v string) {
	if v != "" {
		w.dst = jsontext.AppendString(append(w.dst, key...), v)
	}
}

func (w *lineWriter) num(key string, v int64) {
	if v != 0 {
		w.dst = strconv.AppendInt(append(w.dst, key...), v, 10)
	}
}

// unsigned writes a 64-bit number as a string: JSON readers that use floats
// would round it.
func (w *lineWriter) unsigned(key string, v uint64) {
	if v != 0 {
		w.dst = append(strconv.AppendUint(append(append(w.dst, key...), '"'), v, 10), '"')
	}
}

func (w *lineWriter) flag(key string, v bool) {
	if v {
		w.dst = append(append(w.dst, key...), "true"...)
	}
}

func (w *lineWriter) decimal(key string, v int64, places int) {
	if v != 0 {
		w.dst = append(money.AppendDecimal(append(append(w.dst, key...), '"'), v, places, 0), '"')
	}
}

func (w *lineWriter) currency(key string, c money.Currency) {
	if c != (money.Currency{}) {
		w.dst = append(append(append(append(w.dst, key...), '"'), c[:]...), '"')
	}
}

func (w *lineWriter) id(key string, id ID) {
	if !id.IsZero() {
		w.dst = append(hex.AppendEncode(append(append(w.dst, key...), '"'), id[:]), '"')
	}
}

// ShopKey is the Kafka key of a shop's events: the shop account in 4 bytes.
func ShopKey(shop uint32) []byte { return binary.BigEndian.AppendUint32(nil, shop) }

// ShopUserKey is the Kafka key of a shop event: shop and user, 20 bytes.
func ShopUserKey(shop uint32, uid ID) []byte {
	return append(ShopKey(shop), uid[:]...)
}
