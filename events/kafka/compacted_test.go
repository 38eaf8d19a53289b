package kafka

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grosz/grosz/events"
	"github.com/grosz/grosz/internal/kafkatest"
)

// Apache Kafka and the embedded broker take what keeps compacted topics small.
func TestCompactedTopicsAreMadeToStaySmall(t *testing.T) {
	embedded, apache := startBroker(t), kafkatest.Start(t)
	for name, b := range map[string]*broker{"embedded": embedded, "apache": {addr: apache.Addr()}} {
		t.Run(name, func(t *testing.T) {
			b.ensure(t, Topics(1)...)
			for _, topic := range []string{events.TopicCampaigns, events.TopicModels} {
				got := b.topicConfig(t, topic)
				require.Equal(t, [3]string{"compact", "67108864", "21600000"}, [3]string{got["cleanup.policy"], got["segment.bytes"], got["segment.ms"]}, topic)
			}
			require.NotEqual(t, "67108864", b.topicConfig(t, events.TopicEvents)["segment.bytes"])
		})
	}
}
