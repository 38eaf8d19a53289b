package warehouse

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are what the URL and headers say about a request, beside its statement.
type options struct {
	database, defaultFormat, queryID string
	settings, params                 []param
	revision                         uint64 // client_protocol_version, for Native
	compress, decompress             bool   // native compression of answer and body
	zstd                             bool   // compress with ZSTD instead of LZ4
	encode                           bool   // Accept-Encoding is heeded
	wait                             bool   // nothing is sent before the statement ended
	ownComment                       bool   // the client set log_comment
	sessionID                        string
	sessionTimeout                   time.Duration
	sessionCheck, sessionClose       bool
}

const (
	maxParams             = 1000
	maxSessionTimeout     = time.Hour
	defaultSessionTimeout = time.Minute
)

func parseOptions(r *http.Request, q url.Values) (options, error) {
	o := options{encode: true, sessionTimeout: defaultSessionTimeout, defaultFormat: "TabSeparated"}
	if v := r.Header.Get("X-ClickHouse-Database"); v != "" {
		o.database = v
	}
	if v := r.Header.Get("X-ClickHouse-Format"); v != "" {
		o.defaultFormat = v
	}
	if len(q) > maxParams {
		return o, errorf(codeBadArguments, "BAD_ARGUMENTS", "The request has %d parameters, more than %d.", len(q), maxParams)
	}
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := o.set(name, q.Get(name)); err != nil {
			return o, err
		}
	}
	if !isWord(o.defaultFormat) {
		return o, errorf(73, "UNKNOWN_FORMAT", "Unknown format %.64q.", o.defaultFormat)
	}
	if len(o.queryID) > 200 || strings.ContainsAny(o.queryID, "\r\n") {
		return o, errorf(codeBadArguments, "BAD_ARGUMENTS", "query_id is longer than 200 characters or has line ends.")
	}
	return o, nil
}

// set takes one parameter: an option of the interface, a query parameter, or else a
// setting of the engine.
func (o *options) set(name, value string) (err error) {
	switch name {
	case "query", "user", "password", "quota_key", "role", "buffer_size", "stacktrace":
	case "database":
		o.database = value
	case "default_format":
		o.defaultFormat = value
	case "query_id":
		o.queryID = value
	case "session_id":
		o.sessionID = value
	case "session_timeout":
		seconds, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return errorf(374, "INVALID_SESSION_TIMEOUT", "Invalid session timeout: %.64q.", value)
		}
		o.sessionTimeout = min(time.Duration(seconds)*time.Second, maxSessionTimeout)
	case "session_check":
		o.sessionCheck, err = parseBool(name, value)
	case "close_session":
		o.sessionClose, err = parseBool(name, value)
	case "compress":
		o.compress, err = parseBool(name, value)
	case "decompress":
		o.decompress, err = parseBool(name, value)
	case "wait_end_of_query":
		o.wait, err = parseBool(name, value)
	case "client_protocol_version":
		if o.revision, err = strconv.ParseUint(value, 10, 32); err != nil {
			return errorf(codeBadArguments, "BAD_ARGUMENTS", "client_protocol_version is %.64q, not a number.", value)
		}
	case "enable_http_compression":
		o.encode, err = parseBool(name, value)
	case "http_write_exception_in_output_format":
		// Errors are always plain text here.
	default:
		return o.setOther(name, value)
	}
	return err
}

func (o *options) setOther(name, value string) error {
	if p, ok := strings.CutPrefix(name, "param_"); ok {
		if p == "" {
			return errorf(codeBadArguments, "BAD_ARGUMENTS", "A query parameter has no name.")
		}
		o.params = append(o.params, param{p, value})
		return nil
	}
	if !isWord(name) || len(name) > 128 {
		return errorf(115, "UNKNOWN_SETTING", "Unknown setting %.128q.", name)
	}
	o.ownComment = o.ownComment || name == "log_comment"
	if name == "network_compression_method" {
		o.zstd = strings.EqualFold(value, "zstd")
	}
	o.settings = append(o.settings, param{name, value})
	return nil
}

func parseBool(name, value string) (bool, error) {
	switch strings.ToLower(value) {
	case "0", "false", "":
		return false, nil
	case "1", "true":
		return true, nil
	}
	return false, errorf(codeBadArguments, "BAD_ARGUMENTS", "%s is %.64q, not 0 or 1.", name, value)
}
