package sim

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/grosz/grosz/internal/money"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAuctionTable(t *testing.T) {
	usd := func(s string) money.CPM {
		p, err := money.ParseCPM(s)
		require.NoError(t, err)
		return p
	}
	second := Exchange{Kind: SecondPrice, Increment: 10_000}
	lone := second
	lone.LoneIncrement = true
	first := Exchange{Kind: FirstPrice}
	cases := []struct {
		name                      string
		x                         Exchange
		floor                     string
		bids                      []string
		winner                    int
		clear, winnerMin, loseMin string
	}{
		{"the standard's second price", second, "0.85", []string{"0.9", "1.00", "0.8"}, 1, "0.91", "0.90", "0.91"},
		{"the standard's first price", first, "0.85", []string{"1.00", "0.9", "0.8"}, 0, "1.00", "0.90", "1.00"},
		{"a tie clears at the bid", second, "0", []string{"1", "1"}, 0, "1", "1", "1"},
		{"a hair above", second, "0", []string{"1.005", "1"}, 0, "1.005", "1", "1.005"},
		{"alone at the floor", second, "0.85", []string{"1"}, 0, "0.85", "0.85", "0.85"},
		{"alone above the floor", lone, "0.85", []string{"1"}, 0, "0.86", "0.85", "0.86"},
		{"alone without a floor", second, "0", []string{"1"}, 0, "0.01", "0", "0.01"},
		{"at the floor", lone, "1", []string{"1"}, 0, "1", "1", "1"},
		{"below the floor", second, "1.01", []string{"1"}, -1, "0", "0", "0"},
		{"nobody", second, "0", nil, -1, "0", "0", "0"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var bids []money.CPM
			for _, b := range c.bids {
				bids = append(bids, usd(b))
			}
			require.Equal(t, Outcome{c.winner, usd(c.clear), usd(c.winnerMin), usd(c.loseMin)}, c.x.Auction(usd(c.floor), bids))
		})
	}
}

func TestAuctionProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := Exchange{Kind: rapid.IntRange(1, 2).Draw(t, "kind"), Increment: 10_000, LoneIncrement: rapid.Bool().Draw(t, "lone")}
		floor := money.CPM(rapid.Int64Range(0, 3_000_000).Draw(t, "floor"))
		var bids []money.CPM
		for _, v := range rapid.SliceOfN(rapid.Int64Range(0, 4_000_000), 0, 6).Draw(t, "bids") {
			bids = append(bids, money.CPM(v))
		}
		o := x.Auction(floor, bids)
		if o.Winner < 0 {
			for _, b := range bids {
				if b > 0 && b >= floor {
					t.Fatalf("bid %v reached the floor %v and nobody won", b, floor)
				}
			}
			return
		}
		if o.Clear > bids[o.Winner] || o.Clear < floor || o.Clear <= 0 {
			t.Fatalf("clears at %v: floor %v, bid %v", o.Clear, floor, bids[o.Winner])
		}
		for _, b := range bids {
			if b > bids[o.Winner] {
				t.Fatalf("bid %v lost to %v", b, bids[o.Winner])
			}
		}
	})
}

func TestMacros(t *testing.T) {
	f := facts{auctionID: "a", bidID: "b", impID: "1", seat: "s", price: 910_000, bid: 1_820_000, minToWin: 900_000, loss: 102, currency: money.MustCurrency("PLN"), timeMS: 5}
	got := f.replacer().Replace("${AUCTION_ID}|${AUCTION_BID_ID}|${AUCTION_IMP_ID}|${AUCTION_SEAT_ID}|${AUCTION_AD_ID}|${AUCTION_PRICE}|${AUCTION_CURRENCY}|${AUCTION_MBR}|${AUCTION_LOSS}|${AUCTION_MIN_TO_WIN}|${AUCTION_MULTIPLIER}|${AUCTION_IMP_TS}")
	require.Equal(t, "a|b|1|s||0.91|PLN|0.5000|102|0.90|1|5", got)
	f.trim, f.price, f.minToWin = true, 2_000_000, 0
	require.Equal(t, "2 .", f.replacer().Replace("${AUCTION_PRICE} ${AUCTION_MIN_TO_WIN}."))
	f.price = 10_500_000
	require.Equal(t, "10.5", f.text(f.price))
}

func TestReadMarkup(t *testing.T) {
	got, err := readMarkup("banner", `<a target=_blank href="https://d/c?t=1&amp;p=a%20b"><img src='https://i/p.png'></a><img width=1 src="https://d/i?t=1">`)
	require.NoError(t, err)
	require.Equal(t, tracked{[]string{"https://i/p.png", "https://d/i?t=1"}, []string{"https://d/c?t=1&p=a%20b"}}, got)
	got, err = readMarkup("native", `{"native":{"link":{"url":"https://d/c","clicktrackers":["https://d/t"]},"eventtrackers":[{"event":1,"method":1,"url":"https://d/i"},{"event":2,"method":1,"url":"no"}]}}`)
	require.NoError(t, err)
	require.Equal(t, tracked{[]string{"https://d/i"}, []string{"https://d/c", "https://d/t"}}, got)
	for _, media := range []string{"video", "native"} {
		_, err = readMarkup(media, "<VAST")
		require.Error(t, err)
	}
}

// TestJournalCut cuts a journal at every byte: what is whole before the cut
// is read, the rest is dropped, and writing goes on.
func TestJournalCut(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.journal")
	j, err := openJournal(path, nil)
	require.NoError(t, err)
	for i := range 5 {
		require.NoError(t, j.append(true, record{K: "done", N: uint64(i)}))
	}
	require.NoError(t, j.close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for cut := range len(whole) + 1 {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		before, after := 0, 0
		j, err := openJournal(path, func([]byte) error { before++; return nil })
		require.NoError(t, err, "cut at %d", cut)
		require.NoError(t, j.append(true, record{K: "done"}))
		require.NoError(t, j.close())
		j, err = openJournal(path, func([]byte) error { after++; return nil })
		require.NoError(t, err)
		require.NoError(t, j.close())
		require.Equal(t, before+1, after, "cut at %d", cut)
	}
}

// TestJournalFlip flips one bit of every byte but those of the last line: an
// error, never a wrong record.
func TestJournalFlip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.journal")
	j, err := openJournal(path, nil)
	require.NoError(t, err)
	require.NoError(t, j.append(true, record{K: "done", N: 1}, record{K: "done", N: 2}, record{K: "done", N: 3}))
	require.NoError(t, j.close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := range len(whole) - 35 {
		bad := append([]byte(nil), whole...)
		bad[i] ^= 4
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		_, err := openJournal(path, func([]byte) error { return nil })
		require.True(t, errors.Is(err, errJournal), "byte %d: %v", i, err)
	}
}
