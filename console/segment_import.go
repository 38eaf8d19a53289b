package console

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/segments"
	"github.com/grosz/grosz/segments/rules"
)

// Bounds of an import.
const (
	maxImportBytes = 128 << 20
	importProblems = 100 // that a report keeps
)

// ImportReport is what an import held and did.
type ImportReport struct {
	Mode     store.Mode    `json:"mode" doc:"What was done with the list"`
	Rows     int           `json:"rows" doc:"Rows of the upload, without the header"`
	Accepted int           `json:"accepted" doc:"Rows that name somebody"`
	Rejected int           `json:"rejected" doc:"Rows that were left out"`
	Repeated int           `json:"repeated" doc:"Rows that name somebody whom another row names"`
	Added    int64         `json:"added" doc:"Members that were not there before"`
	Removed  int64         `json:"removed" doc:"Members that are no longer there"`
	Members  int64         `json:"members" doc:"Members that there are now"`
	Problems []FeedProblem `json:"problems" nullable:"false" doc:"The first problems found"`
}

func (s *Server) importRoutes(path string) {
	text := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	at := path + "/{segment}/members"
	register(s, route{Operation: huma.Operation{
		OperationID: "import-members", Method: http.MethodPut, Path: at, Tags: []string{"Segments"}, Summary: "Import members",
		Description: "The body is CSV with a header. Columns: uid (our cookie id, 32 hex digits), ifa (advertising id), id (your own id of a visitor, as " +
			"your events send it in user.id; it may be a hash), email_sha256 and phone_sha256 (hex of an evened-out address or number, as your events send it in user.id). A row names a person by the first of them that is not empty; other columns are not read. " +
			"Columns with addresses or telephone numbers are refused. Bad rows are left out and reported by line.",
		Errors:   []int{http.StatusRequestEntityTooLarge, http.StatusConflict, http.StatusServiceUnavailable},
		Metadata: map[string]any{uploadKey: true},
	}, access: accessWrite}, s.importMembers)
	register(s, route{Operation: huma.Operation{
		OperationID: "export-members", Method: http.MethodGet, Path: at, Tags: []string{"Segments"}, Summary: "Export members",
		Description: "CSV of who is in the segment now, as a bidder has it: the column user holds the shop's own pseudonym, as in your reports' tables. " +
			"It is worth nothing outside of your shop. A list that was cut off has no last line #end.",
		Errors: []int{http.StatusServiceUnavailable},
	}, access: accessRead}, s.exportMembers)
	operationOf(s.api.OpenAPI(), http.MethodPut, at).RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"text/csv": text}}
}

type importInput struct {
	SegmentPath
	Mode   string `query:"mode" enum:"replace,add,remove" default:"replace" doc:"What to do with the members there are"`
	DryRun bool   `query:"dry_run" doc:"Only read and report, change nothing"`

	body io.Reader
}

// Resolve takes the body as a stream and gives the upload its time.
func (in *importInput) Resolve(hc huma.Context) []error {
	r, w := humachi.Unwrap(hc)
	until := time.Now().Add(uploadTimeout)
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(until) // a test's recorder has no deadlines
	_ = rc.SetWriteDeadline(until.Add(writeTimeout))
	in.body = r.Body
	return nil
}

type importOutput struct{ Body ImportReport }

