package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/grosz/grosz/campaigns"
	"github.com/grosz/grosz/console/assets"
	"github.com/grosz/grosz/console/store"
	"github.com/grosz/grosz/creatives/media"
)

// sweepEvery is how often files are removed that nothing names any more.
const sweepEvery = time.Hour

// Asset is an uploaded file as the API shows it.
type Asset struct {
	ID          string   `json:"id" doc:"SHA-256 of the file's bytes, hex; creatives name it"`
	Created     int64    `json:"created" doc:"When it was uploaded, ms UTC"`
	Name        string   `json:"name,omitempty" doc:"As the uploader called it"`
	Kind        string   `json:"kind" enum:"image,video" doc:"What it is, by its bytes"`
	MIME        string   `json:"mime" doc:"Its type, by its bytes"`
	W           int      `json:"w" doc:"Width in pixels"`
	H           int      `json:"h" doc:"Height in pixels"`
	Bytes       int      `json:"bytes" doc:"Its size"`
	Frames      int      `json:"frames,omitempty" doc:"Frames of a picture; 1 stands still"`
	AnimationMS int64    `json:"animation_ms,omitempty" doc:"How long a picture moves, its repeats included, in milliseconds"`
	DurationMS  int64    `json:"duration_ms,omitempty" doc:"Length of a video in milliseconds"`
	BitrateKbps int      `json:"bitrate_kbps,omitempty" doc:"Average bit rate of a video in kbit/s"`
	Codecs      string   `json:"codecs,omitempty" doc:"How picture and sound of a video are coded"`
	Path        string   `json:"path" doc:"Where it is served, below /assets of the bidder's public URL"`
	Campaigns   []uint32 `json:"campaigns" nullable:"false" doc:"Campaigns that show it"`
}

func assetView(a store.Asset, used []uint32) Asset {
	if used == nil {
		used = []uint32{}
	}
	return Asset{
		ID: a.ID, Created: a.CreatedMS, Name: a.Name, Kind: a.Kind, MIME: a.MIME, W: a.W, H: a.H, Bytes: a.Bytes,
		Frames: a.Frames, AnimationMS: a.AnimationMS, DurationMS: a.DurationMS, BitrateKbps: a.BitrateKbps, Codecs: a.Codecs,
		Path: a.Path, Campaigns: used,
	}
}

// AssetPath names an uploaded file.
type AssetPath struct {
	ShopPath
	Asset string `path:"asset" pattern:"^[0-9a-f]{64}$" doc:"Id of the file"`
}

func (s *Server) assetRoutes() {
	const path = "/api/v1/shops/{shop}/assets"
	tags := []string{"Assets"}
	upload := huma.Operation{
		OperationID: "upload-asset", Method: http.MethodPost, Path: path, Tags: tags, Summary: "Upload a picture or a video for ads",
		Description: "The body is the file: PNG, JPEG, GIF or WebP of at most 150,000 bytes, or a progressive MP4 (H.264, AAC) of at most 32 MiB and 1 to 180 " +
			"seconds. It is decoded; what it is, is told by its bytes. GIFs must stand still after 30 seconds. The same bytes are one file.",
		Errors:   []int{http.StatusRequestEntityTooLarge, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
		Metadata: map[string]any{uploadKey: true},
	}
	again := upload
	again.OperationID, again.Method, again.Summary = "put-asset", http.MethodPut, "Upload a picture or a video for ads, for tools that can only PUT"
	register(s, route{Operation: upload, access: accessWrite}, s.uploadAsset)
	register(s, route{Operation: again, access: accessWrite}, s.uploadAsset)
	binary := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	for _, method := range []string{http.MethodPost, http.MethodPut} {
		operationOf(s.api.OpenAPI(), method, path).RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"image/png": binary, "image/jpeg": binary, "image/gif": binary, "image/webp": binary, "video/mp4": binary, "application/octet-stream": binary,
		}}
	}
	register(s, route{Operation: huma.Operation{
		OperationID: "list-assets", Method: http.MethodGet, Path: path, Tags: tags, Summary: "List the uploaded files, newest first",
	}, access: accessRead}, s.listAssets)
	register(s, route{Operation: huma.Operation{
		OperationID: "get-asset", Method: http.MethodGet, Path: path + "/{asset}", Tags: tags, Summary: "Read about an uploaded file",
	}, access: accessRead}, s.getAsset)
	register(s, route{Operation: huma.Operation{
		OperationID: "delete-asset", Method: http.MethodDelete, Path: path + "/{asset}", Tags: tags, Summary: "Delete an uploaded file",
		Description: "Refused while a campaign shows it. It is served for a day longer, for ads that are out.", Errors: []int{http.StatusConflict},
	}, access: accessWrite}, s.deleteAsset)
}

