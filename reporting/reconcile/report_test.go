package reconcile

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/internal/money"
)

// read reads a whole report: amounts of good lines, mistakes of bad ones.
func read(r io.Reader, cols Columns) (lines []Line, bad []error, skipped int, err error) {
	rd, err := newReader(r, cols)
	if err != nil {
		return nil, nil, 0, err
	}
	for {
		l, err := rd.next()
		var wrong *LineError
		switch {
		case errors.Is(err, io.EOF):
			return lines, bad, rd.skipped, nil
		case errors.As(err, &wrong):
			bad = append(bad, err)
		case err != nil:
			return nil, nil, 0, err
		default:
			lines = append(lines, l)
		}
	}
}

const someBid = "233e7e6b8f4570c6564405998aff2c3c"

func TestReportsOfManyShapes(t *testing.T) {
	for _, c := range []struct {
		name, text string
		cols       Columns
		amount     money.Nano
	}{
		{"our own names", "bid_id,price,currency\n" + someBid + ",0.91,usd\n", Columns{}, 910_000},
		{"a BOM, other order, other columns", "\xef\xbb\xbfday,Price,BID_ID\n2026-03-01, 0.91 ," + someBid + "\n", Columns{}, 910_000},
		{"their names", "Bid ID;Clearing CPM;Cur\r\n" + someBid + ";0,91;USD\r\n", Columns{Delimiter: ";", DecimalComma: true, BidID: "bid id", Price: "clearing cpm", Currency: "Cur"}, 910_000},
		{"micros", "bid_id,price\n" + someBid + ",910000\n", Columns{PriceMicros: true}, 910_000},
		{"an amount", "bid_id,amount,price\n" + someBid + ",0.00091,77\n", Columns{}, 910_000},
		{"finer than we bid", "bid_id,amount\n" + someBid + ",0.00091000049\n", Columns{}, 910_000},
		{"a UUID", "bid_id,price\n233e7e6b-8f45-70c6-5644-05998aff2c3c,0.91\n", Columns{}, 910_000},
		{"tabs", "bid_id\tprice\n" + someBid + "\t.91\n", Columns{Delimiter: "\t"}, 910_000},
		{"types", "bid_id,price,type\n" + someBid + ",0.91,Impression\n" + someBid + ",5,click\n", Columns{BilledTypes: []string{"impression"}}, 910_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines, bad, skipped, err := read(strings.NewReader(c.text), c.cols)
			require.NoError(t, err)
			require.Empty(t, bad)
			require.Len(t, lines, 1)
			require.Equal(t, someBid, lines[0].BidID.String())
			require.Equal(t, c.amount, lines[0].Amount)
			require.Equal(t, len(c.cols.BilledTypes), skipped)
		})
	}
}

func TestReportsThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		text, want string
		cols       Columns
	}{
		{"", "empty", Columns{}},
		{"a,b\n", "neither bid_id nor request_id", Columns{}},
		{"bid_id\n", "neither amount nor price", Columns{}},
		{"bid_id,price,PRICE\n", `"price" twice`, Columns{}},
		{"bid_id,price\n", `no "CPM"`, Columns{Price: "CPM"}},
		{"bid_id,price\n", "no type", Columns{BilledTypes: []string{"x"}}},
	} {
		_, _, _, err := read(strings.NewReader(c.text), c.cols)
		require.ErrorContains(t, err, c.want)
	}
}

func TestABadLineSpoilsOnlyItself(t *testing.T) {
	lines, bad, _, err := read(strings.NewReader("bid_id,price,currency\n"+
		"xyz,1,\n,1,\n"+someBid+",,\n"+someBid+",-1,\n"+someBid+",1e3,\n"+someBid+",1,DOLLARS\n"+someBid+",\"1\"2,USD\n"+someBid+",99999999999999,USD\n"+someBid+",1,USD\n"), Columns{})
	require.NoError(t, err)
	require.Len(t, bad, 8)
	for i, want := range []string{"line 2: bid_id", "neither bid_id", "neither amount", "below zero", "1e3", "currency", "line 8", "out of range"} {
		require.ErrorContains(t, bad[i], want)
	}
	require.Len(t, lines, 1)
	require.Equal(t, 10, lines[0].N)
}

func FuzzReport(f *testing.F) {
	f.Add("bid_id,price,currency\n"+someBid+",0.91,USD\n", "", false)
	f.Add("bid_id;amount\n"+someBid+";0,91\n", ";", true)
	f.Add("request_id,imp_id,price\n\"a\nb\",1,1\n", ",", false)
	f.Fuzz(func(t *testing.T, text, delimiter string, micros bool) {
		if len([]rune(delimiter)) > 1 {
			return
		}
		lines, _, _, err := read(strings.NewReader(text), Columns{Delimiter: delimiter, PriceMicros: micros})
		if err != nil {
			return
		}
		for _, l := range lines {
			if l.Amount < 0 || l.BidID.IsZero() && l.RequestID == "" {
				t.Errorf("%+v", l)
			}
		}
	})
}
