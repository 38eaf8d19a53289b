package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/grosz/grosz/internal/config"
)

// composeFile is what is looked at of deploy/compose.yaml.
type composeFile struct {
	Services map[string]composeService `yaml:"services"`
	Volumes  map[string]any            `yaml:"volumes"`
	Networks map[string]any            `yaml:"networks"`
	Secrets  map[string]any            `yaml:"secrets"`
}

type composeService struct {
	Image       string            `yaml:"image"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Networks    []string          `yaml:"networks"`
	Secrets     []string          `yaml:"secrets"`
	Ports       []string          `yaml:"ports"`
	DependsOn   yaml.Node         `yaml:"depends_on"`
	ReadOnly    bool              `yaml:"read_only"`
	CapDrop     []string          `yaml:"cap_drop"`
	Build       map[string]string `yaml:"build"`
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile("../../deploy/compose.yaml")
	require.NoError(t, err)
	var f composeFile
	require.NoError(t, yaml.Unmarshal(text, &f))
	return f
}

// ports says which ports the services listen on: our own by their flags, the
// others by what their images and settings do.
func (f composeFile) ports(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{"clickhouse": {"8123", "9000"}}
	for name, s := range f.Services {
		for _, l := range strings.Split(s.Environment["KAFKA_LISTENERS"], ",") {
			if i := strings.LastIndexByte(l, ':'); i >= 0 {
				out[name] = append(out[name], l[i+1:])
			}
		}
		for i, arg := range s.Command {
			if arg == "--"+s.Command[0] && i+1 < len(s.Command) {
				_, port, err := net.SplitHostPort(s.Command[i+1])
				require.NoError(t, err, name)
				out[name] = append(out[name], port)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\s+bind :(\d+)$`).FindAllStringSubmatch(readText(t, "../../deploy/haproxy.cfg"), -1) {
		out["balancer"] = append(out["balancer"], m[1])
	}
	return out
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// TestComposeFileFitsTheBinary: every role and flag of the compose file is the
// binary's, and every address leads to a service that listens there.
func TestComposeFileFitsTheBinary(t *testing.T) {
	f := readCompose(t)
	ports := f.ports(t)
	leads := func(from, addr string) {
		host, port, err := net.SplitHostPort(addr)
		require.NoError(t, err, from)
		to, ok := f.Services[host]
		require.True(t, ok, "%s calls %s: no such service", from, addr)
		require.Contains(t, ports[host], port, "%s calls %s", from, addr)
		shared := slices.ContainsFunc(f.Services[from].Networks, func(n string) bool { return slices.Contains(to.Networks, n) })
		require.True(t, shared, "%s and %s are on no network together", from, host)
	}
	bidders := 0
	for name, s := range f.Services {
		if len(s.Command) == 0 {
			continue
		}
		dir := t.TempDir()
		args := slices.Clone(s.Command[1:])
		for i, a := range args {
			if a == "/data" {
				args[i] = dir
			}
		}
		load := func(into any) {
			_, err := config.Load(s.Command[0], args, nil, into, io.Discard)
			require.NoError(t, err, name)
		}
		var kafka, house []string
		switch s.Command[0] {
		case "bidder":
			var c bidderConfig
			load(&c)
			bidders++
			kafka = c.Kafka
			require.Equal(t, name, c.Node)
			require.Contains(t, s.Volumes, name+":/data/bidder", "a spool of its own")
		case "console":
			var c consoleConfig
			load(&c)
			kafka, house = c.Kafka, strings.Split(c.ClickHouse, ",")
			leads(name, c.Bidder)
			checkSecret(t, s, c.PasswordFile)
		case "loader":
			var c loaderConfig
			load(&c)
			kafka, house = c.Kafka, strings.Split(c.ClickHouse, ",")
			checkSecret(t, s, c.PasswordFile)
		case "ledger":
			var c ledgerConfig
			load(&c)
			kafka, house = c.Kafka, strings.Split(c.ClickHouse, ",")
			checkSecret(t, s, c.PasswordFile)
		case "learner":
			var c learnerConfig
			load(&c)
			kafka = c.Kafka
		default:
			t.Fatalf("%s runs role %s, which this test does not know", name, s.Command[0])
		}
		for _, addr := range append(kafka, house...) {
			leads(name, addr)
		}
		require.True(t, s.ReadOnly, name)
		require.Equal(t, []string{"ALL"}, s.CapDrop, name)
		require.Contains(t, s.Volumes, "data:/data", name)
	}
	require.Equal(t, 2, bidders)
	for _, m := range regexp.MustCompile(`(?m)^\s+server \S+ (\S+)$`).FindAllStringSubmatch(readText(t, "../../deploy/haproxy.cfg"), -1) {
		leads("balancer", m[1])
		bidders--
	}
	require.Zero(t, bidders, "the balancer knows every bidder")
}

func checkSecret(t *testing.T, s composeService, path string) {
	t.Helper()
	name, ok := strings.CutPrefix(path, "/run/secrets/")
	require.True(t, ok, "%s is no secret", path)
	require.Contains(t, s.Secrets, name)
}

// TestComposeFileNamesWhatItHas: volumes, networks, secrets, ports and services
// that are named are there.
func TestComposeFileNamesWhatItHas(t *testing.T) {
	f := readCompose(t)
	ports := f.ports(t)
	for name, s := range f.Services {
		for _, n := range s.Networks {
			require.Contains(t, f.Networks, n, name)
		}
		for _, n := range s.Secrets {
			require.Contains(t, f.Secrets, n, name)
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if path, ok := strings.CutPrefix(from, "./"); ok {
				require.FileExists(t, filepath.Join("../../deploy", path), name)
				continue
			}
			require.Contains(t, f.Volumes, from, name)
		}
		for _, p := range s.Ports {
			require.Contains(t, ports[name], p[strings.LastIndexByte(p, ':')+1:], "%s publishes %s", name, p)
		}
		var needs []string
		switch s.DependsOn.Kind {
		case yaml.SequenceNode:
			require.NoError(t, s.DependsOn.Decode(&needs))
		case yaml.MappingNode:
			var m map[string]any
			require.NoError(t, s.DependsOn.Decode(&m))
			for k := range m {
				needs = append(needs, k)
			}
		}
		for _, n := range needs {
			require.Contains(t, f.Services, n, name)
		}
		if len(s.Command) > 0 {
			require.FileExists(t, filepath.Join("../../deploy", s.Build["context"], s.Build["dockerfile"]), name)
		}
	}
}

// TestTheImageRunsAsNobodySpecial: two stages, and the last user is not root.
func TestTheImageRunsAsNobodySpecial(t *testing.T) {
	text := readText(t, "../../deploy/Dockerfile")
	require.Len(t, regexp.MustCompile(`(?m)^FROM `).FindAllString(text, -1), 2)
	users := regexp.MustCompile(`(?m)^USER (\S+)`).FindAllStringSubmatch(text, -1)
	require.NotEmpty(t, users)
	require.NotRegexp(t, `^(0|root)\b`, users[len(users)-1][1])
	goVersion := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(readText(t, "../../go.mod"))
	require.Contains(t, text, "FROM golang:"+goVersion[1]+"-", "the compiler of go.mod")
}
