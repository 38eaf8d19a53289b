package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/grosz/grosz/console/report"
	"github.com/grosz/grosz/console/store"
)

// Alerts: what needs a shop's people is looked for every minute in the shops
// that have a webhook; what is news is put into the database in one
// transaction with the note that it was told, and sent from there. So each is
// told once, survives a restart, and is tried again until it is taken, or a
// day has passed.
const (
	alertEvery    = time.Minute
	deliverEvery  = time.Second
	deliverAtOnce = 20
	feedStaleMS   = 48 * 60 * 60 * 1000
	giveUpMS      = 24 * 60 * 60 * 1000
	alertDays     = 7
)

// alert is the body of a call.
type alert struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`
	Shop    uint32 `json:"shop"`
	At      int64  `json:"at"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	// for whom it is; 0: every webhook that wants its kind
	webhook uint32
}

func webhookSubject(id uint32) string { return "webhook/" + strconv.FormatUint(uint64(id), 10) }

// alarm queues an alert for a webhook.
func (s *Server) alarm(ctx context.Context, tx *store.Tx, h store.Webhook, a alert) error {
	a.ID, a.Shop, a.At = newSecret()[len("whsec_"):][:26], h.ShopID, tx.NowMS()
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write an alert: %w", err)
	}
	return tx.AddDelivery(ctx, h.ID, string(body))
}

// watchAlerts looks and sends until ctx ends.
func (s *Server) watchAlerts(ctx context.Context) {
	look, send := time.NewTicker(alertEvery), time.NewTicker(deliverEvery)
	defer look.Stop()
	defer send.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if err := s.lookForAlerts(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("alerts not looked for", "err", err)
			}
		case <-send.C:
			if err := s.deliver(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("alerts not sent", "err", err)
			}
		}
	}
}

// lookForAlerts goes through the shops that have webhooks.
func (s *Server) lookForAlerts(ctx context.Context) error {
	hooks, err := s.store.View().Webhooks(ctx, 0)
	if err != nil {
		return err
	}
	var errs []error
	for len(hooks) > 0 && ctx.Err() == nil {
		n := slices.IndexFunc(hooks, func(h store.Webhook) bool { return h.ShopID != hooks[0].ShopID })
		if n < 0 {
			n = len(hooks)
		}
		errs = append(errs, s.lookAtShop(ctx, hooks[:n]))
		hooks = hooks[n:]
	}
	return errors.Join(errs...)
}

