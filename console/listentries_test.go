package console

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/campaigns"
)

// A list can be read back as it was understood, and its sum tells without
// reading whether it holds the same.
func TestListsCanBeReadBack(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	otherPath, other := b.shop()
	put := func(body string) (l List) {
		a := b.call(key, "PUT", path+"/lists/blocked", body, "Content-Type", "text/plain")
		require.Equal(t, 200, a.code, a.body)
		a.into(t, &l)
		return l
	}
	first := put("# bad places\nwww.spam.example\ncom.example.game\nSpam.example\n")
	require.Equal(t, campaigns.ListSum([]string{"com.example.game", "spam.example"}), first.Sum)
	a := b.call(b.key(path, "read"), "GET", path+"/lists/blocked/entries", "")
	require.Equal(t, 200, a.code, a.body)
	require.Equal(t, "com.example.game\nspam.example\n", a.body)
	require.Contains(t, a.header.Get("Content-Type"), "text/plain")
	require.Equal(t, etag(first.Version), a.header.Get("ETag"))
	require.Equal(t, first.Sum, put("spam.example\ncom.example.game").Sum, "in whatever order")
	require.NotEqual(t, first.Sum, put("spam.example").Sum)
	require.Equal(t, 404, b.call(other, "GET", path+"/lists/blocked/entries", "").code)
	require.Equal(t, 404, b.call(other, "GET", otherPath+"/lists/blocked/entries", "").code)

	require.Equal(t, 204, b.call(key, "DELETE", path+"/lists/blocked", "").code)
}

// Lists that are uploaded or read at once take bounded memory: of one shop's
// two are let in, whoever is slow, and the others hear when to try again. What
// was refused passes as soon as there is room.
func TestListsInFlightAreBounded(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	otherPath, other := b.shop()
	require.Equal(t, 200, b.call(key, "PUT", path+"/lists/l", "a.example").code)
	refused := func(a answer) {
		t.Helper()
		require.Equal(t, 503, a.code, a.body)
		require.Equal(t, "5", a.header.Get("Retry-After"))
		require.Equal(t, "other_lists", a.problem(t).Code)
	}
	slow := func() (finish func()) {
		from, to := io.Pipe()
		done := make(chan answer, 1)
		go func() {
			done <- b.stream(key, "PUT", path+"/lists/slow", from)
			_ = from.Close() // never fails; who writes to what was refused fails
		}()
		_, err := io.WriteString(to, "b.example\n") // returns when it is read, so it has its place
		require.NoError(t, err)
		return func() {
			require.NoError(t, to.Close())
			require.Equal(t, 200, (<-done).code)
		}
	}
	first, second := slow(), slow()
	require.Equal(t, 2*uploadRoom(-1), b.s.lists.used(), "who does not say how long it is takes room for the longest")
	refused(b.call(key, "GET", path+"/lists/l/entries", ""))
	refused(b.call(key, "PUT", path+"/lists/m", "c.example"))
	require.EqualValues(t, 2, b.s.metrics.listsRefused.Get())
	require.Greater(t, 3*uploadRoom(-1), int64(listMemory))
	refused(b.stream(other, "PUT", otherPath+"/lists/m", struct{ io.Reader }{strings.NewReader("c.example")}))
	first()
	require.Equal(t, "a.example\n", b.call(key, "GET", path+"/lists/l/entries", "").body)
	require.Equal(t, 200, b.stream(other, "PUT", otherPath+"/lists/m", struct{ io.Reader }{strings.NewReader("c.example")}).code)
	second()
	require.Equal(t, 404, b.call(key, "GET", path+"/lists/none/entries", "").code)
	require.Zero(t, b.s.lists.used())
	require.Empty(t, b.s.lists.shops)
}

// A reader that goes away amid a list gives its room back.
func TestAReaderThatGoesAwayGivesItsRoomBack(t *testing.T) {
	b := start(t, nil)
	path, key := b.shop()
	var text strings.Builder
	for i := range campaigns.MaxListEntries {
		fmt.Fprintf(&text, "site%06d.%s.example\n", i, strings.Repeat("x", 60))
	}
	require.Equal(t, 200, b.call(key, "PUT", path+"/lists/l", text.String()).code)
	srv := httptest.NewServer(b.s.Handler())
	defer srv.Close()
	for range 2 * listsPerShop {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		fmt.Fprintf(conn, "GET %s/lists/l/entries HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", path, key)
		some := make([]byte, 100)
		_, err = io.ReadFull(conn, some)
		require.NoError(t, err)
		require.Contains(t, string(some), "200 OK")
		require.Positive(t, b.s.lists.used(), "%d bytes do not fit into a connection's buffers", text.Len())
		require.NoError(t, conn.Close())
		require.Eventually(t, func() bool { return b.s.lists.used() == 0 }, 2*time.Minute, 5*time.Millisecond)
	}
	req, err := http.NewRequest(http.MethodGet, srv.URL+path+"/lists/l/entries", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.EqualValues(t, text.Len(), res.ContentLength)
	got, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, text.String(), string(got))
}

// An upload of more entries than a list can have takes memory for about as many
// as it can have, whatever is sent; what is there twice counts once.
func TestAnUploadOfManyEntriesIsBounded(t *testing.T) {
	line := func(n int) string { return fmt.Sprintf("s%07d.example\n", n%campaigns.MaxListEntries) }
	var text strings.Builder
	for i := range 3 * campaigns.MaxListEntries {
		text.WriteString(line(i))
	}
	entries, _, _, err := readList(strings.NewReader(text.String()))
	require.NoError(t, err)
	require.Len(t, entries, campaigns.MaxListEntries)
	require.LessOrEqual(t, cap(entries), 3*campaigns.MaxListEntries)
	for i := range 2 * campaigns.MaxListEntries {
		fmt.Fprintf(&text, "t%07d.example\n", i)
	}
	all := strings.NewReader(text.String())
	_, _, _, err = readList(all)
	require.ErrorContains(t, err, "at most 200000 are allowed")
	require.Zero(t, all.Len(), "the rest is read, so that the answer is")
}
