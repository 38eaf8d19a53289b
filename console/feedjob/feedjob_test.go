package feedjob

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console"
	"github.com/grosz/grosz/internal/money"
)

func opts() console.FeedOptions {
	return console.FeedOptions{Currency: money.MustCurrency("PLN"), MaxProducts: 3, MaxBytes: 10_000}
}

func read(t *testing.T, r io.Reader, o console.FeedOptions) ([]campaigns.Product, console.FeedReport, error) {
	t.Helper()
	var got []campaigns.Product
	report, err := Read(context.Background(), r, o, func(p campaigns.Product) error {
		got = append(got, p)
		return nil
	})
	return got, report, err
}

const csv = "id,title,link,image_link,price,availability\n" +
	"a,Shoe,https://buty.example/a,https://buty.example/a.jpg,129.99 PLN,in stock\n" +
	",No id,https://buty.example/b,https://buty.example/b.jpg,1 PLN,in stock\n" +
	"a,Again,https://buty.example/a,https://buty.example/a.jpg,5 PLN,in stock\n"

func TestReadsAndReports(t *testing.T) {
	got, report, err := read(t, strings.NewReader(csv), opts())
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, "129.99", got[0].Price.String())
	require.Equal(t, "csv", report.Format)
	require.Equal(t, []int{3, 1, 2, 1}, []int{report.Rows, report.Accepted, report.Rejected, report.Repeated})
	require.Len(t, report.Problems, 2)
	require.Equal(t, 3, report.Problems[0].Line)
	require.Equal(t, "id", report.Problems[0].Column)
	require.NotEmpty(t, report.Problems[0].Reason)
	require.Equal(t, "a", report.Problems[1].Product)
}

func TestBounds(t *testing.T) {
	rows := "id,title,link,image_link,price\n"
	for _, id := range []string{"a", "b", "c", "d"} {
		rows += id + ",Shoe,https://buty.example/a,https://buty.example/a.jpg,129.99 PLN\n"
	}
	_, _, err := read(t, strings.NewReader(rows), opts())
	require.ErrorIs(t, err, console.ErrFeedTooLarge, "too many products")
	_, _, err = read(t, strings.NewReader(csv+strings.Repeat("x", 20_000)), opts())
	require.ErrorIs(t, err, console.ErrFeedTooLarge, "too many bytes")
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, err = z.Write([]byte(csv + strings.Repeat("\n", 1_000_000)))
	require.NoError(t, errors.Join(err, z.Close()))
	require.Less(t, bomb.Len(), 10_000)
	_, _, err = read(t, &bomb, opts())
	require.ErrorIs(t, err, console.ErrFeedTooLarge, "too many bytes when inflated")
	o := opts()
	o.Format = "yaml"
	_, _, err = read(t, strings.NewReader(csv), o)
	require.ErrorContains(t, err, "yaml")
	require.NotErrorIs(t, err, console.ErrFeedTooLarge)
}
