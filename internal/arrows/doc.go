// Package arrows holds no code that runs: its test is the rule of who may
// import whom, asked of the go command. docs/architecture.md draws the same
// arrows. Run it with -count=1: the test cache does not see other packages.
package arrows
