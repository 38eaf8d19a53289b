//go:build !linux

package load

import (
	"context"
	"errors"
)

// Run offers the load; only Linux can.
func (o *Offer) Run(context.Context) (*Offered, error) {
	return nil, errors.New("load: offering a fixed rate needs Linux (epoll)")
}
