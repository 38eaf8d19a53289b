// Command grosz is the whole of Grosz in one binary: every part is a role of
// it, and the tools are beside them. main only wires; each role has a file.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/grosz/grosz/internal/config"
)

// role is a subcommand.
type role struct {
	name, short string
	run         func(ctx context.Context, env env, args []string) error
}

// env is what a role may touch of the outside.
type env struct {
	environ     []string
	out, errOut io.Writer
	log         *slog.Logger
}

func roles() []role {
	return []role{
		{"up", "run everything on this machine; --demo adds shops, exchanges and shoppers", runUp},
		{"bidder", "answer bid requests, take notices and shop events", runBidder},
		{"loader", "move events from Kafka into ClickHouse", runLoader},
		{"ledger", "keep the double-entry ledger in ClickHouse", runLedger},
		{"learner", "learn from the log what impressions are worth", runLearner},
		{"console", "serve the marketers' API", runConsole},
		{"broker", "embedded Kafka broker, for one machine", runBroker},
		{"warehouse", "embedded ClickHouse engine, for one machine", runWarehouse},
		{"exchange", "simulated exchanges and shoppers", runExchange},
		{"replay", "send recorded bid requests and check every answer", runReplay},
		{"import-events", "send a CSV of a shop's past events to a bidder", runImportEvents},
		{"apply", "make a shop's settings, segments and campaigns what a YAML file says", runApply},
		{"export", "write a shop's settings, segments and campaigns as such a file", runExport},
		{"pace", "pace one campaign on a virtual clock, JSON lines in and out", runPace},
		{"simulate", "play days of traffic against the pacing and compare with hindsight", runSimulate},
		{"explain", "say what a bidder would answer to a request, and why", runExplain},
		{"forecast", "say what a campaign would bring, with intervals", runForecast},
		{"certify", "play an exchange's integration test against a running bidder", runCertify},
		{"reconcile", "hold an exchange's report or credit against the books, and book what it corrects", runReconcile},
		{"storm", "send a storm of notices through two bidders that are killed, and audit the books", runStorm},
		{"chaos", "break every part under load for minutes, and audit the books", runChaos},
		{"backup", "copy all state of a data directory, while it is at work", runBackup},
		{"restore", "make a data directory from a backup", runRestore},
		{"bench", "measure the bidder against reference servers", runBench},
		{"volume", "fill a warehouse with synthetic events and measure its views", runVolume},
		{"version", "print the version", runVersion},
	}
}

func main() {
	// A file beyond the limit of the system is an error of that write, as a full
	// disk is, and not the end of the process.
	signal.Ignore(syscall.SIGXFSZ)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], env{os.Environ(), os.Stdout, os.Stderr, nil})
	var exit *exitError
	switch {
	case errors.As(err, &exit):
		if exit.err != nil {
			fmt.Fprintln(os.Stderr, exit.err)
		}
		stop()
		os.Exit(exit.code)
	case err == nil, errors.Is(err, config.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, e env) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		return help(ctx, e, args)
	}
	if args[0] == "--version" {
		args[0] = "version"
	}
	for _, r := range roles() {
		if r.name == args[0] {
			e.log = slog.New(slog.NewTextHandler(e.errOut, &slog.HandlerOptions{Level: level(e.environ)})).With("role", r.name)
			return r.run(withParent(ctx, e.environ), e, args[1:])
		}
	}
	return fmt.Errorf("grosz: no role %q; 'grosz help' lists them", args[0])
}

func help(ctx context.Context, e env, args []string) error {
	if len(args) == 2 {
		return run(ctx, []string{args[1], "--help"}, e)
	}
	fmt.Fprint(e.out, "Grosz is a real-time-bidding DSP engine.\n\nUsage: grosz ROLE [flags]\n\n")
	for _, r := range roles() {
		fmt.Fprintf(e.out, "  %-10s %s\n", r.name, r.short)
	}
	fmt.Fprint(e.out, "\nStart with 'grosz up --demo'. 'grosz help ROLE' lists a role's settings.\n")
	return nil
}

// level reads GROSZ_LOG: debug, info (the default), warn or error.
func level(environ []string) slog.Level {
	l := slog.LevelInfo
	if v, ok := variable(environ, "GROSZ_LOG"); ok {
		_ = l.UnmarshalText([]byte(v)) // anything else is info
	}
	return l
}

// supervised is set for children of `up`, whose standard input is a pipe that
// ends with their parent, however it ends.
const supervised = "GROSZ_SUPERVISED"

// withParent ends ctx when a supervising parent is gone. Who has not stopped
// in the time that the parent would have given ends at once.
func withParent(ctx context.Context, environ []string) context.Context {
	for _, kv := range environ {
		if kv == supervised+"=1" {
			ctx, cancel := context.WithCancel(ctx)
			go func() {
				_, _ = io.Copy(io.Discard, os.Stdin)
				cancel()
				time.Sleep(stopTimeout + orphanGrace/2)
				fmt.Fprintln(os.Stderr, "grosz: the parent is gone and this role does not stop: it ends now; what it acknowledged is on disk")
				os.Exit(1)
			}()
			return ctx
		}
	}
	return ctx
}

// unlessStopped is err, or nil where ctx has ended: what a role could not
// begin because it was told to stop is no failure.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// version is set when a release is built.
var version = "dev"

func runVersion(_ context.Context, e env, _ []string) error {
	_, err := fmt.Fprintln(e.out, "grosz", version)
	return err
}

// thisProgram is the file that runs, to start further roles of it.
func thisProgram() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return self, nil
}
