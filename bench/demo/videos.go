package demo

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/grosz/grosz/campaigns"
	spots "github.com/grosz/grosz/creatives/demo"
)

// mediaPath is where the shops' own site has the videos.
const mediaPath = "/media"

// WriteVideos puts the demo's video files below dir, as their URLs say, and
// returns what campaigns need to know of them. The URLs are relative to where
// dir is served (Config.Assets).
func WriteVideos(dir string) ([]campaigns.Video, error) {
	var out []campaigns.Video
	for _, s := range spots.Spots() {
		path := filepath.Join(dir, filepath.FromSlash(s.Video.URL))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, fmt.Errorf("demo videos: %w", err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != int64(len(s.Data)) {
			if err := os.WriteFile(path, s.Data, 0o644); err != nil {
				return nil, fmt.Errorf("demo videos: %w", err)
			}
		}
		out = append(out, s.Video)
	}
	return out, nil
}

// absolute resolves relative video URLs: the console takes whole ones only.
func absolute(videos []campaigns.Video, assets string) []campaigns.Video {
	out := make([]campaigns.Video, len(videos))
	for i, v := range videos {
		if strings.HasPrefix(v.URL, "/") {
			v.URL = strings.TrimSuffix(assets, "/") + v.URL
		}
		out[i] = v
	}
	return out
}

// media serves the videos from the shops' own site.
func (s *Sites) media(w http.ResponseWriter, r *http.Request) {
	for _, spot := range spots.Spots() {
		if mediaPath+spot.Video.URL == r.URL.Path {
			w.Header().Set("Content-Type", spot.Video.MIME)
			w.Header().Set("Cache-Control", "public, max-age=86400")
			http.ServeContent(w, r, "", s.started, strings.NewReader(string(spot.Data)))
			return
		}
	}
	http.NotFound(w, r)
}