// lookAtShop tells the webhooks of one shop what is news.
func (s *Server) lookAtShop(ctx context.Context, hooks []store.Webhook) error {
	shop, err := s.store.View().Shop(ctx, hooks[0].ShopID)
	if err != nil {
		return err
	}
	holds, over, err := s.alertsOf(ctx, &shop, hooks)
	if err != nil {
		return err
	}
	return s.store.Write(ctx, store.Actor{Name: "alerts"}, func(tx *store.Tx) error {
		for _, subject := range over {
			if _, err := tx.SetAlert(ctx, shop.ID, subject, false); err != nil {
				return err
			}
		}
		for _, a := range holds {
			news, err := tx.SetAlert(ctx, shop.ID, a.Kind+" "+a.Subject, true)
			if err != nil {
				return err
			}
			for _, h := range hooks {
				if !news || !slices.Contains(h.Kinds, a.Kind) || a.webhook != 0 && a.webhook != h.ID {
					continue
				}
				if err := s.alarm(ctx, tx, h, a); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// alertsOf lists what holds of a shop now, and the subjects that do not. What
// cannot be known now is in neither list.
func (s *Server) alertsOf(ctx context.Context, shop *store.Shop, hooks []store.Webhook) (holds []alert, over []string, err error) {
	note := func(kind, subject, text string, yes bool, webhook uint32) {
		if yes {
			holds = append(holds, alert{Kind: kind, Subject: subject, Text: text, webhook: webhook})
		} else {
			over = append(over, kind+" "+subject)
		}
	}
	states, known, found, err := s.states(ctx, shop)
	if err != nil {
		return nil, nil, err
	}
	words := newAlertWords(shop, found)
	for _, st := range states {
		if !known {
			break
		}
		subject := "campaign/" + strconv.FormatUint(uint64(st.Campaign), 10)
		limited := st.State == StateDayBudget || st.State == StateWeekBudget || st.State == StateTotalBudget
		note(AlertBudget, subject, words.budget(st.Campaign, st.State), limited, 0)
		note(AlertNoBids, subject, words.noBids(st.Campaign), st.State == StateNoBids, 0)
	}
	feed, err := s.store.View().Feed(ctx, shop.ID)
	if err == nil {
		note(AlertFeedStale, "feed", words.feedStale(), s.clock.NowMS()-feed.UpdatedMS > feedStaleMS, 0)
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, nil, err
	}
	parts, ok := s.reports.(PartReports)
	wanted := slices.ContainsFunc(hooks, func(h store.Webhook) bool { return slices.Contains(h.Kinds, AlertCostPerOrder) })
	if !known || !ok || !wanted {
		return holds, over, nil
	}
	last := s.today(shop.TimeZone)
	rows, err := parts.Breakdown(ctx, report.Question{
		Shop: shop.ID, By: "campaign", Zone: shop.TimeZone, From: last.AddDate(0, 0, 1-alertDays).Format(time.DateOnly), To: last.Format(time.DateOnly),
	})
	if err != nil {
		return nil, nil, err
	}
	for _, h := range hooks {
		if !slices.Contains(h.Kinds, AlertCostPerOrder) {
			continue
		}
		for _, row := range rows {
			p := partOf(row)
			low := 0.0
			if p.Low != nil {
				low, _ = strconv.ParseFloat(*p.Low, 64) // written by partOf
			}
			note(AlertCostPerOrder, "campaign/"+row.Key+" "+webhookSubject(h.ID), words.costPerOrder(row.Key, low, shop.Currency.String()),
				low*1e9 > float64(h.CostPerOrder), h.ID)
		}
	}
	return holds, over, nil
}

// deliver sends what is due, a few at a time.
func (s *Server) deliver(ctx context.Context) error {
	due, err := s.store.View().DueDeliveries(ctx, s.clock.NowMS(), deliverAtOnce)
	if err != nil || len(due) == 0 {
		return err
	}
	hooks, err := s.store.View().Webhooks(ctx, 0)
	if err != nil {
		return err
	}
	errs := make([]error, len(due))
	var wg sync.WaitGroup
	for n, d := range due {
		i := slices.IndexFunc(hooks, func(h store.Webhook) bool { return h.ID == d.Webhook })
		if i < 0 {
			continue // deleted meanwhile
		}
		wg.Go(func() { errs[n] = s.deliverOne(ctx, hooks[i], d) }) // at once: none waits for another's slow server
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *Server) deliverOne(ctx context.Context, h store.Webhook, d store.Delivery) error {
	now := s.clock.NowMS()
	err := s.hooks.Call(ctx, h.URL, h.Secret, time.UnixMilli(now), []byte(d.Body))
	if ctx.Err() != nil {
		return nil // the end: tried again after the next start
	}
	d.Tries++
	d.Status, d.Note = store.DeliverySent, ""
	if err == nil {
		s.metrics.alertsSent.Inc()
	} else {
		s.metrics.alertsFailed.Inc()
		d.Status, d.Note = store.DeliveryWaiting, err.Error()
		d.NextMS = now + min(int64(30_000)<<min(d.Tries-1, 8), 2*60*60*1000)
		if d.NextMS-d.AtMS > giveUpMS {
			d.Status = store.DeliveryFailed
		}
	}
	return s.store.Write(ctx, store.Actor{Name: "alerts"}, func(tx *store.Tx) error { return tx.NoteDelivery(ctx, d) })
}
