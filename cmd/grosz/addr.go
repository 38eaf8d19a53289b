package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// common settings of the roles that listen.
type listening struct {
	Wide bool `config:"listen-wide" help:"allow listening on addresses other than loopback"`
}

// check says what is wrong with the address of a flag.
func (l listening) check(flag, addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("--%s %q: an address is HOST:PORT, such as 127.0.0.1:8080", flag, addr)
	}
	ip := net.ParseIP(host)
	if !l.Wide && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--%s %s would listen wider than this machine: add --listen-wide if that is wanted", flag, addr)
	}
	return nil
}

// listen takes the address of a flag; a taken port is an error that names it.
func listen(flag, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w; is it taken? another address can be given with --%s", flag, addr, unwrapOp(err), flag)
	}
	return l, nil
}

func unwrapOp(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// noDuplicates reports two flags that name one port.
func noDuplicates(addrs map[string]string) error {
	seen := make(map[string]string, len(addrs))
	var errs []error
	for flag, a := range addrs {
		if strings.HasSuffix(a, ":0") {
			continue
		}
		if other, ok := seen[a]; ok {
			errs = append(errs, fmt.Errorf("--%s and --%s are both %s", min(flag, other), max(flag, other), a))
		}
		seen[a] = flag
	}
	return errors.Join(errs...)
}
