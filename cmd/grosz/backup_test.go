package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/bench/sim"
	"github.com/grosz/grosz/internal/backup"
	"github.com/grosz/grosz/internal/kafkatest"
	"github.com/grosz/grosz/internal/money"
)

// settledAt asks a stack's warehouse what each bid was settled at.
func (s *stack) settledAt() (map[string]money.Nano, error) {
	var got struct {
		Data []struct{ Bid, Amount string }
	}
	if err := s.query("SELECT lower(hex(bid)) AS bid, toString(amount) AS amount FROM grosz.settlements", &got); err != nil {
		return nil, err
	}
	out := map[string]money.Nano{}
	for _, row := range got.Data {
		amount, err := money.ParseNano(row.Amount)
		if err != nil || out[row.Bid] != 0 {
			return nil, errors.Join(err, fmt.Errorf("bid %s is settled twice", row.Bid))
		}
		out[row.Bid] = amount
	}
	return out, nil
}

func billedSoFar(t *testing.T, journals string) map[string]money.Nano {
	t.Helper()
	inv, err := sim.ReadInvoice(journals)
	require.NoError(t, err)
	out := map[string]money.Nano{}
	for _, x := range inv.Exchanges {
		for _, l := range x.Lines {
			out[l.BidID] = l.Amount
		}
	}
	return out
}

// TestABackupUnderLoadIsRestoredElsewhere copies everything while it is at
// work, destroys it, and starts from the copy on other ports: what had been
// settled before is there, at exactly what was billed, and nothing else is.
func TestABackupUnderLoadIsRestoredElsewhere(t *testing.T) {
	s := newStack(t)
	s.start(120)
	kafkatest.Eventually(t, "settled bids", func() error {
		got, err := s.settledAt()
		if err == nil && len(got) < 60 {
			err = fmt.Errorf("%d", len(got))
		}
		return err
	})
	before, err := s.settledAt()
	require.NoError(t, err)
	requireFilesAreDocumented(t, s.dir)
	metrics := s.args[1+indexOf(s.args, "--metrics")]
	dir := filepath.Join(t.TempDir(), "backup")
	out, err := runRole(t, "backup", "--data", s.dir, "--bidder-metrics", metrics, "--wait", kafkatest.Bound.String(), dir)
	require.NoError(t, err)
	t.Log(out)
	billed := billedSoFar(t, s.journals())
	require.NoError(t, s.cmd.Process.Kill()) // its children end with it
	<-s.done
	s.cmd = nil

	r := newStack(t)
	require.NoError(t, os.Remove(r.dir))
	out, err = runRole(t, "restore", "--data", r.dir, dir)
	require.NoError(t, err)
	t.Log(out)
	r.start(0.0001) // notices that were under way are sent again
	check := func() error {
		got, err := r.settledAt()
		if err != nil {
			return err
		}
		for bid, amount := range billedSoFar(t, r.journals()) {
			billed[bid] = amount
		}
		for bid, amount := range got {
			if billed[bid] != amount {
				return fmt.Errorf("bid %s is settled at %s, billed %s", bid, amount, billed[bid])
			}
		}
		for bid := range before {
			if _, ok := got[bid]; !ok {
				return fmt.Errorf("bid %s was settled before the backup and is not there", bid)
			}
		}
		return r.ledgerEquals(len(got))
	}
	kafkatest.Eventually(t, "the restored books", check)
	r.bidsAgain()
	_, err = runRole(t, "restore", "--data", r.dir, dir)
	require.ErrorIs(t, err, backup.ErrNotEmpty)
}

func indexOf(list []string, s string) int {
	for i := range list {
		if list[i] == s {
			return i
		}
	}
	return -1
}

// ledgerEquals: the ledger has as many settlements as the reports.
func (s *stack) ledgerEquals(n int) error {
	var got struct{ Data []struct{ N string } }
	if err := s.query("SELECT toString(uniqExact(event_id)) AS N FROM grosz.ledger FINAL WHERE kind = 'settlement'", &got); err != nil {
		return err
	}
	if len(got.Data) != 1 || got.Data[0].N != fmt.Sprint(n) {
		return fmt.Errorf("the ledger has %v settlements, the reports %d", got.Data, n)
	}
	return nil
}

// bidsAgain waits until an ordinary request is bid on.
func (s *stack) bidsAgain() {
	s.t.Helper()
	kafkatest.Eventually(s.t, "a bid", func() error {
		status, err := post(context.Background(), "http://"+s.bidder+"/openrtb2/demo", `{"id":"x","imp":[{"id":"1","banner":{"w":300,"h":250}}],"site":{"domain":"anything.example"},"device":{"ua":"x"}}`)
		if err == nil && status != 200 {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
}
