package tlsmux

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
)

func TestOnePortAnswersBothSchemes(t *testing.T) {
	cert, err := SelfSigned(time.Now(), "127.0.0.1")
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		if IsTLS(ctx.Conn()) {
			ctx.WriteString("https ")
		} else {
			ctx.WriteString("http ")
		}
		ctx.Write(ctx.PostBody())
	}}
	go srv.Serve(New(l, cert))
	defer srv.Shutdown()

	silent, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer silent.Close()

	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for _, scheme := range []string{"http", "https", "http", "https"} {
		res, err := client.Get(scheme + "://" + l.Addr().String() + "/x")
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, scheme+" ", string(body))
	}
}
