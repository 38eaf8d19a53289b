package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/pacing/plan"
)

func TestSimulatePlaysAFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "day.yaml")
	require.NoError(t, os.WriteFile(file, []byte("name: small\nrequests: 20000\ngoals: {share: 90, delivered: 95}\n"), 0o600))
	out, err := runRole(t, "simulate", file, "--seeds", "2", "--detail", "--plot", filepath.Join(dir, "plots"))
	require.NoError(t, err, out)
	require.Contains(t, out, "small")
	require.Contains(t, out, "seed 2 ")
	svg, err := os.ReadFile(filepath.Join(dir, "plots", "small.svg"))
	require.NoError(t, err)
	require.Contains(t, string(svg), "</svg>")

	again, err := runRole(t, "simulate", file, "--seeds", "2", "--detail")
	require.NoError(t, err)
	require.Equal(t, out, again, "a seed is a world")

	require.NoError(t, os.WriteFile(file, []byte("name: small\nrequests: 20000\ngoals: {share: 199}\n"), 0o600))
	_, err = runRole(t, "simulate", file)
	require.ErrorContains(t, err, "goals missed in small")
	_, err = runRole(t, "simulate", filepath.Join(dir, "none.yaml"))
	require.ErrorContains(t, err, "none.yaml")
	_, err = runRole(t, "simulate", "--only", "weather")
	require.ErrorContains(t, err, `"weather"`)
}

func TestPaceTalksLines(t *testing.T) {
	var out, complaints bytes.Buffer
	e := env{nil, &out, &complaints, nil}
	in := strings.NewReader(`{"type":"start","budget":10}` + "\n" + `{"type":"bid","t":1,"id":1,"pl":1,"v":1}` + "\n" + "nonsense\n")
	require.ErrorContains(t, servePace(context.Background(), in, e, plan.Config{}), "grosz pace: line 3: not a JSON object")
	require.Regexp(t, `^\{"bid":[0-9.]+\}\n$`, out.String())
	_, err := runRole(t, "pace")
	require.ErrorContains(t, err, "--stdio")
}
