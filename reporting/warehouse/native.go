package warehouse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// nativeRevision is the revision of the Native blocks that the engine writes and
// reads: no block info, LowCardinality as its plain type.
const nativeRevision = 0

// reencodeNative writes the Native blocks in piece anew at the client's protocol
// revision: a client that gives client_protocol_version expects that framing.
func reencodeNative(piece []byte, revision uint64) (_ []byte, err error) {
	defer func() { // the decoder panics on types that it half knows
		if p := recover(); p != nil {
			err = fmt.Errorf("a column cannot be sent in Native at revision %d: %v", revision, p)
		}
	}()
	context := &column.ServerContext{Revision: revision, Timezone: time.UTC}
	in := bytes.NewReader(piece)
	reader := chproto.NewReader(in)
	buffer := &chproto.Buffer{Buf: make([]byte, 0, len(piece)+len(piece)/16+256)}
	for {
		block := proto.Block{ServerContext: context}
		if err := block.Decode(reader, nativeRevision); err != nil {
			if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && len(block.Columns) == 0 {
				return buffer.Buf, nil
			}
			return nil, fmt.Errorf("read the engine's Native block: %w", err)
		}
		if err := block.Encode(buffer, revision); err != nil {
			return nil, fmt.Errorf("write a Native block at revision %d: %w", revision, err)
		}
	}
}