func (s *Server) importMembers(ctx context.Context, in *importInput) (*importOutput, error) {
	seg, err := s.store.View().Segment(ctx, in.Shop, in.Segment)
	if err != nil {
		return nil, err
	}
	if seg.Source != campaigns.SegmentImport {
		return nil, failure(http.StatusConflict, "members of a rule follow from the rule: make a segment with source import")
	}
	_, end, err := s.uploads.begin(in.Shop, "members", s.clock.NowMS())
	if err != nil {
		return nil, err
	}
	defer end()
	salt, err := s.store.View().Salt(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	read := importReader{salt: segments.SaltOf(salt), atS: uint32(s.clock.NowMS() / 1000), report: ImportReport{Mode: store.Mode(in.Mode), Problems: []FeedProblem{}}}
	members, err := read.all(http.MaxBytesReader(nil, io.NopCloser(in.body), maxImportBytes))
	if err != nil {
		return nil, importError(ctx, err)
	}
	out := &importOutput{read.report}
	if in.DryRun {
		return out, nil
	}
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		if _, err := tx.Segment(ctx, in.Shop, in.Segment); err != nil {
			return err // deleted meanwhile
		}
		did, err := tx.PutMembers(ctx, in.Shop, in.Segment, read.report.Mode, members)
		if err != nil {
			return err
		}
		out.Body.Added, out.Body.Removed, out.Body.Members = did.Added, did.Removed, did.Members
		counts := out.Body
		counts.Problems = nil // the audit log keeps nobody's id
		return tx.AuditImport(ctx, in.Shop, in.Segment, counts)
	})
	if err != nil {
		return nil, err
	}
	s.log.Info("members imported", "shop", in.Shop, "segment", in.Segment, "rows", out.Body.Rows, "members", out.Body.Members)
	return out, nil
}

func importError(ctx context.Context, err error) error {
	var known huma.StatusError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &tooLarge):
		return failure(http.StatusRequestEntityTooLarge, fmt.Sprintf("the upload is larger than %d bytes", tooLarge.Limit))
	case ctx.Err() != nil:
		return err
	}
	return unreadable(err)
}

// importReader reads an upload of members, in memory bounded by MaxAudience.
type importReader struct {
	salt    segments.Salt
	atS     uint32
	report  ImportReport
	columns map[string]int
	members store.Members
	count   int
}

// importColumns are those that name a person, the surest first.
var importColumns = []string{"uid", "ifa", "id", "email_sha256", "phone_sha256"}

// personal are columns that should not be sent at all.
var personal = []string{"email", "mail", "e-mail", "phone", "telephone", "tel", "msisdn", "name", "first_name", "last_name", "surname", "address"}

func (r *importReader) all(body io.Reader) (store.Members, error) {
	buffered := bufio.NewReaderSize(body, 1<<16)
	if bom, err := buffered.Peek(3); err == nil && string(bom) == "\xef\xbb\xbf" {
		_, _ = buffered.Discard(3)
	}
	in := csv.NewReader(buffered)
	in.FieldsPerRecord, in.ReuseRecord, in.TrimLeadingSpace = -1, true, true
	header, err := in.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the upload is empty; the first line names the columns")
		}
		return r.members, err
	}
	if err := r.header(header); err != nil {
		return r.members, err
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var bad *csv.ParseError
		if err != nil && !errors.As(err, &bad) {
			return r.members, err
		}
		r.report.Rows++
		if bad != nil {
			r.reject(bad.StartLine, "", bad.Err.Error())
			continue
		}
		line, _ := in.FieldPos(0)
		if err := r.row(line, row); err != nil {
			return r.members, err
		}
	}
	for b := range r.members {
		sorted := rules.SortMembers(r.members[b])
		r.report.Repeated += (len(r.members[b]) - len(sorted)) / rules.MemberSize
		r.members[b] = sorted
	}
	return r.members, nil
}

func (r *importReader) header(names []string) error {
	r.columns = map[string]int{}
	for i, n := range names {
		n = strings.ToLower(strings.TrimSpace(n))
		if slices.Contains(personal, n) {
			return fmt.Errorf("column %q: do not send what names people outside of your shop; send your own id, or a hash as id, email_sha256 or phone_sha256", clip(n))
		}
		if _, twice := r.columns[n]; twice && slices.Contains(importColumns, n) {
			return fmt.Errorf("column %q stands twice", clip(n))
		}
		r.columns[n] = i
	}
	for _, c := range importColumns {
		if _, ok := r.columns[c]; ok {
			return nil
		}
	}
	return fmt.Errorf("the first line names none of the columns %s", strings.Join(importColumns, ", "))
}