type uploadAssetInput struct {
	ShopPath
	Name string `query:"name" maxLength:"200" doc:"What you call it"`
	body io.Reader
}

// Resolve takes the body as a stream and gives the upload its time.
func (in *uploadAssetInput) Resolve(hc huma.Context) []error {
	r, w := humachi.Unwrap(hc)
	rc := http.NewResponseController(w)
	until := time.Now().Add(5 * time.Minute)
	// A test's recorder has no deadlines to set; a real connection has.
	_ = rc.SetReadDeadline(until)
	_ = rc.SetWriteDeadline(until.Add(writeTimeout))
	in.body = http.MaxBytesReader(w, r.Body, media.MaxVideoBytes)
	return nil
}

type assetOutput struct {
	Status int
	Body   Asset
}

func (s *Server) uploadAsset(ctx context.Context, in *uploadAssetInput) (*assetOutput, error) {
	if _, err := s.store.View().Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	select {
	case s.assetTurns <- struct{}{}:
		defer func() { <-s.assetTurns }()
	default:
		return nil, huma.ErrorWithHeaders(failure(http.StatusServiceUnavailable, "other files are being uploaded: try again soon"), http.Header{"Retry-After": {"5"}})
	}
	data, err := io.ReadAll(in.body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, failure(http.StatusRequestEntityTooLarge, fmt.Sprintf("the file is larger than %d bytes", media.MaxVideoBytes))
	case err != nil:
		return nil, failure(http.StatusBadRequest, "the upload cannot be read: "+err.Error())
	}
	info, err := media.Inspect(data)
	if err != nil {
		s.metrics.assetsRefused.Inc()
		var p problems
		p.add("body", "%v", err)
		return nil, p.err()
	}
	sum := sha256.Sum256(data)
	a := store.Asset{
		ID: hex.EncodeToString(sum[:]), ShopID: in.Shop, Bytes: len(data), Name: in.Name, Kind: info.Kind, MIME: info.MIME, W: info.W, H: info.H,
		Frames: info.Frames, AnimationMS: info.AnimationMS, DurationMS: info.DurationMS, BitrateKbps: info.BitrateKbps, Codecs: info.Codecs,
	}
	a.Path = assets.Path(in.Shop, a.ID, info.Ext)
	made, err := s.keepAsset(ctx, &a, data)
	if err != nil {
		return nil, err
	}
	out := &assetOutput{Status: http.StatusOK}
	if made {
		out.Status = http.StatusCreated
		s.metrics.assets.Inc()
	}
	used, err := s.store.View().AssetUse(ctx, in.Shop)
	out.Body = assetView(a, used[a.ID])
	return out, err
}

// keepAsset puts the file into its place and then notes it: a crash between
// the two leaves a file that the next sweep removes.
func (s *Server) keepAsset(ctx context.Context, a *store.Asset, data []byte) (made bool, err error) {
	s.assetMu.Lock()
	defer s.assetMu.Unlock()
	if err := s.folder.Put(a.Path, data); err != nil {
		return false, err
	}
	err = s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error {
		var kept store.Asset
		if kept, made, err = tx.PutAsset(ctx, *a); err == nil {
			*a = kept
		}
		return err
	})
	if err != nil { // a refused file must not take room until the next sweep
		if known, kerr := s.store.View().AssetKept(ctx, a.ShopID, a.ID); kerr == nil && !known {
			err = errors.Join(err, s.folder.Remove(a.Path))
		}
	}
	return made, err
}

type assetList struct{ Body list[Asset] }

