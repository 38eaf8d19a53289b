package openrtb

// Limits of one request. What exceeds them is dropped and noted in Request.Truncated; only MaxDepth is an error. The
// limits of lists of objects hold for the whole request, since a few bytes of JSON can ask for a large struct.
const (
	// MaxDepth is how deep a value that the view does not know may nest.
	MaxDepth = 64
	// MaxImps bounds the imps that are kept.
	MaxImps = 64
	// MaxList bounds one list of strings or integers: bcat, badv, mimes, battr and the like.
	MaxList = 20_000

	maxDeals      = 2048
	maxFormats    = 2048
	maxCompanions = 256
	maxDurFloors  = 1024
	maxMetrics    = 512
	maxEIDs       = 512
	maxUIDs       = 2048
	maxData       = 1024
	maxSegments   = 20_000
	maxNodes      = 256
	maxBrands     = 256
)

// What Reset keeps for the next request; larger slabs are given back to the collector.
const (
	keepArena   = 256 << 10
	keepStrings = 64 << 10
	keepInts    = 64 << 10
	keepObjects = 4096
)
