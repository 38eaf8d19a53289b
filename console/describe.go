package console

import "github.com/danielgtaylor/huma/v2"

// fieldDoc documents a field of a document that another room owns, so that
// its type need not know of OpenAPI.
type fieldDoc struct {
	text     string
	readOnly bool
	required bool
	enum     []any
}

// documented says what the fields of campaigns' documents mean, by schema and
// JSON name. A test holds it against the types.
var documented = map[string]map[string]fieldDoc{
	"Campaign": {
		"id":          {text: "Given by the console, never given again", readOnly: true},
		"shop_id":     {text: "The shop's id", readOnly: true},
		"version":     {text: "Grows with each change; the ETag", readOnly: true},
		"name":        {text: "Name that people see", required: true},
		"kind":        {text: "remarketing: people who visited; intent: people now looking for such products; interest: the context", required: true, enum: []any{"remarketing", "intent", "interest"}},
		"status":      {text: "Only an active one bids; a new one is paused unless it says otherwise", enum: []any{"active", "paused", "archived"}},
		"targeting":   {text: "Expression that says who and where; empty means everyone. See /targeting/predicates"},
		"bid":         {text: "What an impression is worth", required: true},
		"goal":        {text: "What a click or an order may cost; the bid is the least of what the goals and bid.cpm allow"},
		"billing":     {text: "What is paid for: cpm (also when left out), what impressions cost, with the fee; cpc, clicks at the price in cpc, and the platform pays for the impressions", enum: []any{"", "cpm", "cpc"}},
		"cpc":         {text: "With billing cpc: what each impression's first valid click costs, in the shop's currency, to which a fee that is a share is added; else 0"},
		"pacing":      {text: "How a day's budget is spread: asap (as before; also when left out), even, front_loaded", enum: []any{"", "even", "front_loaded", "asap"}},
		"budget":      {text: "What may be spent"},
		"frequency":   {text: "How often one person may see it; both 0 means without a cap"},
		"holdout_bps": {text: "Share of the people, in basis points, for whom nothing is shown, to learn what the campaign changes; 0 is none, 5000 is half. See /lift"},
		"start":       {text: "When it starts, ms UTC; 0 means at once. A time in RFC 3339 is taken too"},
		"end":         {text: "When it ends, ms UTC; 0 means never. A time in RFC 3339 is taken too"},
		"creatives":   {text: "The ads"},
	},
	"SegmentView": {
		"id":          {text: "Given by the console, never given again", readOnly: true},
		"shop_id":     {text: "The shop's id", readOnly: true},
		"version":     {text: "Grows with each change; the ETag", readOnly: true},
		"name":        {text: "Unique in the shop; case and accents make no difference. Campaigns say segment \"name\""},
		"created":     {text: "When it was made, ms UTC", readOnly: true},
		"updated":     {text: "When it last changed, ms UTC", readOnly: true},
		"template":    {text: "Only when it is made: the ready-made segment to begin with. See /segment-templates"},
		"imported":    {text: "Of an imported segment: what the shop has sent", readOnly: true},
		"size":        {text: "Who is in it now, as a bidder counts; absent while none can be asked", readOnly: true},
		"description": {text: "For people"},
		"source":      {text: "rule: who fits the expression; import: who is on the list that the shop sends", enum: []any{"rule", "import"}},
		"expression":  {text: "Of a rule: who is in it, in the targeting language, about the shop's own visitors only"},
		"value_bps":   {text: "Multiplies the price of every campaign of the shop for the members, in basis points; 0 and 10000 change nothing"},
		"max_bps":     {text: "Raises the campaigns' max_cpm for the members, in basis points of it; 0 and 10000 change nothing"},
		"ttl_days":    {text: "Of an imported segment: how many days a member stays after the import; 0 is for good"},
	},
	"Bid": {
		"cpm":     {text: "Price of a thousand ordinary impressions in the shop's currency; may be 0 beside a goal and a max_cpm"},
		"max_cpm": {text: "Bound of the price after boosts; 0 means none"},
		"boosts":  {text: "All that hold multiply the price"},
	},
	"Goal": {
		"max_cpc":         {text: "A click may cost so much at most, fee included; 0 means no such goal. A segment's max_bps raises it"},
		"target_cpo":      {text: "An order is to cost so much on average, fee included; 0 means no such goal"},
		"target_roas_bps": {text: "Turnover for each unit spent, in basis points: 50000 is five times; 0 means no such goal"},
		"share_bps":       {text: "Part of the expected turnover that is bid, in basis points; 0 means no such goal"},
	},
	"Boost": {
		"when": {text: "Expression in the targeting language", required: true},
		"bps":  {text: "Factor in basis points: 15000 is ×1.5", required: true},
	},
	"Budget": {
		"total": {text: "For the whole life of the campaign, fee included; 0 means no bound"},
		"day":   {text: "For a day of the shop's time zone, fee included; 0 means no bound"},
		"week":  {text: "For a week of the shop's time zone from Monday on, fee included; 0 means no bound"},
	},
	"Frequency": {
		"impressions": {text: "So many impressions of the campaign"},
		"hours":       {text: "within so many hours"},
		"strict":      {text: "Count every bid under way as an impression: late notices never exceed a cap, and fewer bids are made"},
		"caps":        {text: "More caps, of the campaign, of all of the shop or of each creative; all must hold"},
		"fatigue":     {text: "Lower the value with the impressions before, rather than stop at a number"},
	},
	"FrequencyCap": {
		"per":         {text: "What is counted", required: true, enum: []any{"campaign", "shop", "creative"}},
		"impressions": {text: "So many impressions", required: true},
		"hours":       {text: "within so many hours: 1 is an hour, 24 a day, 168 a week", required: true},
	},
	"Fatigue": {
		"half_after":      {text: "After so many impressions in seven days the value is half; 0: it does not fall"},
		"recover_minutes": {text: "So many minutes after an impression 63 % of the value is back; 0: at once"},
	},
	"Creative": {
		"id":        {text: "Given by the console; name it in a patch to keep it"},
		"media":     {text: "Kind of ad", required: true, enum: []any{"banner", "video", "native"}},
		"sizes":     {text: "Sizes of a banner; none means every standard size"},
		"template":  {text: "Template of a banner; empty means by size and products", enum: []any{"", "grid", "carousel", "single", "logo"}},
		"title":     {text: "Headline where no product gives one"},
		"body":      {text: "Text below it"},
		"cta":       {text: "Text of the button"},
		"image_url": {text: "Main image where no product serves; https"},
		"video":     {text: "The file that a video plays"},
		"asset":     {text: "Id of an uploaded file that the ad shows as it is: a banner's picture, or a video"},
		"image":     {text: "What the uploaded picture is", readOnly: true},
		"attr":      {text: "OpenRTB creative attributes of the ad"},
	},
	"Image": {
		"path": {text: "Where it is served, below /assets of the bidder's public URL"},
		"mime": {text: "Its type"},
		"w":    {text: "Width in pixels"},
		"h":    {text: "Height in pixels"},
	},
	"Size": {
		"w": {text: "Width in CSS pixels", required: true},
		"h": {text: "Height in CSS pixels", required: true},
	},
	"Video": {
		"url":           {text: "The file; https", required: true},
		"mime":          {text: "Its type", required: true, enum: []any{"video/mp4", "video/webm"}},
		"duration_ms":   {text: "Its length in milliseconds", required: true},
		"w":             {text: "Width in pixels", required: true},
		"h":             {text: "Height in pixels", required: true},
		"bitrate_kbps":  {text: "Average bit rate in kbit/s", required: true},
		"skip_after_ms": {text: "It can be skipped after so many milliseconds; 0 means not"},
	},
	"Product": {
		"id":        {text: "The shop's own id"},
		"title":     {text: "Name"},
		"category":  {text: "Path of categories"},
		"brand":     {text: "Brand"},
		"url":       {text: "Page of the product"},
		"image_url": {text: "Its picture"},
		"price":     {text: "Price"},
		"currency":  {text: "Currency of the price"},
		"available": {text: "Whether it is in stock"},

		"list_price":    {text: "Regular price while the price is reduced"},
		"lowest_30d":    {text: "Lowest price of the 30 days before the reduction: what a discount is shown against; from the feed, else from the prices seen here"},
		"gtin":          {text: "Number of the article"},
		"item_group_id": {text: "What its variants share"},
		"margin_bps":    {text: "Margin in basis points of the price"},
		"margin_class":  {text: "The shop's own class of margin"},
		"custom_labels": {text: "The shop's own labels, 0 to 4"},
	},
}

// describe writes the documentation into the schemas once all routes are
// there.
func (s *Server) describe() {
	schemas := s.api.OpenAPI().Components.Schemas.Map()
	describeProblems(schemas)
	for name, fields := range documented {
		schema := schemas[name]
		if schema == nil {
			continue
		}
		schema.Required = nil
		for field, doc := range fields {
			prop := schema.Properties[field]
			if prop == nil {
				continue
			}
			describeField(schema, prop, field, doc)
		}
	}
}

func describeField(schema, prop *huma.Schema, field string, doc fieldDoc) {
	prop.Description = doc.text
	prop.ReadOnly = doc.readOnly
	prop.Enum = doc.enum
	prop.Nullable = false
	if doc.required {
		schema.Required = append(schema.Required, field)
	}
}