func (s *Server) listAssets(ctx context.Context, in *struct{ ShopPath }) (*assetList, error) {
	v := s.store.View()
	if _, err := v.Shop(ctx, in.Shop); err != nil {
		return nil, err
	}
	all, err := v.Assets(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	used, err := v.AssetUse(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	out := &assetList{list[Asset]{Items: make([]Asset, len(all))}}
	for i, a := range all {
		out.Body.Items[i] = assetView(a, used[a.ID])
	}
	return out, nil
}

func (s *Server) getAsset(ctx context.Context, in *AssetPath) (*assetOutput, error) {
	a, err := s.store.View().Asset(ctx, in.Shop, in.Asset)
	if err != nil {
		return nil, err
	}
	used, err := s.store.View().AssetUse(ctx, in.Shop)
	return &assetOutput{Status: http.StatusOK, Body: assetView(a, used[a.ID])}, err
}

func (s *Server) deleteAsset(ctx context.Context, in *AssetPath) (*empty, error) {
	return &empty{}, s.store.Write(ctx, caller(ctx).actor(), func(tx *store.Tx) error { return tx.DropAsset(ctx, in.Shop, in.Asset) })
}

// sweepAssets removes files that nothing names: those that were deleted a day
// ago, and what a crash left.
func (s *Server) sweepAssets(ctx context.Context) {
	s.assetMu.Lock()
	defer s.assetMu.Unlock()
	var keep map[string]bool
	err := s.store.Write(ctx, store.Actor{Name: "sweep"}, func(tx *store.Tx) (err error) {
		keep, err = tx.ForgetAssets(ctx)
		return err
	})
	if err == nil {
		var n int
		if n, err = s.folder.Sweep(func(path string) bool { return keep[path] }); n > 0 {
			s.log.Info("uploaded files removed that nothing names", "files", n)
		}
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("uploaded files not swept", "err", err)
	}
}

// runSweeps sweeps at once and every hour until ctx ends.
func (s *Server) runSweeps(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		s.sweepAssets(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// fillAssets writes into creatives what the files are that they name.
func fillAssets(ctx context.Context, r store.Reader, c *campaigns.Campaign, p *problems) error {
	for i := range c.Creatives {
		cr, at := &c.Creatives[i], indexed("body.creatives", i)
		cr.Image = nil
		if cr.Asset == "" {
			continue
		}
		a, err := r.Asset(ctx, c.ShopID, cr.Asset)
		if errors.Is(err, store.ErrNotFound) {
			p.add(at+".asset", "the shop has no such file: upload it first")
			cr.Asset = ""
			continue
		}
		if err != nil {
			return err
		}
		fillAsset(cr, &a, at, p)
	}
	return nil
}

func fillAsset(cr *campaigns.Creative, a *store.Asset, at string, p *problems) {
	switch {
	case cr.Media == campaigns.MediaVideo && a.Kind == media.KindVideo:
		skip := int64(0)
		if cr.Video != nil {
			skip = cr.Video.SkipAfterMS
		}
		cr.Video = &campaigns.Video{URL: a.Path, MIME: a.MIME, DurationMS: a.DurationMS, W: a.W, H: a.H, BitrateKbps: a.BitrateKbps, SkipAfterMS: skip}
	case cr.Media == campaigns.MediaBanner && a.Kind == media.KindImage:
		cr.Image = &campaigns.Image{Path: a.Path, MIME: a.MIME, W: a.W, H: a.H}
		if len(cr.Sizes) == 0 {
			cr.Sizes = []campaigns.Size{{W: a.W, H: a.H}}
		}
		if s := cr.Sizes[0]; len(cr.Sizes) > 1 || !(s.W == a.W && s.H == a.H || 2*s.W == a.W && 2*s.H == a.H) {
			p.add(at+".sizes", "the picture is %dx%d: it is a banner of that size, or of half of it on dense screens, and of no other", a.W, a.H)
		}
		if cr.Template != "" {
			p.add(at+".template", "is for banners made of products: a picture is shown as it is")
		}
	default:
		p.add(at+".asset", "is of kind %s, which a creative of media %s cannot show", a.Kind, cr.Media)
		cr.Asset = ""
	}
}