func (r *importReader) row(line int, row []string) error {
	for _, c := range importColumns {
		i, ok := r.columns[c]
		if !ok || i >= len(row) {
			continue
		}
		value := strings.TrimSpace(row[i])
		if value == "" {
			continue
		}
		u, wrong := r.user(c, value)
		if wrong != "" {
			r.reject(line, c, wrong)
			return nil
		}
		if r.count++; r.count > campaigns.MaxAudience {
			return failure(http.StatusRequestEntityTooLarge, "the upload has more than "+strconv.Itoa(campaigns.MaxAudience)+" members")
		}
		b := rules.AudienceBucket(u)
		r.members[b] = rules.AppendMember(r.members[b], u, r.atS)
		r.report.Accepted++
		return nil
	}
	r.reject(line, "", "names nobody")
	return nil
}

func (r *importReader) user(column, value string) (u segments.UserKey, wrong string) {
	switch column {
	case "uid":
		var ok bool
		if u, ok = segments.UserFromUID(value); !ok {
			return u, "must be 32 hex digits"
		}
	case "ifa":
		if u = segments.UserFromIFA(value); u.IsZero() {
			return u, "is not an advertising id, or one that says no tracking"
		}
	case "email_sha256", "phone_sha256":
		if !segments.IsSHA256(value) {
			return u, "is not a SHA-256 in 64 hex digits: send nothing that can be read"
		}
		u = segments.UserFromShop(r.salt, events.AliasCustomer, value)
	default:
		if strings.Contains(value, "@") {
			return u, "looks like an address: send a hash"
		}
		if len(value) > maxOwnID {
			return u, "is too long"
		}
		u = segments.UserFromShop(r.salt, events.AliasCustomer, value)
	}
	return u, ""
}

func (r *importReader) reject(line int, column, reason string) {
	r.report.Rejected++
	if len(r.report.Problems) < importProblems {
		r.report.Problems = append(r.report.Problems, FeedProblem{Line: line, Column: column, Reason: reason})
	}
}

// maxOwnID bounds a shop's own id of a person, as events are bounded.
const maxOwnID = 256

// exportMembers streams what a bidder says.
func (s *Server) exportMembers(ctx context.Context, in *SegmentPath) (*huma.StreamResponse, error) {
	if _, err := s.store.View().Segment(ctx, in.Shop, in.Segment); err != nil {
		return nil, err
	}
	if s.deps.Segments == nil {
		return nil, failure(http.StatusServiceUnavailable, "no bidder is configured that could be asked")
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		w := &lateHeader{hc: hc}
		err := s.deps.Segments.Members(hc.Context(), in.Shop, in.Segment, w)
		switch {
		case err == nil:
		case !w.began:
			s.log.Warn("members cannot be listed", "shop", in.Shop, "segment", in.Segment, "err", err)
			var status huma.StatusError
			errors.As(failure(http.StatusServiceUnavailable, "no bidder could be asked who is in it: try again"), &status)
			s.writeProblem(hc, status)
		default:
			s.log.Warn("list of members cut off", "shop", in.Shop, "segment", in.Segment, "err", err)
		}
	}}, nil
}

// lateHeader writes the header of a CSV answer before the first byte.
type lateHeader struct {
	hc    huma.Context
	began bool
}

// Write writes a part of the list.
func (w *lateHeader) Write(p []byte) (int, error) {
	if !w.began {
		w.began = true
		w.hc.SetHeader("Content-Type", "text/csv; charset=utf-8")
		w.hc.SetHeader("Content-Disposition", `attachment; filename="members.csv"`)
		w.hc.SetStatus(http.StatusOK)
	}
	return w.hc.BodyWriter().Write(p)
}
