package nodes

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/console"
)

func TestTheFirstThatAnswersIsAsked(t *testing.T) {
	down := httptest.NewServer(http.NotFoundHandler())
	defer down.Close()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/segments" {
			_, _ = w.Write([]byte(`{"at":5,"segments":[{"segment":3,"members":7,"ready":true}],"shop":` + r.URL.Query().Get("shop") + `}`))
			return
		}
		_, _ = w.Write([]byte("user\n1\n#end\n"))
	}))
	defer up.Close()
	c := &Client{Addrs: []string{"127.0.0.1:1", down.Listener.Addr().String(), up.Listener.Addr().String()}}
	sizes, err := c.Sizes(context.Background(), 9)
	require.NoError(t, err)
	require.Equal(t, map[uint32]console.SegmentSize{3: {Members: 7, Ready: true, At: 5}}, sizes)
	var b bytes.Buffer
	require.NoError(t, c.Members(context.Background(), 9, 3, &b))
	require.Equal(t, "user\n1\n#end\n", b.String())

	c.Addrs = c.Addrs[:2]
	_, err = c.Sizes(context.Background(), 9)
	require.ErrorContains(t, err, "404")
	require.ErrorContains(t, c.Members(context.Background(), 9, 3, &b), "no bidder answers")
}
