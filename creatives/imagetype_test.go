package creatives

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestImageTypes: an image is only offered where its type is listed, as far as its name tells the type.
func TestImageTypes(t *testing.T) {
	for name, c := range map[string]struct {
		url   string
		mimes []string
		want  bool
	}{
		"any":                 {"https://x.example/a.svg", nil, true},
		"listed":              {"https://x.example/a.png", []string{"image/jpeg", "image/png"}, true},
		"not listed":          {"https://x.example/a.svg", []string{"image/jpeg", "image/png"}, false},
		"in capitals":         {"https://x.example/A.PNG", []string{"IMAGE/PNG"}, true},
		"jpg for jpeg":        {"https://x.example/a.jpeg", []string{"image/jpg"}, true},
		"jpeg for jpg":        {"https://x.example/a.jpg?w=3", []string{"image/jpeg"}, true},
		"svg":                 {"https://x.example/a.svg#x", []string{"image/svg"}, true},
		"all images":          {"https://x.example/a.webp", []string{"image/*"}, true},
		"with a parameter":    {"https://x.example/a.png", []string{"image/png; q=1"}, true},
		"without image/":      {"https://x.example/a.png", []string{"png"}, true},
		"an end in the query": {"https://x.example/a.svg?b=.png", []string{"image/png"}, false},
		"no telling":          {"https://x.example/image/17", []string{"image/png"}, true},
		"of no image at all":  {"https://x.example/a.gif", []string{"video/mp4"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, imageTaken(c.url, c.mimes))
			require.Zero(t, testing.AllocsPerRun(10, func() { imageTaken(c.url, c.mimes) }))
		})
	}
}
