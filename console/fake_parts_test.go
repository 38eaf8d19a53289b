package console

import (
	"context"

	"github.com/grosz/grosz/console/report"
)

// The fake's parts of results: what a test has put there.

func (f *fakeReports) Breakdown(_ context.Context, q report.Question) ([]report.Breakdown, error) {
	f.shop, f.from, f.to, f.question = q.Shop, q.From, q.To, q
	return f.parts, f.err
}

func (f *fakeReports) Funnel(_ context.Context, q report.Question) (report.Funnel, error) {
	f.shop = q.Shop
	return report.Funnel{}, f.err
}

func (f *fakeReports) Activity(_ context.Context, shop uint32, day, week, now int64) (map[uint32]report.Activity, error) {
	f.shop = shop
	f.asked = [3]int64{day, week, now}
	return f.did, f.err
}

func (f *fakeReports) Reached(context.Context, uint32, uint32, int64, int64) (int64, error) {
	return f.reached, f.err
}

func (f *fakeReports) Compare(_ context.Context, m report.Moment) (before, after report.Side, err error) {
	f.shop, f.moment = m.Shop, m
	if len(f.sides) < 2 {
		return report.Side{Spend: "0", Revenue: "0"}, report.Side{Spend: "0", Revenue: "0"}, f.err
	}
	return f.sides[0], f.sides[1], f.err
}
