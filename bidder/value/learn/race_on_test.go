//go:build race

package learn

const raceOn = true
