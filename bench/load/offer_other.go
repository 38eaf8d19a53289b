//go:build !linux

package load

import (
	"context"
	"errors"
)

var errLinux = errors.New("load: the generator needs Linux (epoll)")

// Run offers the load; only Linux can.
func (o *Offer) Run(context.Context) (*Offered, error) { return nil, errLinux }

// Run drives the burst; only Linux can.
func (d *Drive) Run(context.Context) (*Result, error) { return nil, errLinux }
