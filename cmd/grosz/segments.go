package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/grosz/grosz/bidder"
)

// serveSegments answers, on the loopback listener of metrics, what the console
// asks of a node: /segments?shop=7 the sizes of a shop's segments,
// /segments/members?shop=7&segment=3 who is in one, as CSV.
func serveSegments(b *bidder.Bidder, log *slog.Logger) func(*http.ServeMux) {
	return func(mux *http.ServeMux) {
		mux.HandleFunc("GET /segments", func(w http.ResponseWriter, r *http.Request) {
			shop, ok := queryNumber(w, r, "shop")
			if !ok {
				return
			}
			w.Header().Set("Content-Type", "application/json")
			if err := json.NewEncoder(w).Encode(b.SegmentSizes(shop)); err != nil {
				log.Debug("sizes of segments not written", "err", err)
			}
		})
		mux.HandleFunc("GET /segments/members", func(w http.ResponseWriter, r *http.Request) {
			shop, ok := queryNumber(w, r, "shop")
			if !ok {
				return
			}
			segment, ok := queryNumber(w, r, "segment")
			if !ok {
				return
			}
			w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			found, err := b.SegmentMembers(shop, segment, w)
			switch {
			case !found:
				http.Error(w, "the shop has no such segment", http.StatusNotFound)
			case err != nil:
				log.Debug("list of members cut off", "shop", shop, "segment", segment, "err", err)
			}
		})
	}
}

func queryNumber(w http.ResponseWriter, r *http.Request, name string) (uint32, bool) {
	n, err := strconv.ParseUint(r.URL.Query().Get(name), 10, 32)
	if err != nil {
		http.Error(w, name+" is not a number", http.StatusBadRequest)
	}
	return uint32(n), err == nil
}
